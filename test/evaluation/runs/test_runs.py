"""Runs over many videos: the same in any order, in many processes, after interruptions."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from etam_ros.errors import ConfigError, SourceError
from etam_ros.evaluation.config import EvaluationConfig
from etam_ros.evaluation.runs.run import find_videos, run_evaluation
from etam_ros.evaluation.runs.store import RunFolder, file_name, open_report, read_run

NAMES = ("ant", "bee", "cat", "dog")
TINY = {"model": "tiny_test", "weights": "random:0", "backend": "torch", "threads": 1}
DEADLINE_S = 120


@pytest.fixture
def data(tmp_path: Path, write_sequence: Callable[..., None]) -> Path:
    for name in NAMES:
        write_sequence(tmp_path / "data" / name / "frames", tmp_path / "data" / name / "masks")
    return tmp_path / "data"


def config_of(data: Path, report: Path, **options: object) -> EvaluationConfig:
    values = TINY | {"sources": (str(data),), "report": str(report)} | options
    return EvaluationConfig(**values)


def run(config: EvaluationConfig):
    return run_evaluation(config, find_videos(config, config.sources))


def contents(report: Path, *, without: tuple[str, ...] = ("times.json",)) -> dict[str, bytes]:
    return {
        str(path.relative_to(report)): path.read_bytes()
        for path in sorted(report.rglob("*"))
        if path.is_file() and path.name not in without
    }


def etam_eval(data: Path, report: Path, *options: str) -> subprocess.Popen[str]:
    words = [f"--{name}={value}" for name, value in TINY.items()]
    return subprocess.Popen(
        [sys.executable, "-m", "etam_ros.cli.main", "eval", str(data), "--report", str(report),
         *words, *options],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=dict(os.environ, OMP_NUM_THREADS="1"), start_new_session=True,
    )  # fmt: skip


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)


def test_every_file_is_the_same_bit_for_bit(data: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        process = etam_eval(data, tmp_path / name, "--protocol", "online", "--prompt", "1-click")
        assert process.wait(DEADLINE_S) == 0, process.communicate()
    first, second = contents(tmp_path / "first"), contents(tmp_path / "second")
    assert set(first) == set(second)
    page = "index.html"
    lines = zip(first.pop(page).splitlines(), second.pop(page).splitlines(), strict=True)
    assert [one for one, other in lines if one != other and b'id="times"' not in one] == []
    assert first == second
    assert {"report.json", "objects.csv", "frames.csv", "results/ant.json"} <= set(first)


def test_processes_and_order_change_nothing(data: Path, tmp_path: Path) -> None:
    alone = run(config_of(data, tmp_path / "alone"))
    config = config_of(data, tmp_path / "together", jobs=2)
    videos = list(reversed(find_videos(config, config.sources)))
    frames: list[None] = []
    together = run_evaluation(config, videos, lambda: frames.append(None))
    assert together.results == alone.results
    assert contents(tmp_path / "alone") == contents(tmp_path / "together")
    assert len(frames) == 5 * len(NAMES)


def test_a_run_that_was_killed_goes_on_where_it_was(data: Path, tmp_path: Path) -> None:
    whole = run(config_of(data, tmp_path / "whole"))
    report = tmp_path / "killed"
    process = etam_eval(data, report)
    wait_for(lambda: len(list(report.glob("results/[a-z]*.json"))) >= 2, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    finished = {path: path.stat().st_mtime_ns for path in report.glob("results/*.json")}
    assert len(finished) >= 2
    again = run(config_of(data, report))
    assert again.kept == len(finished)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert again.results == whole.results
    assert not list(report.glob("results/.*")), "nothing half written is left"


def children_of(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield from map(int, (task / "children").read_text().split())


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """Processes that judge, and not the one that keeps watch over shared memory."""
    found = []
    for pid in children_of(process.pid):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"spawn_main" in words:
            found.append(pid)
    return found


def test_a_worker_that_dies_is_replaced(data: Path, tmp_path: Path) -> None:
    report = tmp_path / "report"
    process = etam_eval(data, report, "--jobs", "2")
    wait_for(lambda: len(workers_of(process)) == 2, process)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    output, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, errors
    assert [each["video"] for each in read_run(report)] == list(NAMES)
    assert all(name in output for name in NAMES)


def test_workers_end_with_the_run(data: Path, tmp_path: Path) -> None:
    process = etam_eval(data, tmp_path / "report", "--jobs", "2")
    wait_for(lambda: len(workers_of(process)) == 2, process)
    workers = workers_of(process)
    process.kill()
    process.communicate()
    end = time.monotonic() + DEADLINE_S
    while any(Path(f"/proc/{pid}/cmdline").exists() for pid in workers):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_video_that_cannot_be_read_does_not_stop_the_others(data: Path, tmp_path: Path) -> None:
    (data / "bee/frames/00002.jpg").write_bytes(b"no picture")
    for jobs in (1, 2):
        done = run(config_of(data, tmp_path / f"report{jobs}", jobs=jobs))
        assert [each["video"] for each in done.results] == ["ant", "cat", "dog"]
        assert "00002.jpg cannot be read" in done.failures["bee"]


def test_what_is_wrong_with_all_of_them_stops_at_once(data: Path, tmp_path: Path) -> None:
    for jobs in (1, 2):
        config = config_of(data, tmp_path / "report", model="no_such_model", weights="", jobs=jobs)
        with pytest.raises(ConfigError, match="no_such_model"):
            run(config)


def test_results_of_other_settings_are_not_mixed(data: Path, tmp_path: Path) -> None:
    report = tmp_path / "report"
    first = config_of(data, report)
    run(first)
    with pytest.raises(ConfigError, match=r"with protocol\.prompt mask, and box is asked for"):
        run(replace(first, prompt="box"))
    assert run(replace(first, prompt="box", fresh=True)).kept == 0
    assert {each["settings"]["protocol"]["prompt"] for each in read_run(report)} == {"box"}


def test_truth_that_has_changed_is_noticed(
    data: Path, tmp_path: Path, write_sequence: Callable[..., None]
) -> None:
    config = config_of(data, tmp_path / "report")
    run(config)
    (data / "cat/masks/00003.png").unlink()
    with pytest.raises(ConfigError, match="holds cat of other frames"):
        run(config)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(SourceError, match="holds files that do not belong to a report"):
        RunFolder(tmp_path)


def test_damaged_results_are_made_again(data: Path, tmp_path: Path) -> None:
    config = config_of(data, tmp_path / "report")
    whole = run(config)
    path = tmp_path / "report/results/bee.json"
    path.write_text(path.read_text()[:100])
    again = run(config)
    assert again.kept == len(NAMES) - 1
    assert again.results == whole.results


def test_videos_of_one_name_are_numbered(
    tmp_path: Path, write_sequence: Callable[..., None]
) -> None:
    places = [tmp_path / "one/a cup", tmp_path / "two/a cup", tmp_path / "two/a_cup"]
    for place in places:
        write_sequence(place / "frames", place / "masks")
    sources = (str(tmp_path / "one"), str(tmp_path / "two"))
    config = EvaluationConfig(sources=sources)
    assert [video.name for video in find_videos(config, sources)] == [
        "a cup", "a cup-2", "a_cup-3",
    ]  # fmt: skip


@pytest.mark.parametrize("lost", ["methods", "settings", "fingerprint"])
def test_a_mean_over_the_rest_is_not_told_where_a_result_lacks_something(
    data: Path, tmp_path: Path, lost: str
) -> None:
    run(config_of(data, tmp_path / "report"))
    path = tmp_path / "report/results/bee.json"
    content = json.loads(path.read_text())
    del content[lost]
    path.write_text(json.dumps(content))
    with pytest.raises(SourceError, match=r"bee\.json is damaged"):
        read_run(tmp_path / "report")
    assert run(config_of(data, tmp_path / "report")).kept == len(NAMES) - 1


def test_times_are_kept_apart(data: Path, tmp_path: Path) -> None:
    run(config_of(data, tmp_path / "report"))
    times = json.loads((tmp_path / "report/times.json").read_text())
    assert list(times) == list(NAMES)
    assert times["ant"]["frames"] == {"tiny_test": 5}
    assert "seconds" not in (tmp_path / "report/results/ant.json").read_text()


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "",
        "a/b",
        "../../x",
        "x" * 500,
        "é" * 200,
        "\udce9",
        "[/b]",
        "-x",
        ".x",
    ],
)
def test_a_name_of_a_video_leaves_no_folder(name: str) -> None:
    plain = file_name(name)
    assert re.fullmatch(r"(?!\.)[\w.-]+", plain)
    assert len(plain.encode()) < 200


def test_long_names_that_begin_alike_are_told_apart() -> None:
    assert file_name("x" * 500 + "a") != file_name("x" * 500 + "b")


def test_a_video_of_the_folder_above_leaves_the_report_whole(
    tmp_path: Path, write_sequence: Callable[..., None]
) -> None:
    """Pictures that a COCO file names by ../00000.jpg are of a video called .. for short."""
    write_sequence(tmp_path / "data", tmp_path / "masks")
    (tmp_path / "data" / "sub").mkdir()
    images = [{"id": index, "file_name": f"../{index:05d}.jpg"} for index in range(5)]
    annotations = [
        {"image_id": index, "track_id": 1, "segmentation": [[5, 10, 25, 10, 25, 30]]}
        for index in range(5)
    ]
    file = tmp_path / "data" / "sub" / "truth.json"
    file.write_text(json.dumps({"images": images, "annotations": annotations}))
    report = tmp_path / "report"
    (report / "results").mkdir(parents=True)
    (report / "index.html").write_text("of an earlier run")
    config = EvaluationConfig(
        sources=(str(file),), report=str(report), no_model=True, baseline="copy"
    )
    (result,) = run(config).results
    assert result["video"] == ".."
    assert (report / "index.html").exists()
    assert len(list((report / "pictures").iterdir())) == 1
    assert read_run(report) == [result]


def test_two_runs_do_not_write_into_one_report(data: Path, tmp_path: Path) -> None:
    with open_report(tmp_path / "report", "data", "", fresh=False):
        process = etam_eval(data, tmp_path / "report")
        _, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 2
    assert "is being written by another run" in said
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["run.json"]


def test_what_a_killed_run_was_writing_is_taken_away(tmp_path: Path) -> None:
    with open_report(tmp_path / "report", "data", "", fresh=False) as report:
        folder = RunFolder(report.place).folder
    (folder / "results" / ".ant.json.4711").write_text("{")
    (folder / "results" / "ant.json").write_text("{}")
    (folder / ".times.json.4711").write_text("{")
    with open_report(folder, "data", "", fresh=False):
        left = {path.name for path in folder.rglob("*") if path.is_file()}
    assert left == {"ant.json", "run.json"}


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "[]", '{"format": "etam-eval/1"}'],
    ids=["brackets", "no object", "bare"],
)
def test_a_run_with_a_damaged_result_is_one_line_that_names_it(tmp_path: Path, text: str) -> None:
    folder = RunFolder(tmp_path / "report").folder
    (folder / "results" / "ant.json").write_text(text)
    with pytest.raises(SourceError, match=r"ant\.json is damaged, or of another version"):
        read_run(folder)
