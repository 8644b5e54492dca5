"""Which frame of a video a number in its truth means: counted from 0, or from 1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etam_ros.cli.main import run
from etam_ros.evaluation.truth.annotations import BoxTruth, FrameTruth
from etam_ros.evaluation.truth.coco import CocoFile
from etam_ros.evaluation.truth.numbering import first_number
from etam_ros.evaluation.truth.opening import open_videos
from etam_ros.media.label_png import encode_label_png
from etam_ros.media.video_writer import VideoWriter

FRAMES = 5
BEGINS = "begins with 1, which is taken for the second frame: where it counts from 1, add"


@pytest.mark.parametrize(
    ("numbers", "frames", "said", "first", "words"),
    [
        (range(5), 5, "auto", 0, []),
        (range(1, 6), 5, "auto", 1, ["counts frames from 1, for it ends with 5"]),
        (range(1, 5), 5, "auto", 0, [BEGINS]),
        ((1, 3), 5, "auto", 0, [BEGINS]),
        ((1, 5), 5, "auto", 1, ["counts frames from 1"]),
        (range(1, 6), None, "auto", 0, [BEGINS]),
        ((2, 4), 5, "auto", 0, []),
        ((0, 4, 8), 5, "auto", 0, ["has 1 of 3 frames that the video, with 5, has not"]),
        (range(1, 6), 5, "0", 0, ["has 1 of 5 frames"]),
        (range(1, 5), 5, "1", 1, []),
        (range(5), 5, "1", 1, ["has 1 of 5 frames"]),
        ((1, 3, 5, 7), 5, "auto", 0, [BEGINS, "has 2 of 4 frames"]),
    ],
)
def test_the_numbers_say_where_they_begin(
    numbers: Any, frames: int | None, said: str, first: int, words: list[str]
) -> None:
    found, notes = first_number(tuple(numbers), frames, said, "truth")
    assert found == first
    assert len(notes) == len(words)
    assert all(each in note for each, note in zip(words, notes, strict=True))


def x_of(frame: int) -> int:
    """Where the object is, which tells the frame."""
    return 5 + 8 * frame


def labels(frame: int) -> np.ndarray:
    image = np.zeros((64, 96), np.uint8)
    image[10:30, x_of(frame) : x_of(frame) + 20] = 1
    return image


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for frame in range(FRAMES):
            writer.write(np.repeat(labels(frame)[..., None] * np.uint8(200), 3, 2))
    return tmp_path / "clip.mp4"


def as_masks(place: Path, first: int) -> Path:
    (place / "masks").mkdir()
    for frame in range(FRAMES):
        name = f"frame_{frame + first:06d}.png"
        (place / "masks" / name).write_bytes(encode_label_png(labels(frame)))
    return place / "masks"


def as_boxes(place: Path, first: int) -> Path:
    rows = [f"{n + first},1,{x_of(n)},10,{x_of(n) + 20},30\n" for n in range(FRAMES)]
    (place / "boxes.csv").write_text("frame,id,x0,y0,x1,y1\n" + "".join(rows))
    return place / "boxes.csv"


def as_coco(place: Path, first: int, **more: Any) -> Path:
    """Everything in it counts from `first`: names, image ids, categories and tracks."""
    name = more.get("name", "img{:04d}.jpg")
    content = {
        "images": [
            {"id": frame + first, "file_name": name.format(frame + first)}
            | ({"frame_id": frame + more["frame_id"]} if "frame_id" in more else {})
            for frame in range(FRAMES)
        ],
        "categories": [{"id": first, "name": "cup"}, {"id": first + 1, "name": "dog"}],
        "annotations": [
            {
                "id": frame + first, "image_id": frame + first, "track_id": first,
                "category_id": first, "bbox": [x_of(frame), 10, 20, 20],
            }
            for frame in range(FRAMES)
        ],
    }  # fmt: skip
    (place / "labels.json").write_text(json.dumps(content))
    return place / "labels.json"


def left_of(truth: FrameTruth | None) -> float | None:
    if isinstance(truth, BoxTruth):
        return next(iter(truth.boxes.values()))[0]
    return None if truth is None else float(np.nonzero(truth.labels)[1].min())


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("write", [as_masks, as_boxes, as_coco])
def test_whether_a_truth_counts_from_0_or_from_1_it_is_on_its_frames(
    tmp_path: Path, clip: Path, write: Any, first: int
) -> None:
    truth = write(tmp_path, first)
    (video,) = open_videos(str(clip), str(truth))
    assert [left_of(each) for _, each in video] == [x_of(n) for n in range(FRAMES)]
    told = [note for note in video.notes if "counts frames from 1" in note]
    assert len(told) == first
    (as_said,) = open_videos(str(clip), str(truth), truth_from=str(first))
    assert [left_of(each) for _, each in as_said] == [x_of(n) for n in range(FRAMES)]
    (other,) = open_videos(str(clip), str(truth), truth_from=str(1 - first))
    shifted = [x_of(n) if 0 <= n < FRAMES else None for n in range(1 - 2 * first, 6 - 2 * first)]
    assert [left_of(each) for _, each in other] == shifted
    assert other.fingerprint() != video.fingerprint()


@pytest.mark.parametrize("name", ["{:04d}.jpg", "left{:04d}a.jpg"])
@pytest.mark.parametrize("frame_id", [0, 1])
def test_coco_may_say_the_frame_itself(
    tmp_path: Path, clip: Path, name: str, frame_id: int
) -> None:
    truth = as_coco(tmp_path, 1, name=name, frame_id=frame_id)
    (video,) = open_videos(str(clip), str(truth))
    assert [left_of(each) for _, each in video] == [x_of(n) for n in range(FRAMES)]
    assert video.object_names == {1: "cup"}


def test_names_of_pictures_that_were_left_out_know_better_than_frame_ids(tmp_path: Path) -> None:
    images = [{"id": n, "file_name": f"{number:05d}.jpg", "frame_id": n}
              for n, number in enumerate((0, 2, 4))]  # fmt: skip
    annotations = [{"image_id": n, "track_id": 1, "bbox": [5, 5, 9, 9]} for n in range(3)]
    path = tmp_path / "labels.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for _ in range(FRAMES):
            writer.write(np.zeros((64, 96, 3), np.uint8))
    (video,) = open_videos(str(tmp_path / "clip.mp4"), str(path))
    assert [truth is not None for _, truth in video] == [True, False, True, False, True]


def test_pictures_that_are_files_are_called_by_name_and_not_counted(
    tmp_path: Path, write_sequence: Any
) -> None:
    write_sequence(tmp_path / "pictures", tmp_path / "unused")
    for picture in sorted((tmp_path / "pictures").iterdir(), reverse=True):
        picture.rename(picture.with_stem(f"img{int(picture.stem) + 1:04d}"))
    (video,) = open_videos(str(tmp_path / "pictures"), str(as_coco(tmp_path, 1)))
    assert [left_of(each) for _, each in video] == [x_of(n) for n in range(FRAMES)]
    assert video.notes == []


@pytest.mark.parametrize(
    ("tracks", "ids", "notes"),
    [
        ((3, 1, 7), [3, 1, 7], ()),
        ((0, 2), [1, 3], ("tracks count from 0: object 1 is track 0, and so on",)),
        (("b", "a"), [1, 2], ()),
        ((-1, 4), [1, 2], ()),
        ((70_000, 4), [1, 2], ()),
        ((5, None, 2), [5, 0, 2], ()),
        (("b", None, "a"), [1, 0, 2], ()),
    ],
)
def test_tracks_that_are_numbers_keep_them_and_regions_without_have_none(
    tmp_path: Path, tracks: tuple[Any, ...], ids: list[int], notes: tuple[str, ...]
) -> None:
    square = [[5, 5, 15, 5, 15, 15, 5, 15]]
    annotations = [
        {"image_id": 1, "segmentation": square}
        | ({"iscrowd": 1} if track is None else {"track_id": track})
        for track in tracks
    ]
    path = tmp_path / "labels.json"
    images = [{"id": 1, "file_name": "a/1.jpg"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    (video,) = CocoFile(path).listed_videos()
    assert [each.object_id for each in video.annotations[0]] == ids
    assert video.notes == notes
    assert sorted(video.object_names) == sorted(set(ids) - {0})


def test_the_command_tells_how_it_counted(
    tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["eval", str(clip), "--truth", str(as_masks(tmp_path, 1)), "--no-model"]
    command += ["--baseline", "copy"]
    assert run(command) == 0
    said = capsys.readouterr().err
    assert said.startswith(
        "note: clip: --truth masks counts frames from 1, for it ends with 5, as"
    )
    assert run([*command, "--truth-from", "0"]) == 0
    assert "has 1 of 5 frames that the video, with 5, has not" in capsys.readouterr().err
    assert run([*command, "--truth-from", "2"]) == 2
    assert "expected one of auto, 0, 1" in capsys.readouterr().err
