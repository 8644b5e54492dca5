"""`etam track`, run as a user runs it."""

import os
import signal
import sys
import time
import zipfile
import zlib
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from etam_ros.cli.main import run
from etam_ros.media.label_png import encode_label_png, read_mask_values

sys.path.insert(0, str(Path(__file__).resolve().parent))
from track_runs import Run, refused, rows_of, start, tiny, write_frames, write_prompts


@pytest.fixture
def etam(capsys):
    """Runs `etam track` with arguments, in this process to spare the imports."""

    def run_track(*arguments):
        code = run(["track", *map(str, arguments)])
        return Run(code, *capsys.readouterr())

    return run_track


@pytest.fixture
def frames(tmp_path):
    return write_frames(tmp_path / "frames")


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
    refused(ended, "--click 5,5 (frame 0)", "max_objects, which is 1", "add --max-objects 2")


def test_leaves_masks_a_table_and_a_video_that_agree(etam, tmp_path, frames, two_prompts):
    out = tmp_path / "out"
    ended = etam(*tiny(frames, out, two_prompts))
    assert ended.returncode == 0, ended.stderr
    assert "tracked 6 frames" in ended.stdout
    assert "objects: 4, 2" in ended.stdout
    assert {path.name for path in out.iterdir()} == {
        "masks",
        "objects.csv",
        "overlay.mp4",
        "run.json",
    }
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
    assert {path.name for path in out.iterdir()} == {
        "masks",
        "objects.csv",
        "logits.npz",
        "run.json",
    }
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
    assert {path.name for path in out.iterdir()} == {"masks", "objects.csv", "run.json"}
    assert len(list((out / "masks").iterdir())) == 5
    (out / "thesis.txt").write_text("precious")
    refused(etam(*tiny(frames, out, two_prompts)), "thesis.txt", "choose another folder")
    assert len(list((out / "masks").iterdir())) == 5


def test_masks_that_someone_else_made_are_not_touched(etam, tmp_path, frames, two_prompts):
    truth = tmp_path / "data" / "masks"
    truth.mkdir(parents=True)
    (truth / "00000.png").write_bytes(encode_label_png(np.ones((4, 4), np.uint8)))
    refused(etam(*tiny(frames, tmp_path / "data", two_prompts)), "holds masks,")
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
    assert not (tmp_path / "out").exists()


def test_ids_over_255_go_into_masks_of_16_bits(etam, tmp_path, frames):
    out = tmp_path / "out"
    model = ("--model", "tiny_test", "--weights", "random:0", "--no-overlay")
    box = ("--box", "300:20,20,80,80")
    refused(etam(frames, "--out", out, *box, *model), "--box is '300:20,20,80,80'", "1 to 255")
    prompts = write_prompts(
        tmp_path / "p.json", {"frame": 0, "object_id": 300, "box": [9, 9, 80, 80]}
    )
    refused(etam(*tiny(frames, out, prompts)), "object_id: 300", "or add --wide-ids")
    assert not out.exists()
    ended = etam(frames, "--out", out, *box, *model, "--wide-ids")
    assert ended.returncode == 0, ended.stderr
    masks = [read_mask_values(path) for path in sorted((out / "masks").iterdir())]
    assert {mask.dtype.name for mask in masks} == {"uint16"}
    assert {int(value) for mask in masks for value in np.unique(mask)} == {0, 300}


def test_what_cannot_be_is_refused_before_an_earlier_result_is_touched(
    etam, tmp_path, frames, two_prompts
):
    out = tmp_path / "out"
    assert etam(*tiny(frames, out, two_prompts, "--no-overlay")).returncode == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    os.mkfifo(tmp_path / "fifo.png")
    claims = bytearray(cv2.imencode(".png", np.zeros((2, 2), np.uint8))[1].tobytes())
    claims[16:24] = (60_000).to_bytes(4, "big") * 2
    claims[29:33] = zlib.crc32(claims[12:29]).to_bytes(4, "big")
    (tmp_path / "huge.png").write_bytes(claims)
    cv2.imwrite(str(tmp_path / "small.png"), np.ones((4, 4), np.uint8))
    for entry, words in (
        ({"box": [60, 20, 160, 80]}, "(frame 5): box (60, 20, 160, 80) extends beyond the frame"),
        ({"points": [[35, 90]], "labels": [1]}, "(frame 5): click (35, 90) lies outside"),
        ({"mask": "small.png"}, "(frame 5): prompt mask is 4 x 4 pixels"),
        ({"mask": "huge.png"}, "field mask: mask"),
        ({"mask": "huge.png"}, "60000 x 60000 pixels, expected up to 20000 on a side"),
        ({"mask": "fifo.png"}, "it is no ordinary file"),
        ({"mask": "/dev/zero"}, "it is no ordinary file"),
        ({"mask": "\ud800.png"}, "field mask: "),
        ({"label": "\ud800", "box": [1, 2, 9, 9]}, "field label: "),
    ):
        prompts = write_prompts(tmp_path / "p.json", {"frame": 5, "object_id": 1, **entry})
        refused(etam(*tiny(frames, out, prompts)), "p.json entry 0", words)
    os.mkfifo(tmp_path / "fifo.json")
    refused(etam(*tiny(frames, out, tmp_path / "fifo.json")), "it is no ordinary file")
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_as_many_objects_as_are_asked_for(etam, tmp_path, frames):
    boxes = [{"frame": 0, "object_id": 0, "box": [n, n, n + 20, n + 20]} for n in range(20)]
    prompts = write_prompts(tmp_path / "many.json", *boxes)
    out = tmp_path / "out"
    refused(etam(*tiny(frames, out, prompts)), "entry 16 (frame 0)", "add --max-objects 20")
    assert not out.exists()
    for path in sorted(frames.iterdir())[1:]:
        path.unlink()
    ended = etam(*tiny(frames, out, prompts, "--max-objects", "20", "--no-overlay"))
    assert ended.returncode == 0, ended.stderr
    assert {int(row["id"]) for row in rows_of(out)} == set(range(1, 21))


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


def test_ctrl_c_leaves_files_that_can_be_read(tmp_path, two_prompts):
    folder = tmp_path / "many"
    folder.mkdir()
    picture = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    cv2.imwrite(str(folder / "0.png"), picture)
    for index in range(1, 3000):
        (folder / f"{index}.png").hardlink_to(folder / "0.png")
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
