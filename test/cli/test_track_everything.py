"""`etam track --everything`, run as a user runs it, on a drawn clip."""

from __future__ import annotations

import csv

import cv2
import numpy as np
import pytest

from etam_ros.cli.main import run
from etam_ros.media.label_png import read_mask_values

HW = (90, 120)
FRAMES = 6
NEW_ON = 3
"""On which frame the second thing appears."""


def first(index):
    return 10 + 3 * index, 10, 50 + 3 * index, 45


def second(index):
    return 60, 52 + index, 110, 82 + index


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """A red card that moves, and a blue one that comes later."""
    folder = tmp_path_factory.mktemp("clip")
    noise = np.random.RandomState(0).randint(90, 110, (*HW, 3)).astype(np.uint8)
    for index in range(FRAMES):
        picture = noise.copy()
        things = [(first(index), (40, 40, 220))]
        if index >= NEW_ON:
            things.append((second(index), (220, 60, 40)))
        for (x0, y0, x1, y1), colour in things:
            picture[y0:y1, x0:x1] = colour
        cv2.imwrite(str(folder / f"{index:05d}.png"), picture)
    return folder


def tracked(frames, out, *more):
    grid = ("--everything", "--points-per-side", "4")
    return run([str(each) for each in ("track", frames, "--out", out, *grid, *more)])


def best_id(out, index, box):
    """The object that is on a box, and the IoU of the two."""
    ids = read_mask_values(out / "masks" / f"{index:05d}.png")
    x0, y0, x1, y1 = box
    truth = np.zeros(HW, bool)
    truth[y0:y1, x0:x1] = True
    overlaps = {
        int(each): ((ids == each) & truth).sum() / ((ids == each) | truth).sum()
        for each in np.unique(ids)
        if each
    }
    return max(overlaps.items(), key=lambda each: each[1], default=(0, 0.0))


def test_what_is_there_is_followed_and_what_comes_later_where_it_is_looked_for(
    frames, tmp_path, capsys
):
    out = tmp_path / "out"
    assert tracked(frames, out, "--every", NEW_ON) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "tracked 6 frames" in said
    card, overlap = best_id(out, 0, first(0))
    assert overlap > 0.8
    for index in range(FRAMES):
        object_id, overlap = best_id(out, index, first(index))
        assert (object_id, overlap > 0.7) == (card, True)
    new, overlap = best_id(out, NEW_ON, second(NEW_ON))
    assert overlap > 0.7
    assert best_id(out, FRAMES - 1, second(FRAMES - 1))[0] == new
    with (out / "objects.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["frame"] for row in rows if row["id"] == str(card)} == set("012345")
    assert {row["frame"] for row in rows if row["id"] == str(new)} == set("345")
    assert (out / "overlay.mp4").is_file()


def test_without_every_the_first_frame_alone_is_looked_at_and_twice_is_the_same(frames, tmp_path):
    outs = [tmp_path / "first", tmp_path / "again"]
    for out in outs:
        assert tracked(frames, out, "--no-overlay", "--max-objects", "2") == 0
    files = [{path.name: path.read_bytes() for path in out.rglob("*.*")} for out in outs]
    assert files[0] == files[1]
    with (outs[0] / "objects.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["id"] for row in rows} <= {"1", "2"}
    assert {row["id"] for row in rows if row["frame"] == "5"} <= {
        row["id"] for row in rows if row["frame"] == "0"
    }


def test_what_does_not_go_together_is_one_line(frames, tmp_path, capsys):
    out = ("--out", str(tmp_path / "out"))
    for arguments, words in (
        (("--everything", "--click", "5,5"), "--everything takes no prompts"),
        (("--everything", "--pick"), "--pick and --everything both choose the objects"),
        (("--click", "5,5", "--every", "3"), "--every is for --everything"),
        (("--click", "5,5", "--points-per-side", "3"), "--points-per-side is for --everything"),
        (("--everything", "--merge-iou", "2"), "merge_iou is 2, expected 0.01..1"),
        ((), "add --click X,Y, --box X0,Y0,X1,Y1, --prompts FILE, --pick or --everything"),
    ):
        assert run(["track", str(frames), *out, *arguments]) == 2
        said = capsys.readouterr().err
        assert words in said
        assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()
