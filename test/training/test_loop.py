"""Runs: they learn, go on exactly, share work between processes, and need little."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from etam_ros.errors import TrainingError
from etam_ros.synthetic.samples import TrainingClip
from etam_ros.training.config import TrainingConfig
from etam_ros.training.data.batches import ClipDataset, batches
from etam_ros.training.initial_weights import initial_network
from etam_ros.training.loop import train
from etam_ros.training.losses import row_losses
from etam_ros.training.outputs.checkpoints import load_checkpoint
from etam_ros.training.outputs.progress_report import TrainingReport
from etam_ros.training.outputs.run_log import read_log
from etam_ros.training.rollout import Rollout
from etam_ros.training.trainer import small_truth

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from flat_clips import FlatClips  # noqa: E402

TINY = TrainingConfig(
    model="tiny_test", size=32, frames=2, batch=2, steps=6, warmup=2, workers=0, log_every=2,
    corrections=0.5, second_prompts=0.5, bce_share=0.5, precision="fp32", save_every_s=0.0,
    stills=0.4,  # which makes one of the six steps one of stills
)  # fmt: skip


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Sums depend on the number of threads: runs that are compared have the same."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def final_state(out):
    """Everything that a run has become, by name."""
    step, state = load_checkpoint(Path(out))
    tensors = {f"model.{k}": v for k, v in state["model"].items()}
    tensors |= {f"average.{k}": v for k, v in state["average"]["weights"].items()}
    for kind, part in state["optimizer"].items():
        for number, moments in part["state"].items():
            tensors |= {f"{kind}.{number}.{k}": v for k, v in moments.items()}
    return step, state["samples"], tensors


def assert_same_run(first, second):
    assert first[:2] == second[:2]
    different = [
        name for name, value in first[2].items() if not torch.equal(value, second[2][name])
    ]
    assert different == []


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    """A run that was never interrupted."""
    out = tmp_path_factory.mktemp("whole")
    train(replace(TINY, out=str(out)), FlatClips())
    return final_state(out)


def test_cross_entropy_and_true_presence_last_a_share_of_the_run_each(monkeypatch, tmp_path):
    taught, entropy = [], []

    def spy_on_rollout(*args, teach_presence, **options):
        taught.append(teach_presence)
        return Rollout(*args, teach_presence=teach_presence, **options)

    def spy_on_losses(*args, bce_share):
        entropy.append(bce_share)
        return row_losses(*args, bce_share=bce_share)

    monkeypatch.setattr("etam_ros.training.trainer.Rollout", spy_on_rollout)
    monkeypatch.setattr("etam_ros.training.trainer.row_losses", spy_on_losses)
    train(replace(TINY, out=str(tmp_path), bce_share=1.0, taught_presence=0.4), FlatClips())
    assert taught == [True, True, True, False, False, False]
    assert set(entropy) == {1.0}


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_stopped_run_goes_on_exactly(optimizer, whole_run, tmp_path):
    config = replace(TINY, out=str(tmp_path / "stopped"), optimizer=optimizer)
    steps = iter([False, False, True])
    train(config, FlatClips(), stop=lambda: next(steps))
    assert load_checkpoint(Path(config.out))[0] == 3
    train(config, FlatClips())
    if optimizer != TINY.optimizer:
        train(replace(config, out=str(tmp_path / "whole")), FlatClips())
        whole_run = final_state(tmp_path / "whole")
    assert_same_run(final_state(config.out), whole_run)
    assert [report.step for report in read_log(Path(config.out) / "log.csv", TrainingReport)] == [
        2,
        4,
        6,
    ]


CHILD = """
import sys
sys.path[:0] = [{here!r}]
import torch
torch.set_num_threads(1)
from dataclasses import replace
from flat_clips import FlatClips  # noqa: E402
from test_loop import TINY
from etam_ros.training.loop import train
train(replace(TINY, out=sys.argv[1], log_every=1), FlatClips(), on_report=lambda r: print(r.step, flush=True))
"""  # noqa: E501


def test_a_killed_run_goes_on_exactly(whole_run, tmp_path):
    script = CHILD.format(here=str(HERE))
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    for line in child.stdout:
        if int(line) == 4:  # the state of step 3 is written, perhaps that of step 4
            child.send_signal(signal.SIGKILL)
            break
    assert child.wait() == -signal.SIGKILL
    assert load_checkpoint(tmp_path)[0] in (3, 4, 5)
    train(replace(TINY, out=str(tmp_path)), FlatClips())
    assert_same_run(final_state(tmp_path), whole_run)


def test_several_processes_are_one_that_sees_everything(whole_run, tmp_path):
    script = tmp_path / "child.py"
    script.write_text(CHILD.format(here=str(HERE)).replace("log_every=1", "batch=1"))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    command += ["--master-port=0", "--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0"]
    out = tmp_path / "out"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(script), str(out)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    step, samples, tensors = final_state(out)
    assert (step, samples) == whole_run[:2]
    for name, value in whole_run[2].items():
        if name.startswith("model."):
            torch.testing.assert_close(tensors[name], value, rtol=2e-3, atol=2e-4)


def test_a_run_of_another_model_is_not_continued(tmp_path):
    config = replace(TINY, out=str(tmp_path), steps=1)
    train(config, FlatClips())
    with pytest.raises(TrainingError, match="holds a run of tiny_test, this one is of etam_nano"):
        train(replace(config, model="etam_nano"), FlatClips())


def test_one_clip_can_be_learned_by_heart(tmp_path):
    config = replace(
        TINY, out=str(tmp_path), size=64, frames=2, batch=1, objects=2, steps=260, warmup=10,
        lr=1e-3, clip=0.3, ema=0.9, bce_share=1.0, log_every=40, save_every_s=1e9,
        second_prompts=0.0, corrections=0.0, stills=0.0,
    )  # fmt: skip
    train(config, FlatClips(only=4))
    last = read_log(tmp_path / "log.csv", TrainingReport)[-1]
    assert last.iou_tracked > 0.95
    assert last.iou_prompted > 0.85


def test_sample_i_is_the_same_whoever_makes_it():
    config = replace(TINY, batch=3, frames=3, stills=0.0)
    alone = list(batches(FlatClips(), config, first_sample=0, steps=4))
    by_workers = batches(FlatClips(), replace(config, workers=1), first_sample=6, steps=2)
    for batch, expected in zip(by_workers, alone[2:], strict=True):
        assert torch.equal(batch.images, expected.images)
        assert torch.equal(batch.masks, expected.masks)
    halves = [
        next(iter(batches(FlatClips(), config, first_sample=0, steps=1, rank=r, processes=2)))
        for r in (0, 1)
    ]
    assert torch.equal(torch.cat([half.masks for half in halves])[:6], alone[0].masks)
    assert torch.equal(halves[1].images, alone[1].images)


class LateObjects:
    """The one object comes into view on the last frame."""

    def clip(self, seed, *, frames, size):
        masks = np.zeros((1, frames, size, size), bool)
        masks[0, -1, 4:12, 4:12] = True
        images = np.zeros((frames, size, size, 3), np.uint8)
        images[-1] = 255
        return TrainingClip(images, masks)


def test_every_row_can_be_prompted_on_its_first_frame():
    images, masks = ClipDataset(LateObjects(), TINY)[0, TINY.frames, TINY.size]
    assert masks.shape == (2, 2, 32, 32)
    assert masks[:, 0].flatten(1).any(dim=1).all()
    assert images[0].min() == 255


def test_clips_without_objects_are_an_error_of_one_line():
    class Nothing:
        def clip(self, seed, *, frames, size):
            images = np.zeros((frames, size, size, 3), np.uint8)
            return TrainingClip(images, np.zeros((1, frames, size, size), bool))

    with pytest.raises(TrainingError, match="no object on their first or last frame") as error:
        ClipDataset(Nothing(), TINY)[0, TINY.frames, TINY.size]
    assert "\n" not in str(error.value)


def test_truth_at_the_size_of_the_masks():
    masks = torch.zeros(1, 2, 4, 4, dtype=torch.bool)
    masks[0, 0, :2, :1] = True
    covered, visible = small_truth(masks, 2)
    assert covered[0, 0].tolist() == [[0.5, 0.0], [0.0, 0.0]]
    assert visible.tolist() == [[True, False]]


def test_training_needs_nothing_but_torch_numpy_and_opencv(tmp_path):
    missing = ("typer", "rich", "av", "rosbags", "matplotlib", "safetensors", "yaml",
               "huggingface_hub")  # fmt: skip
    script = f"import sys\nfor n in {missing}: sys.modules[n] = None\n"
    script += "from etam_ros.training.run import main; sys.exit(main(sys.argv[1:]))"
    options = ["--model", "tiny_test", "--size", "32", "--frames", "2", "--batch", "1"]
    options += ["--steps", "1", "--workers", "0", "--threads", "1", "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", script, *options], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(tmp_path / "weights.pt")
    assert "1/1 loss" in done.stdout
    tuned = TrainingConfig(model="tiny_test", init=str(tmp_path / "weights.pt"), size=32)
    assert initial_network(tuned).config.name == "tiny_test"


def test_a_run_leaves_something_to_look_at(tmp_path):
    config = replace(TINY, out=str(tmp_path), picture_every=4, frames=3)
    train(config, FlatClips())
    names = {path.name for path in tmp_path.iterdir()}
    assert {"samples_000004.jpg", "samples_000006.jpg", "log.csv"} <= names
    assert {"weights.safetensors", "state_00000006"} <= names
    sheet = cv2.imread(str(tmp_path / "samples_000006.jpg"))
    assert sheet.shape == (4 * 166 + 6, 3 * 166 + 6, 3)
    assert sheet.std() > 10
    sizes = [file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()]
    assert max(sizes) < 16 * 2**20


def test_minutes_end_a_run_that_can_go_on(tmp_path):
    config = replace(TINY, out=str(tmp_path), minutes=1e-6)
    train(config, FlatClips())
    assert load_checkpoint(tmp_path)[0] == 1


def test_a_run_begins_with_photographs_and_goes_on_with_clips(tmp_path):
    config = replace(TINY, out=str(tmp_path), frames=1, steps=2, stills=0.0)
    train(config, FlatClips())
    train(replace(config, frames=4, batch=1, steps=4, lr=1e-4), FlatClips())
    step, samples, _ = final_state(tmp_path)
    assert (step, samples) == (4, 2 * 2 + 2 * 1)
    reports = read_log(tmp_path / "log.csv", TrainingReport)
    assert np.isnan(reports[0].iou_tracked)
    assert 0.0 <= reports[1].iou_tracked <= 1.0
    assert reports[1].lr <= 1e-4


@pytest.mark.parametrize(("steps", "warmup", "told"), [(2, 4, "5.0e-04 of 1.0e-03"), (2, 1, "")])
def test_a_run_that_ends_in_its_warm_up_says_so(steps, warmup, told, tmp_path):
    notes = []
    config = replace(TINY, out=str(tmp_path), steps=steps, warmup=warmup, lr=1e-3)
    train(config, FlatClips(), on_note=notes.append)
    assert [note for note in notes if "warm-up" in note and told in note] == notes
    assert len(notes) == bool(told)
