"""Training by the clock: what is chosen by which rates, and clips that are used again."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from etam_ros.errors import ConfigError, TrainingError
from etam_ros.training.by_the_clock import FEWEST_STEPS, _step_seconds, at_side, choose, main
from etam_ros.training.config import TrainingConfig
from etam_ros.training.data.batches import WINDOW, ClipBatch, batches
from etam_ros.training.loop import train
from etam_ros.training.outputs.checkpoints import load_checkpoint
from etam_ros.training.outputs.progress_report import TrainingReport
from etam_ros.training.outputs.run_log import read_log
from etam_ros.training.processes import joined_processes
from etam_ros.training.trainer import Trainer

sys.path.insert(0, str(Path(__file__).parent))
from flat_clips import FlatClips

TINY = TrainingConfig(
    model="tiny_test", size=64, frames=2, batch=2, objects=1, steps=10**7, warmup=1, workers=0,
    log_every=1, precision="fp32", device="cpu",
)  # fmt: skip


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--sizes=8,x", "sizes is '8,x', expected numbers of at least 1"),
        ("--minutes=0", "schedule is minutes and minutes is 0"),
        ("--frames=0", "frames is 0, expected 1..64"),
        ("--data=none.npz", "none.npz"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, capsys, option: str, words: str
) -> None:
    assert main([str(tmp_path / "run"), "--device=cpu", option]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert not (tmp_path / "run").exists()


def test_a_device_that_learns_faster_than_clips_are_made_uses_them_again() -> None:
    step_s = {8: 0.10, 16: 0.11, 32: 0.14, 64: 0.27}
    choice = choose(60.0, step_s, 300.0, 1e-3)
    assert choice.batch == 32  # 229 clips/s, 64 have 237
    assert choice.reuse == 4
    assert choice.lr == pytest.approx(2e-3)


def test_who_has_few_seconds_makes_small_steps() -> None:
    step_s = {8: 0.10, 64: 0.2}
    assert choose(1e3, step_s, 0.15 * FEWEST_STEPS, 1e-3).batch == 8
    assert choose(1e3, step_s, 1.0, 1e-3).batch == 8
    assert choose(1e3, step_s, 1.0, 1e-3).reuse == 1


def fake_steps(monkeypatch, *, fitting: int) -> list[tuple[int, int]]:
    """Steps that find memory for so many pixels; the clips and sides that were tried."""
    tried = []

    def step_s(_trainer, clips: ClipBatch) -> float:
        count, _, side = clips.images.shape[:3]
        tried.append((count, side))
        if count * side**2 > fitting:
            raise torch.cuda.OutOfMemoryError("out of memory")
        return 1e-6 * count * side**2

    monkeypatch.setattr("etam_ros.training.by_the_clock._step_s", step_s)
    return tried


def test_steps_are_measured_with_the_largest_and_the_smallest_pictures(monkeypatch) -> None:
    tried = fake_steps(monkeypatch, fitting=4 * 96**2)
    config = replace(TINY, size=64, largest=96)
    clips = next(batches(FlatClips(), config, first_sample=0, steps=1))
    found = _step_seconds(config, clips, (2, 4, 8), 60.0)
    assert tried == [(2, 96), (2, 64), (4, 96), (4, 64), (8, 96)]
    assert found == pytest.approx({n: 1e-6 * n * (96**2 + 64**2) / 2 for n in (2, 4)})
    with pytest.raises(TrainingError, match="not enough memory for a step of 8 clips"):
        _step_seconds(config, clips, (8,), 60.0)


def test_clips_are_brought_to_another_side() -> None:
    images = torch.arange(4, dtype=torch.uint8).view(1, 1, 2, 2, 1).expand(1, 1, 2, 2, 3)
    clips = at_side(ClipBatch(images, images[..., 0] > 1), 4)
    assert clips.images[0, 0, :, :, 0].tolist() == [[0, 0, 1, 1]] * 2 + [[2, 2, 3, 3]] * 2
    assert clips.masks[0, 0].tolist() == [[False] * 4] * 2 + [[True] * 4] * 2


def seen(config: TrainingConfig, **where) -> list[tuple[int, tuple[int, int] | None]]:
    """A checksum of each batch, and where to go on after it."""
    return [
        (int(batch.images.long().sum()), batch.after)
        for batch in batches(FlatClips(), config, **where)
    ]


def test_each_clip_comes_so_often_and_never_twice_in_a_row() -> None:
    config = replace(TINY, reuse=3)
    found = [content for content, _ in seen(config, first_sample=0, steps=3 * WINDOW)]
    assert all(found.count(content) == 3 for content in found)
    assert len(set(found)) == WINDOW
    assert all(a != b for a, b in itertools.pairwise(found))


def test_a_run_goes_on_within_a_window_where_it_stopped() -> None:
    config = replace(TINY, reuse=2)
    whole = seen(config, first_sample=0, steps=4 * WINDOW)
    for stop in (1, WINDOW + 3, 2 * WINDOW - 1, 2 * WINDOW, 2 * WINDOW + 1):
        first_sample, used = whole[stop - 1][1]
        rest = seen(config, first_sample=first_sample, used=used, steps=4 * WINDOW - stop)
        assert rest == whole[stop:]


def test_a_stopped_run_that_uses_clips_again_goes_on_exactly(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("etam_ros.training.data.batches.WINDOW", 2)
    config = replace(TINY, reuse=2, steps=4)
    train(replace(config, out=str(tmp_path / "whole")), FlatClips())
    stops = iter([False] * 2 + [True])
    train(replace(config, out=str(tmp_path / "cut")), FlatClips(), stop=lambda: next(stops))
    train(replace(config, out=str(tmp_path / "cut")), FlatClips())
    whole, cut = (load_checkpoint(tmp_path / name) for name in ("whole", "cut"))
    assert whole[0] == cut[0] == 4
    for name, value in whole[1]["model"].items():
        assert torch.equal(value, cut[1]["model"][name]), name


def test_the_learning_rate_is_lowest_when_the_minutes_end() -> None:
    config = replace(TINY, minutes=1.0, schedule="minutes", lr=1e-3)
    over = iter((0.001, 0.5, 1.0))
    with joined_processes("cpu") as processes:
        trainer = Trainer(config, processes, lambda: next(over))
        trainer.done = 1000
        rates = [trainer.lr for _ in range(3)]
    assert rates == pytest.approx([1e-3, 0.505e-3, 0.01e-3], rel=0.01)


def test_a_run_ends_when_its_minutes_are_over(tmp_path: Path) -> None:
    config = replace(TINY, out=str(tmp_path), minutes=0.001, schedule="minutes")
    assert train(config, FlatClips()).is_file()
    assert [report.step for report in read_log(tmp_path / "log.csv", TrainingReport)] == [1]


def test_minutes_must_be_given_to_go_by_them() -> None:
    with pytest.raises(ConfigError, match="expected a number of minutes"):
        TrainingConfig(schedule="minutes")
