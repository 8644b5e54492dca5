"""What `etam track` leaves: never lost, and never finished in looks alone."""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from etam_ros.cli.main import run

sys.path.insert(0, str(Path(__file__).resolve().parent))
from track_runs import Run, refused, rows_of, start, tiny, write_frames, write_prompts


@pytest.fixture
def clicked(tmp_path):
    return write_prompts(
        tmp_path / "prompts.json",
        {"frame": 0, "object_id": 4, "points": [[35, 45]], "labels": [1]},
    )


def etam(capsys, *arguments):
    code = run(["track", *map(str, arguments)])
    return Run(code, *capsys.readouterr())


def told(folder):
    return json.loads((folder / "run.json").read_text())


def masks_in(out):
    return sorted(path.name for path in (out / "masks").iterdir())


def until(condition, process):
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)


def test_a_run_says_what_it_was(tmp_path, clicked, capsys):
    frames, out = write_frames(tmp_path / "frames"), tmp_path / "out"
    assert etam(capsys, *tiny(frames, out, clicked)).returncode == 0
    record = told(out)
    assert (record["state"], record["frames"], record["frames_in_source"]) == ("complete", 6, 6)
    assert record["source"] == str(frames)
    assert record["runs_on"] == "tiny_test on torch, cpu, fp32"
    assert record["files"] == ["masks", "objects.csv", "overlay.mp4"]


def test_a_run_that_is_killed_locks_nobody_out_and_never_looks_finished(tmp_path, clicked, capsys):
    many, few = write_frames(tmp_path / "many", 300), write_frames(tmp_path / "few", 3)
    out = tmp_path / "out"
    process = start(*tiny(many, out, clicked, "--no-overlay", "--save-logits"))
    until((out / "run.json").exists, process)
    until((out / "masks" / "00002.png").exists, process)
    second = etam(capsys, *tiny(few, out, clicked))
    refused(second, f"--out {out} is being written by another run")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert told(out)["state"] == "running"
    assert not (out / "logits.npz").exists()
    assert etam(capsys, *tiny(few, out, clicked, "--no-overlay")).returncode == 0
    assert told(out)["state"] == "complete"
    assert masks_in(out) == ["00000.png", "00001.png", "00002.png"]
    assert sorted(path.name for path in out.iterdir()) == ["masks", "objects.csv", "run.json"]


def test_whole_results_stay_until_others_are_whole(tmp_path, clicked, capsys):
    many, few = write_frames(tmp_path / "many", 300), write_frames(tmp_path / "few", 3)
    out = tmp_path / "out"
    assert etam(capsys, *tiny(few, out, clicked)).returncode == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    process = start(*tiny(many, out, clicked, "--save-logits"))
    until((out / "unfinished" / "masks" / "00002.png").exists, process)
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=300)
    assert process.returncode == 130
    assert f"results in {out / 'unfinished'}; {out} keeps an earlier run's" in stdout
    assert {path: path.read_bytes() for path in before} == before
    record = told(out / "unfinished")
    assert record["state"] == "interrupted"
    assert record["frames"] == len(masks_in(out / "unfinished")) < record["frames_in_source"]
    with np.load(out / "unfinished" / "logits.npz") as logits:  # whole as far as it goes
        assert f"f{record['frames'] - 1}_o4_score" in logits
    (few / "00002.png").unlink()
    assert etam(capsys, *tiny(few, out, clicked)).returncode == 0
    assert masks_in(out) == ["00000.png", "00001.png"]
    assert len(rows_of(out)) == 2
    assert not (out / "unfinished").exists()


def test_a_run_that_fails_keeps_what_it_has_and_says_why(tmp_path, clicked, capsys):
    frames, out = write_frames(tmp_path / "frames"), tmp_path / "out"
    prompts = write_prompts(
        tmp_path / "late.json",
        {"frame": 0, "object_id": 4, "points": [[35, 45]], "labels": [1]},
        {"frame": 2, "object_id": 4, "points": [[35, 45]], "labels": [1], "keep": True},
        {"frame": 9, "object_id": 4, "points": [[35, 45]], "labels": [1]},
    )
    refused(etam(capsys, *tiny(frames, out, prompts, "--save-logits")), "entry 2")
    assert told(out)["state"] == "failed"
    assert "frame 9, which is not in the source" in told(out)["reason"]
    assert told(out)["frames"] == 6
    (frames / "00003.png").write_bytes(b"damaged")
    refused(etam(capsys, *tiny(frames, out, clicked, "--save-logits")), "00003.png")
    assert (told(out)["state"], told(out)["frames"]) == ("failed", 3)
    assert masks_in(out) == ["00000.png", "00001.png", "00002.png"]
    assert not (out / "logits.npz").exists()
    with np.load(out / "logits.npz.part") as logits:
        assert "f2_o4_ptr" in logits


def test_a_full_disk_is_one_line_and_is_told_apart(tmp_path, clicked):
    def small_files_only():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    out = tmp_path / "out"
    arguments = tiny(
        write_frames(tmp_path / "frames"), out, clicked, "--save-logits", "--no-overlay"
    )
    process = start(*arguments, preexec_fn=small_files_only)
    stdout, stderr = process.communicate(timeout=300)
    refused(Run(process.returncode, stdout, stderr), "cannot write", "free some space")
    record = told(out)
    assert (record["state"], record["frames"]) == ("failed", 0)
    assert "free some space" in record["reason"]
    assert not (out / "logits.npz").exists()


@pytest.mark.parametrize("stdout", ["full", "closed"])
def test_results_are_complete_though_nobody_hears_of_them(tmp_path, clicked, stdout):
    out = tmp_path / "out"
    process = start(
        *tiny(write_frames(tmp_path / "frames", 2), out, clicked, "--no-overlay"),
        redirect="> /dev/full" if stdout == "full" else ">&-",
    )
    _, stderr = process.communicate(timeout=300)
    assert (process.returncode, stderr) == (0, "")
    assert told(out)["state"] == "complete"
    assert masks_in(out) == ["00000.png", "00001.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_ours_to_write_is_one_line(tmp_path, clicked, capsys):
    frames, out = write_frames(tmp_path / "frames"), tmp_path / "out"
    out.mkdir(mode=0o555)
    refused(etam(capsys, *tiny(frames, out, clicked)), "cannot be created or written")
