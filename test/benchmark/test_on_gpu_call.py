"""The one call for a GPU, rehearsed on a CPU with a tiny network: its logic, not its numbers."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from etam_ros.benchmark.on_gpu.__main__ import main
from etam_ros.benchmark.on_gpu.correctness import _counts, run_gpu_tests
from etam_ros.benchmark.on_gpu.findings import Findings
from etam_ros.benchmark.on_gpu.learning import CHOSEN, _run, _tell_choice
from etam_ros.benchmark.on_gpu.page import page
from etam_ros.benchmark.on_gpu.parts import MOST_BYTES, Call, _write, keep_training, run_call
from etam_ros.benchmark.on_gpu.speed import SpeedPlan, measure
from etam_ros.errors import BackendError, ConfigError
from etam_ros.training.outputs.checkpoints import load_checkpoint, save_checkpoint

TINY = ("--device=cpu", "--models=tiny_test=random:0,no_such_model=", "--objects=1,3",
        "--compared=tiny_test=random:0", "--frames=2")  # fmt: skip


def call(out: Path, *arguments: str) -> dict[str, dict]:
    """Make the call in a process, as a person would; returns the parts of its report."""
    command = [sys.executable, "-m", "etam_ros.benchmark.on_gpu", str(out), *TINY, *arguments]
    done = subprocess.run(
        command, env=dict(os.environ, OMP_NUM_THREADS="1"), capture_output=True, text=True,
        timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith((out / "report.md").read_text() + "\n")
    files = [path for path in out.rglob("*") if path.is_file()]
    assert len(files) <= 8
    assert all(path.stat().st_size <= MOST_BYTES for path in files)
    return json.loads((out / "report.json").read_text())["parts"]


def test_a_rehearsal_says_what_is_right_and_how_fast_it_is(tmp_path: Path) -> None:
    report = call(tmp_path / "out", "--minutes=6", "--only=tests,report")
    right, fast = report["Is it right"], report["How fast"]
    drawn = right["tables"]["The device's drawing against the host's"][0]
    assert drawn["pixels of another id"] == 0
    rows = {row["way"]: row for row in right["tables"]["The same clip on the CPU in fp32"]}
    assert rows["eager fp32"]["lowest"] == 1.0
    assert rows["graphs fp32"]["lowest"] > 0.98
    assert right["tables"]["Tests that need a GPU"][0]["failed"] == 0
    assert any("graphs fp16" in note and "BackendError" in note for note in right["notes"])
    title = "tiny_test: a picture in host memory to masks in host memory"
    ways = {row["way"] for row in fast["tables"][title]}
    assert ways == {"eager fp32", "graphs fp32", "graphs bf16"}
    assert len(fast["tables"]["The floor: a frame at the measured rates"]) == 2
    assert any("no_such_model" in note and "ConfigError" in note for note in fast["notes"])


def test_a_rehearsal_leaves_a_run_to_go_on_from(tmp_path: Path) -> None:
    report = call(tmp_path / "out", "--minutes=1.2", "--only=train")
    learned = report["What it learns"]["tables"]
    rates = learned["Rates, and what was chosen by them"]
    assert [row["what"] for row in rates][-1] == "chosen"
    step, state = load_checkpoint(tmp_path / "out" / "training")
    assert step > 0
    assert state["model_name"] == "etam_nano"
    assert (tmp_path / "out" / "training" / "weights.safetensors").is_file()


def test_a_part_that_hangs_is_ended_and_told(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import signal, sys, time\n"
        "if any(word.startswith('--part=') for word in sys.orig_argv):\n"
        "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "    time.sleep(1000)\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{Path.cwd()}")
    monkeypatch.setattr("etam_ros.benchmark.on_gpu.parts.GRACE_S", 1.0)
    text = run_call(Call(tmp_path / "out", tmp_path, 4.0, ("tests",), TINY))
    assert "this part ended with -9" in text


def test_parts_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected some of tests,report,train"):
        run_call(Call(tmp_path, tmp_path, 1.0, ("speed",), ()))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--objects=1,x", "--device=cpu"), "objects is '1,x', expected numbers of at least 1"),
        (("--material=none.npz", "--device=cpu"), "material none.npz does not exist"),
        (("--device=cuda",), "PyTorch finds no CUDA device here"),
    ],
)
def test_what_cannot_be_run_is_one_line(
    tmp_path: Path, monkeypatch, capsys, arguments, words: str
) -> None:
    if "cuda" in arguments[0] and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    monkeypatch.setattr("sys.argv", ["on_gpu", str(tmp_path / "out"), *arguments])
    assert main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_the_process_ends_with_that_line_and_exit_code_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "etam_ros.benchmark.on_gpu", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, "--only=speed", "--device=cpu"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "expected some of tests,report,train" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="name another folder"):
        run_call(Call(tmp_path / "file" / "out", tmp_path, 1.0, ("tests",), ()))


def test_nothing_is_begun_once_the_time_is_up(tmp_path: Path) -> None:
    plan = SpeedPlan([("tiny_test", "random:0")], device="cpu", groups=((("eager", "fp32"),),))
    found = Findings(tmp_path / "report.json", -1.0)
    measure(plan, found)
    assert "tiny_test on eager fp32: no time was left" in found.notes
    assert "tiny_test: a picture in host memory to masks in host memory" not in found.tables


def test_only_the_newest_state_is_kept_and_only_if_it_fits(tmp_path: Path) -> None:
    run, kept = tmp_path / "run", tmp_path / "kept"
    keep_training(run, kept, 5)
    assert not kept.exists()
    for step in (1, 2):
        save_checkpoint(run, step, {"step": step})
        (run / "weights.pt").write_bytes(b"%d" % step)
        keep_training(run, kept, 5)
        assert [path.name for path in kept.glob("state_*")] == [f"state_{step:08d}"]
        assert (kept / "weights.pt").read_bytes() == b"%d" % step
    save_checkpoint(run, 3, {"step": 3})
    keep_training(run, kept, 1)
    assert list(kept.glob("state_*")) == []
    with (run / "weights.pt").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    keep_training(run, kept, 5)
    assert (kept / "weights.pt").read_bytes() == b"2"


def test_tests_are_found_by_their_mark_and_counted(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "test_some.py").write_text(
        "import pytest\n"
        "@pytest.mark.gpu\ndef test_right(): pass\n"
        "@pytest.mark.gpu\ndef test_wrong(): assert False\n"
        "def test_elsewhere(): assert False\n"
    )
    (tmp_path / "test" / "test_other.py").write_text("import no_such_module\n")
    row = run_gpu_tests(tmp_path, 60.0)
    assert (row["passed"], row["failed"], row["skipped"]) == (1, 1, 0)
    assert row["names"] == "test/test_some.py::test_wrong"


def test_a_run_that_was_cut_off_is_counted_by_its_letters() -> None:
    assert _counts("..F.s.\n")["passed"] == 4
    assert _counts("..F.s.\n")["failed"] == 1


def test_a_page_has_a_column_for_every_key_and_nothing_where_there_is_no_number() -> None:
    parts = {
        "How fast": {
            "tables": {"Rows": [{"a": 1, "b": float("nan")}, {"b": 0.12346, "c": None}]},
            "notes": ["x failed"],
        }
    }
    text = page({"GPU": "none"}, parts)
    assert "| a | b | c |\n| --- | --- | --- |\n| 1 |  |  |\n|  | 0.1235 |  |" in text
    assert "- x failed" in text


def test_tests_that_cannot_be_run_are_no_row_of_zeros(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "test").mkdir()
    wrong = tmp_path / "test" / "test_wrong.py"
    wrong.write_text("import pytest\npytestmark = pytest.mark.gpu\nimport no_such_module\n")
    assert run_gpu_tests(tmp_path, 60.0)["error"] == 1
    assert _counts("2 errors in 1.0s\n")["error"] == 2
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pytest'] = None\n")
    monkeypatch.setattr("sys.path", [str(tmp_path), *sys.path])
    with pytest.raises(BackendError, match=r"pytest ended with exit code 1: .*pytest"):
        run_gpu_tests(tmp_path, 60.0)


def test_what_a_run_is_writing_is_not_kept(tmp_path: Path) -> None:
    run, kept = tmp_path / "run", tmp_path / "kept"
    save_checkpoint(run, 1, {"step": 1})
    (run / "weights.pt.part").write_bytes(b"half")
    keep_training(run, kept, 5)
    assert not kept.exists()
    (run / "weights.pt").write_bytes(b"whole")
    (kept / "state_00000000.unfinished").mkdir(parents=True)  # of a call that was killed
    keep_training(run, kept, 5)
    assert sorted(path.name for path in kept.iterdir()) == ["state_00000001", "weights.pt"]


def test_what_cannot_be_kept_is_a_note_and_the_report_is_written(tmp_path: Path) -> None:
    out, run = tmp_path / "out", tmp_path / "scratch" / "training"
    out.mkdir()
    (out / "training").write_text("a file")
    run.mkdir(parents=True)
    (run / "weights.pt").write_bytes(b"whole")
    _write(Call(out, run.parent, 1.0, ("train",), ()), {}, {"train": "took 1 s of 1"})
    assert "what training saved is not kept" in (out / "report.md").read_text()


def test_a_report_holds_numbers_or_nothing_and_each_warning_once(tmp_path: Path) -> None:
    found = Findings(tmp_path / "part.json", 1.0)
    found.note_warnings("etam_ros.some_logger")
    for _ in range(2):
        logging.getLogger("etam_ros.some_logger").warning("%s runs without a graph", "it")
    found.add("Rows", {"a": float("nan"), "b": float("inf"), "c": 1.5})
    assert found.notes == ["it runs without a graph"]
    assert found.tables["Rows"] == [{"a": None, "b": None, "c": 1.5}]
    assert "NaN" not in (tmp_path / "part.json").read_text()


def test_what_was_chosen_is_told_while_training_goes_on(tmp_path: Path) -> None:
    found, path = Findings(tmp_path / "train.json", 60.0), tmp_path / "choice.json"
    script = f"import pathlib, time; pathlib.Path({str(path)!r}).write_text('[{{\"batch\": 8}}]')"
    told = []

    def look() -> None:
        _tell_choice(path, found)
        told.append(len(found.tables.get(CHOSEN, [])))

    assert _run([sys.executable, "-c", script], look) == 0
    look()
    assert told[-2:] == [1, 1]
