"""`etam demo`, run as a user runs it: real node, real player, real service."""

import contextlib
import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from etam_ros.cli.main import run
from etam_ros.media.label_png import read_mask_values

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from warm_python import warm_python

pytest.importorskip("rclpy")

TINY = ("--model", "tiny_test", "--weights", "random:0")


def start(*arguments):
    words = ("demo", *map(str, arguments))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return warm_python().start("etam_ros.cli.main", *words, environment=environment)


def table_of(report):
    """Name and value of each row of report.md."""
    return dict(re.findall(r"^\| ([^|]+?) \| ([^|]*?) \|$", report, re.MULTILINE))


def first_number(text):
    return float(re.match(r"[\d.]+", text)[0])


def alive(*words):
    """Command lines of running processes that have all these words."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has just ended
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [line for line in lines if all(word in line for word in words)]


def test_the_made_up_clip_is_followed_and_reported(tmp_path):
    out = tmp_path / "demo"
    process = start(*TINY, "--frames", "30", "--rate", "10", "--out", out)
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    assert stdout.count("untrained") == 1

    record = json.loads((out / "run.json").read_text())
    assert (record["command"], record["state"]) == ("demo", "complete")
    report = (out / "report.md").read_text()
    rows = table_of(report)
    images, results = (int(first_number(rows[name])) for name in ("frames in", "results out"))
    assert images == 30
    assert 1 <= results <= images
    assert int(first_number(rows["dropped"])) == images - results
    assert 0 < first_number(rows["latency p50"]) <= first_number(rows["latency p99"])
    scores = re.findall(r"^\| (\d+) \| (\w+) \| ([\d.]*) \| (\d+) \|", report, re.MULTILINE)
    assert [row[0] for row in scores] == ["1", "2"]
    for _, _, iou, seen in scores:
        assert 0.0 <= float(iou) <= 1.0
        assert 1 <= int(seen) <= results

    with av.open(str(out / "overlay.mp4")) as video:
        drawn = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in video.decode(video=0)]
    assert len(drawn) == results
    assert drawn[0][1].shape == (480, 640, 3)
    assert drawn[-1][0] == pytest.approx(29 / 30, abs=0.1)  # it plays at the clip's own speed
    original = cv2.imread(str(out / "clip" / "frames" / "00029.jpg"))[..., ::-1]
    difference = np.abs(drawn[-1][1].astype(int) - original).mean(axis=2)
    assert (difference < 12).mean() > 0.2  # the last frame ...
    assert (difference > 25).mean() > 0.01  # ... with something drawn on it
    assert read_mask_values(out / "clip" / "masks" / "00000.png").max() == 3
    assert cv2.imread(str(out / "overlay.jpg")).shape[1] > 900
    assert not alive("etam_ros", str(out))


def test_a_source_of_ones_own_with_a_click_and_a_box(tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
    for index in range(12):
        cv2.imwrite(str(frames / f"{index}.png"), np.roll(noise, index, axis=1))
    out = tmp_path / "out"
    process = start(
        frames, *TINY, "--click", "40,50", "--box", "10,10,90,80", "--rate", "6", "--out", out
    )
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    rows = table_of((out / "report.md").read_text())
    assert int(first_number(rows["frames in"])) == 12
    assert "mean IoU" not in (out / "report.md").read_text()
    assert (out / "overlay.mp4").exists()
    assert not (out / "clip").exists()


def test_a_refused_click_and_a_dead_node_are_one_line(tmp_path):
    picture = tmp_path / "one.png"
    cv2.imwrite(str(picture), np.zeros((96, 128, 3), np.uint8))
    process = start(picture, *TINY, "--click", "128,5", "--out", tmp_path / "out")
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 2
    assert "refused to track object 1" in stderr.splitlines()[-1]
    process = start(picture, "--model", "tiny_test", "--weights", "absent.pt", "--out",
                    tmp_path / "out")  # fmt: skip
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 2
    last = stderr.splitlines()[-1]
    assert "tracker_node ended with exit code 1" in last
    assert "absent.pt" in last
    assert "Traceback" not in stderr
    assert not alive("etam_ros", str(picture))


def test_mistakes_are_seen_before_anything_starts(tmp_path, capsys):
    out = str(tmp_path / "out")
    for arguments, words in (
        (["--click", "3,4"], "--click and --box need a SOURCE"),
        (["absent.mp4"], "absent.mp4 does not exist"),
        (["clip.mp4", "--web", "--click", "3,4"], "--web is for your own clicks"),
        (["--web", "--follow"], "--web is for your own clicks"),
        (["absent.mp4", "--web"], "absent.mp4 does not exist"),
        (["absent.mp4", "--click", "3"], "--click is '3', expected X,Y"),
        (["absent.mp4", "--box", "1,2,x,4"], "--box is '1,2,x,4', expected X0,Y0,X1,Y1"),
    ):
        assert run(["demo", *arguments, *TINY, "--out", out]) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("more", [[], ["--follow"]])
def test_files_of_others_are_left_alone(tmp_path, capsys, more):
    if more:
        pytest.importorskip("matplotlib")
    (tmp_path / "overlay.mp4").write_text("precious")
    assert run(["demo", *more, *TINY, "--out", str(tmp_path)]) == 2
    assert "holds overlay.mp4, which no earlier run wrote" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["overlay.mp4"]


def test_ctrl_c_ends_everything(tmp_path):
    out = tmp_path / "demo"
    process = start(*TINY, "--frames", "200", "--rate", "5", "--out", out)
    while not (out / "overlay.mp4.part").exists():  # the first result has been drawn
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert not alive("etam_ros", str(out))
    with av.open(str(out / "overlay.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) >= 1


def test_a_robot_that_follows_has_its_own_room(tmp_path, capsys):
    for others in (["clip.mp4"], ["--click", "3,4"], ["--rate", "5"]):
        assert run(["demo", "--follow", *others, "--out", str(tmp_path / "demo")]) == 2
        assert "--follow uses its own room" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()
