"""`etam track`, run as a user runs it."""

import csv
import json
import os
import resource
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass

import av
import cv2
import numpy as np
import pytest

from etam_ros.cli.main import run
from etam_ros.media.label_png import encode_label_png, read_mask_values

EVERY = {"masks", "objects.csv", "run.json"}
COLUMNS = [
    "frame", "stamp_ns", "id", "label", "occluded", "visibility", "iou_score", "cx", "cy",
    "x0", "y0", "x1", "y1", "area",
]  # fmt: skip


@dataclass
class Run:
    """How a command ended and what it said."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def etam(capsys):
    """Runs `etam track` with arguments, in this process to spare the imports."""

    def run_track(*arguments):
        code = run(["track", *map(str, arguments)])
        return Run(code, *capsys.readouterr())

    return run_track


def start(*arguments, **options):
    """Start `etam track` as a process of its own."""
    command = [sys.executable, "-m", "etam_ros.cli.main", "track", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, env=environment, **pipes, **options)


def tiny(source, out, prompts, *more):
    return (
        source, "--out", out, "--prompts", prompts, "--model", "tiny_test",
        "--weights", "random:0", *more,
    )  # fmt: skip


def rows_of(out):
    with (out / "objects.csv").open(newline="") as file:
        table = csv.DictReader(file)
        assert table.fieldnames == COLUMNS
        return list(table)


def write_prompts(path, *entries):
    path.write_text(json.dumps(entries))
    return path


def refused(ended, *words):
    """The run ended with exit code 2 and one line that has these words."""
    assert ended.returncode == 2, ended.stderr
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("error: ")
    for word in words:
        assert word in lines[0]


@pytest.fixture
def frames(tmp_path):
    """Six pictures of 90x120 with a bright square that moves."""
    folder = tmp_path / "frames"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 80, (90, 120, 3), np.uint8)
    for index in range(6):
        picture = noise.copy()
        picture[30:60, 20 + 8 * index : 50 + 8 * index] = (40, 200, 230)
        cv2.imwrite(str(folder / f"{index:05d}.png"), picture)
    return folder


@pytest.fixture
def two_prompts(tmp_path):
    return write_prompts(
        tmp_path / "prompts.json",
        {"frame": 1, "object_id": 4, "label": "cup, blue", "points": [[35, 45]], "labels": [1]},
        {"frame": 2, "object_id": 2, "box": [60, 20, 110, 80]},
    )


def test_clicks_and_boxes_do_as_a_prompts_file_does(etam, tmp_path, frames, two_prompts):
    model = ("--model", "tiny_test", "--weights", "random:0", "--no-overlay")
    listed, given = tmp_path / "listed", tmp_path / "given"
    assert etam(*tiny(frames, listed, two_prompts, "--no-overlay")).returncode == 0
    ended = etam(
        frames, "--out", given, "--click", "4:35,45@1", "--box", "2:60,20,110,80@2", *model
    )
    assert ended.returncode == 0, ended.stderr
    assert "objects: 4, 2;" in ended.stdout
    for path in (listed / "masks").iterdir():
        assert path.read_bytes() == (given / "masks" / path.name).read_bytes()
    added = etam(*tiny(frames, tmp_path / "both", two_prompts, "--click", "5,5@3"))
    assert "objects: 4, 2, 1;" in added.stdout


def test_more_objects_than_max_objects_are_refused(etam, tmp_path, frames):
    ended = etam(
        frames, "--out", tmp_path / "out", "--click", "35,45", "--click", "5,5", "--max-objects",
        "1", "--model", "tiny_test", "--weights", "random:0",
    )  # fmt: skip
    refused(ended, "--click 5,5 (frame 0)", "max_objects is 1")


def test_leaves_masks_a_table_and_a_video_that_agree(etam, tmp_path, frames, two_prompts):
    out = tmp_path / "out"
    ended = etam(*tiny(frames, out, two_prompts))
    assert ended.returncode == 0, ended.stderr
    assert "tracked 6 frames" in ended.stdout
    assert "objects: 4, 2" in ended.stdout
    assert {path.name for path in out.iterdir()} == {*EVERY, "overlay.mp4"}
    names = sorted(path.name for path in (out / "masks").iterdir())
    assert names == [f"{index:05d}.png" for index in range(6)]
    with av.open(str(out / "overlay.mp4")) as video:
        pictures = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
    assert len(pictures) == 6
    assert pictures[0].shape == (90, 120, 3)

    rows = rows_of(out)
    assert [(int(row["frame"]), int(row["id"])) for row in rows] == [
        (1, 4), (2, 4), (2, 2), (3, 4), (3, 2), (4, 4), (4, 2), (5, 4), (5, 2),
    ]  # fmt: skip
    assert {row["label"] for row in rows} == {"cup, blue", ""}
    assert int(rows[1]["stamp_ns"]) > int(rows[0]["stamp_ns"])
    for row in rows:
        mask = read_mask_values(out / "masks" / f"{int(row['frame']):05d}.png") == int(row["id"])
        assert mask.shape == (90, 120)
        assert int(row["area"]) == mask.sum()
        if mask.any():
            _, pieces, sizes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
            cx, cy = float(row["cx"]), float(row["cy"])
            main = pieces == pieces[int(cy + 0.5), int(cx + 0.5)]
            assert (main & mask).any(), "the centroid lies on the mask"
            assert main.sum() >= 0.5 * sizes[1:, cv2.CC_STAT_AREA].max()
            ys, xs = np.nonzero(main)
            box = [int(row[key]) for key in ("x0", "y0", "x1", "y1")]
            assert box == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
            if main[int(ys.mean() + 0.5), int(xs.mean() + 0.5)]:
                assert (cx, cy) == pytest.approx((xs.mean(), ys.mean()), abs=1e-3)
        else:
            assert row["cx"] == row["cy"] == row["x0"] == row["y1"] == ""
        assert 0.0 <= float(row["visibility"]) <= 1.0


def test_new_objects_get_the_lowest_ids_that_the_file_does_not_name(etam, tmp_path, frames):
    box = [20, 20, 80, 80]
    prompts = write_prompts(
        tmp_path / "prompts.json",
        {"frame": 0, "object_id": 255, "box": box},
        {"frame": 0, "object_id": 0, "box": box},
        {"frame": 1, "object_id": 0, "box": box},
        {"frame": 2, "object_id": 2, "box": box},
    )
    ended = etam(*tiny(frames, tmp_path / "out", prompts, "--no-overlay"))
    assert ended.returncode == 0, ended.stderr
    assert "objects: 255, 1, 3, 2;" in ended.stdout


def test_logits_are_a_plain_npz_of_every_object_and_frame(etam, tmp_path, frames, two_prompts):
    out = tmp_path / "out"
    ended = etam(*tiny(frames, out, two_prompts, "--save-logits", "--no-overlay"))
    assert ended.returncode == 0, ended.stderr
    assert {path.name for path in out.iterdir()} == {*EVERY, "logits.npz"}
    assert zipfile.ZipFile(out / "logits.npz").testzip() is None
    with np.load(out / "logits.npz") as logits:
        expected = {
            f"f{row['frame']}_o{row['id']}_{kind}"
            for row in rows_of(out)
            for kind in ("mask_logits", "score", "ptr")
        }
        assert set(logits) == expected
        mask_logits, score = logits["f1_o4_mask_logits"], logits["f1_o4_score"]
        assert mask_logits.dtype == score.dtype == logits["f1_o4_ptr"].dtype == np.float32
        assert mask_logits.shape == (32, 32)  # 4h, 4w of the tiny network's 8x8 grid
        assert score.shape == (1,)
        assert logits["f1_o4_ptr"].ndim == 1


def test_an_earlier_run_is_replaced_and_anything_else_refused(etam, tmp_path, frames, two_prompts):
    out = tmp_path / "out"
    assert etam(*tiny(frames, out, two_prompts, "--save-logits")).returncode == 0
    (frames / "00005.png").unlink()
    ended = etam(*tiny(frames, out, two_prompts, "--no-overlay"))
    assert ended.returncode == 0, ended.stderr
    assert {path.name for path in out.iterdir()} == EVERY
    assert len(list((out / "masks").iterdir())) == 5
    (out / "thesis.txt").write_text("precious")
    refused(etam(*tiny(frames, out, two_prompts)), "thesis.txt", "choose another folder")
    assert len(list((out / "masks").iterdir())) == 5


def test_masks_that_someone_else_made_are_not_touched(etam, tmp_path, frames, two_prompts):
    truth = tmp_path / "data" / "masks"
    truth.mkdir(parents=True)
    (truth / "00000.png").write_bytes(encode_label_png(np.ones((4, 4), np.uint8)))
    refused(etam(*tiny(frames, tmp_path / "data", two_prompts)), "masks/00000.png")
    refused(etam(*tiny(truth, tmp_path / "data", two_prompts)), "holds the source")
    assert (truth / "00000.png").exists()


def test_mistakes_are_one_line(etam, tmp_path, frames, two_prompts):
    out = tmp_path / "out"
    ended = etam(frames, "--out", out, "--model", "tiny_test", "--weights", "random:0")
    refused(ended, "--click X,Y", "--prompts FILE")
    refused(etam(*tiny(tmp_path / "absent.mp4", out, two_prompts)), "absent.mp4", "does not exist")
    prompts = write_prompts(tmp_path / "bad.json", {"frame": 0, "object_id": 1, "points": 3})
    refused(etam(*tiny(frames, out, prompts)), "bad.json entry 0, field points")
    prompts = write_prompts(tmp_path / "big.json", {"frame": 0, "object_id": 256,
                                                    "box": [0, 0, 9, 9]})  # fmt: skip
    refused(etam(*tiny(frames, out, prompts)), "entry 0", "object_id", "256", "255")
    boxes = [{"frame": 0, "object_id": 0, "box": [0, 0, 9, 9]}] * 256
    prompts = write_prompts(tmp_path / "many.json", *boxes)
    refused(etam(*tiny(frames, out, prompts)), "entry 255", "object_id: 256", "up to 255")
    ended = etam(frames, "--out", out, "--prompts", two_prompts, "--model", "tinny")
    refused(ended, "tinny")
    (tmp_path / "file").write_text("")
    refused(etam(*tiny(frames, tmp_path / "file", two_prompts)), "is a file")
    assert not out.exists()


def test_the_largest_id_leaves_the_others_to_new_objects(etam, tmp_path, frames):
    prompts = write_prompts(
        tmp_path / "prompts.json",
        {"frame": 0, "object_id": 255, "points": [[35, 45]], "labels": [1]},
        {"frame": 1, "object_id": 0, "box": [60, 20, 110, 80]},
    )
    ended = etam(*tiny(frames, tmp_path / "out", prompts))
    assert ended.returncode == 0, ended.stderr
    assert "objects: 255, 1" in ended.stdout


def test_a_click_outside_the_frame_names_its_entry(etam, tmp_path, frames):
    prompts = write_prompts(
        tmp_path / "prompts.json",
        {"frame": 0, "object_id": 1, "points": [[35, 45]], "labels": [1]},
        {"frame": 2, "object_id": 1, "points": [[120, 45]], "labels": [1]},
    )
    ended = etam(*tiny(frames, tmp_path / "out", prompts))
    refused(ended, "prompts.json entry 1 (frame 2)")
    assert len(list((tmp_path / "out" / "masks").iterdir())) == 2


def test_prompts_behind_the_last_frame_are_never_silent(etam, tmp_path, frames):
    prompts = write_prompts(
        tmp_path / "prompts.json",
        {"frame": 0, "object_id": 1, "points": [[35, 45]], "labels": [1]},
        {"frame": 6, "object_id": 2, "points": [[35, 45]], "labels": [1]},
    )
    ended = etam(*tiny(frames, tmp_path / "out", prompts))
    refused(ended, "entry 1", "frame 6", "0 to 5")
    assert "tracked 6 frames" in ended.stdout
    assert (tmp_path / "out" / "overlay.mp4").exists()


def test_a_full_disk_is_one_line(tmp_path, frames, two_prompts):
    def small_files_only():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    arguments = tiny(frames, tmp_path / "out", two_prompts, "--save-logits", "--no-overlay")
    process = start(*arguments, preexec_fn=small_files_only)
    stdout, stderr = process.communicate(timeout=300)
    refused(Run(process.returncode, stdout, stderr), "cannot write", "make room")


def test_ctrl_c_leaves_files_that_can_be_read(tmp_path, two_prompts):
    folder = tmp_path / "many"
    folder.mkdir()
    picture = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    for index in range(3000):
        cv2.imwrite(str(folder / f"{index}.png"), picture)
    out = tmp_path / "out"
    process = start(*tiny(folder, out, two_prompts, "--save-logits"))
    while not (out / "masks" / "00003.png").exists():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 130, stderr
    assert "stopped after" in stdout
    count = len(list((out / "masks").iterdir()))
    assert 4 <= count < 3000
    with av.open(str(out / "overlay.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == count
    with np.load(out / "logits.npz") as logits:
        assert f"f{count - 1}_o4_score" in logits
    assert int(rows_of(out)[-1]["frame"]) == count - 1
