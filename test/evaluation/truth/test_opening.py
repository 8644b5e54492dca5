"""Every layout of ground truth, and what is said of those that are something else."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etam_ros.errors import SourceError
from etam_ros.evaluation.truth.annotations import BoxTruth, MaskTruth
from etam_ros.evaluation.truth.boxes import BoxTable
from etam_ros.evaluation.truth.coco import CocoFile
from etam_ros.evaluation.truth.opening import open_photographs, open_videos
from etam_ros.media.video_writer import VideoWriter
from etam_ros.records import Frame

Write = Callable[..., None]


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("cup/frames", "cup/masks"),
        ("JPEGImages/480p/cup", "Annotations/480p/cup"),
        ("JPEGImages/cup", "Annotations/cup"),
    ],
)
def test_folders_of_masks_sparse_as_they_may_be(
    tmp_path: Path, write_sequence: Write, images: str, masks: str
) -> None:
    write_sequence(tmp_path / images, tmp_path / masks, range(0, 5, 2))
    (video,) = open_videos(str(tmp_path))
    assert (video.name, video.frame_count()) == ("cup", 5)
    pairs = list(video)
    assert [truth is not None for _, truth in pairs] == [True, False, True, False, True]
    assert [truth.object_ids for _, truth in pairs if truth] == [[1], [1, 3], [1, 3]]
    truth = pairs[0][1]
    assert isinstance(truth, MaskTruth)
    assert truth.void is not None
    assert truth.void.sum() == 2 * 96
    assert not truth.labels[truth.void].any()


def test_a_sequence_itself_may_be_named(tmp_path: Path, write_sequence: Write) -> None:
    write_sequence(tmp_path / "cup" / "frames", tmp_path / "cup" / "masks")
    assert [video.name for video in open_videos(str(tmp_path / "cup"))] == ["cup"]


def test_names_of_objects_come_from_youtube_vos(tmp_path: Path, write_sequence: Write) -> None:
    write_sequence(tmp_path / "JPEGImages/cup", tmp_path / "Annotations/cup")
    objects = {"1": {"category": "cup", "frames": ["00000"]}, "3": {"category": "dog"}}
    (tmp_path / "meta.json").write_text(json.dumps({"videos": {"cup": {"objects": objects}}}))
    (video,) = open_videos(str(tmp_path))
    assert video.object_names == {1: "cup", 3: "dog"}


def test_a_set_of_one_object_may_call_it_255(tmp_path: Path, write_sequence: Write) -> None:
    def white(index: int) -> np.ndarray:
        labels = np.zeros((64, 96), np.uint8)
        labels[10:30, 5 + index : 25] = 255
        return labels

    write_sequence(tmp_path / "cup/frames", tmp_path / "cup/masks", labels=white)
    (video,) = open_videos(str(tmp_path))
    truths = [truth for _, truth in video]
    assert all(each.object_ids == [1] and each.void is None for each in truths)
    assert truths[0].mask(1).sum() == 400


def test_masks_of_another_size_are_refused(tmp_path: Path, write_sequence: Write) -> None:
    write_sequence(
        tmp_path / "cup/frames",
        tmp_path / "cup/masks",
        labels=lambda index: np.ones((32, 48), np.uint8),
    )
    (video,) = open_videos(str(tmp_path))
    with pytest.raises(SourceError, match=r"00000\.png is 48 x 32 pixels, expected 96 x 64"):
        list(video)


def test_frames_with_masks_of_their_own_place(tmp_path: Path, write_sequence: Write) -> None:
    write_sequence(tmp_path / "pictures", tmp_path / "followed")
    (video,) = open_videos(str(tmp_path / "pictures"), str(tmp_path / "followed"))
    assert video.name == "pictures"
    assert [truth.object_ids for _, truth in video][-1] == [1, 3]


BOXES = """frame,id,label,x0,y0,x1,y1
0,1,cup,5,10,25,30
2,1,cup,13,10,33,30
2,3,dog,60,40,80,60
3,1,cup,,,,
"""


def test_boxes_in_a_table(tmp_path: Path, write_sequence: Write) -> None:
    write_sequence(tmp_path / "pictures", tmp_path / "unused")
    (tmp_path / "boxes.csv").write_text(BOXES)
    (video,) = open_videos(str(tmp_path / "pictures"), str(tmp_path / "boxes.csv"))
    assert video.object_names == {1: "cup", 3: "dog"}
    truths = [truth for _, truth in video]
    assert truths[1] is None
    assert truths[2] is not None
    assert truths[2].boxes == {1: (13, 10, 33, 30), 3: (60, 40, 80, 60)}
    assert truths[3] is not None
    assert truths[3].object_ids == []
    assert truths[2].prompt_mask(1, "box").sum() == 400
    centre = np.argwhere(truths[2].prompt_mask(1, "1-click"))
    assert abs(centre.mean(0) - (19.5, 22.5)).max() <= 0.5


def test_boxes_may_go_by_stamp(tmp_path: Path, write_sequence: Write) -> None:
    write_sequence(tmp_path / "pictures", tmp_path / "unused")
    (tmp_path / "boxes.csv").write_text(
        "stamp_ns,id,x0,y0,x1,y1\n0,1,5,10,25,30\n66666667,1,6,10,26,30\n"
    )
    (video,) = open_videos(str(tmp_path / "pictures"), str(tmp_path / "boxes.csv"))
    assert [truth is not None for _, truth in video] == [True, False, True, False, False]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("1,2,10,20,5,5\n", "lacks the columns frame or stamp_ns, id, x0, y0, x1, y1"),
        ("frame,id,x0,y0,x1,y1\n", "has no rows"),
        ("frame,id,x0,y0,x1,y1\n0,1,5,5,5,9\n", "line 2: box is .5.0, 5.0, 5.0, 9.0., expected"),
        ("frame,id,x0,y0,x1,y1\n0,cup,1,2,3,4\n", "line 2: expected whole numbers"),
        ("frame,id,x0,y0,x1,y1\n0,0,1,2,3,4\n", "line 2: id is 0, expected 1..65535"),
        ("frame,id,x0,y0,x1,y1\n0,1,1,2\n", "line 2: expected whole numbers and a box"),
    ],
)
def test_mistakes_in_a_table_are_named(
    tmp_path: Path, write_sequence: Write, table: str, words: str
) -> None:
    write_sequence(tmp_path / "pictures", tmp_path / "unused")
    (tmp_path / "boxes.csv").write_text(table)
    with pytest.raises(SourceError, match=words):
        open_videos(str(tmp_path / "pictures"), str(tmp_path / "boxes.csv"))


def polygon(x0: int, y0: int, x1: int, y1: int) -> list[list[int]]:
    return [[x0, y0, x1, y0, x1, y1, x0, y1]]


def tracked(tmp_path: Path) -> dict[str, object]:
    images = [
        {"id": each, "file_name": f"cup/{each:05d}.jpg", "frame_id": each} for each in range(5)
    ]
    annotations: list[dict[str, object]] = [
        {
            "image_id": each,
            "track_id": "a",
            "category_id": 7,
            "segmentation": polygon(5, 10, 25, 30),
        }
        for each in (0, 1)
    ]
    annotations += [
        {"image_id": 1, "attributes": {"track_id": 9}, "segmentation": polygon(20, 10, 40, 30)},
        {"image_id": 1, "iscrowd": 1, "track_id": "c", "segmentation": polygon(0, 60, 96, 64)},
    ]
    categories = [{"id": 7, "name": "cup"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def test_coco_with_tracks(tmp_path: Path, write_sequence: Write) -> None:
    write_sequence(tmp_path / "images/cup", tmp_path / "unused")
    (tmp_path / "labels.json").write_text(json.dumps(tracked(tmp_path)))
    (video,) = open_videos(str(tmp_path / "labels.json"))
    assert (video.name, video.frame_count(), video.object_names[1]) == ("cup", 5, "cup")
    truths = [truth for _, truth in video]
    second = truths[1]
    assert isinstance(second, MaskTruth)
    assert second.object_ids == [1, 2]
    assert (second.mask(1).sum(), second.mask(2).sum()) == (400, 400), "they overlap"
    assert second.void is not None
    assert second.void.sum() == 4 * 96
    assert all(each is not None and not each.object_ids for each in truths[2:])


def test_coco_beside_frames_goes_by_their_names(tmp_path: Path, write_sequence: Write) -> None:
    write_sequence(tmp_path / "pictures", tmp_path / "unused")
    content = tracked(tmp_path)
    content["images"] = [{"id": 0, "file_name": "00001.jpg"}, {"id": 1, "file_name": "00003.jpg"}]
    (tmp_path / "labels.json").write_text(json.dumps(content))
    (video,) = open_videos(str(tmp_path / "pictures"), str(tmp_path / "labels.json"))
    truths = [truth for _, truth in video]
    assert [truth is not None for truth in truths] == [False, True, False, True, False]
    assert [truth.object_ids for truth in truths if truth] == [[1], [1, 2]]
    assert video.object_names[1] == "cup"


def test_coco_of_a_video_file_goes_by_number(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "clip.mp4", 10) as writer:
        for _ in range(5):
            writer.write(np.zeros((64, 96, 3), np.uint8))
    content = tracked(tmp_path)
    content["images"] = [{"id": each, "file_name": f"frame_{2 * each:06d}.PNG"} for each in (0, 1)]
    (tmp_path / "labels.json").write_text(json.dumps(content))
    (video,) = open_videos(str(tmp_path / "clip.mp4"), str(tmp_path / "labels.json"))
    found = [truth is not None for _, truth in video]
    assert found == [True, False, True, False, False]


@pytest.mark.parametrize(
    ("names", "track", "words"),
    [
        (["gone.jpg", "lost.jpg"], {"track_id": 1}, "holds nothing for any frame of"),
        (["a/00001.jpg", "a/00001.png"], {"track_id": 1}, "two names for the same frame"),
        (["00001.jpg", "00003.jpg"], {}, "has annotations without a track_id"),
    ],
)
def test_coco_that_does_not_fit_its_frames_is_refused(
    tmp_path: Path, write_sequence: Write, names: list[str], track: dict[str, int], words: str
) -> None:
    write_sequence(tmp_path / "pictures", tmp_path / "unused")
    content = {
        "images": [{"id": each, "file_name": name} for each, name in enumerate(names)],
        "annotations": [{"image_id": each, "bbox": [5, 10, 20, 20], **track} for each in (0, 1)],
    }
    (tmp_path / "labels.json").write_text(json.dumps(content))
    with pytest.raises(SourceError, match=words):
        open_videos(str(tmp_path / "pictures"), str(tmp_path / "labels.json"))


def test_coco_boxes_alone(tmp_path: Path, write_sequence: Write) -> None:
    write_sequence(tmp_path / "images/cup", tmp_path / "unused")
    content = tracked(tmp_path)
    content["annotations"] = [{"image_id": 0, "track_id": 1, "bbox": [5, 10, 20, 20]}]
    (tmp_path / "labels.json").write_text(json.dumps(content))
    (video,) = open_videos(str(tmp_path / "labels.json"))
    truth = next(truth for _, truth in video)
    assert isinstance(truth, BoxTruth)
    assert truth.boxes == {1: (5, 10, 25, 30)}


def test_youtube_vis(tmp_path: Path, write_sequence: Write) -> None:
    write_sequence(tmp_path / "JPEGImages/cup", tmp_path / "unused")
    names = [f"cup/{each:05d}.jpg" for each in range(5)]
    runs = {"size": [64, 96], "counts": [64 * 10, 64 * 5, 64 * 81]}
    content = {
        "videos": [{"id": 4, "file_names": names}],
        "annotations": [{"video_id": 4, "segmentations": [None, runs, runs, None, None]}],
    }
    (tmp_path / "instances.json").write_text(json.dumps(content))
    (video,) = open_videos(str(tmp_path / "instances.json"))
    assert [truth.object_ids for _, truth in video if truth] == [[], [1], [1], [], []]


def test_coco_photographs(tmp_path: Path) -> None:
    picture = np.zeros((64, 96, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "street.png"), picture)
    annotations = [
        {"image_id": 1, "segmentation": polygon(5, 10, 25, 30)},
        {"image_id": 1, "segmentation": polygon(50, 10, 60, 30)},
    ]
    content = {"images": [{"id": 1, "file_name": "street.png"}], "annotations": annotations}
    (tmp_path / "labels.json").write_text(json.dumps(content))
    photographs = open_photographs(str(tmp_path / "labels.json"), "")
    assert photographs is not None
    assert [each.name for each in photographs] == ["street"]
    assert [int((photographs[0].truth() == each).sum()) for each in (1, 2)] == [400, 200]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read"),
        ("[]", "is not a COCO-style file"),
        ({"annotations": []}, "is not a COCO-style file"),
        (
            {"images": [{"id": 0}], "annotations": [{"image_id": 0, "track_id": 1}]},
            "has an entry that is not in COCO format .KeyError: 'file_name'",
        ),
        (
            {
                "images": [{"id": 0, "file_name": "gone.jpg"}],
                "annotations": [{"image_id": 0, "track_id": 1, "bbox": [1, 2, 3, 4]}],
            },
            "names the picture gone.jpg, which does not exist",
        ),
    ],
)
def test_mistakes_in_coco_files_are_named(tmp_path: Path, content: object, words: str) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "labels.json").write_text(text)
    with pytest.raises(SourceError, match=words):
        open_videos(str(tmp_path / "labels.json"))


@pytest.mark.parametrize(
    ("source", "truth", "words"),
    [
        ("", "", "holds no sequence, expected"),
        ("gone", "", "does not exist, expected sequences"),
        ("pictures", "gone.csv", "--truth gone.csv does not exist"),
        ("pictures", "unfit", "holds nothing for any frame of"),
    ],
)
def test_what_is_not_there_is_said(
    tmp_path: Path,
    write_sequence: Write,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    truth: str,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_sequence(Path("pictures"), Path("unused"))
    Path("unfit").mkdir()
    with pytest.raises(SourceError, match=words):
        open_videos(source or ".", truth)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["images", "videos", "annotations", "categories", "id", "file_name", "file_names",
             "image_id", "video_id", "track_id", "attributes", "segmentation", "segmentations",
             "bbox", "iscrowd", "counts", "size", "frame_id", "name", "category_id"]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=24,
)  # fmt: skip


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(annotations=st.lists(JSON, max_size=3), images=JSON, videos=JSON, categories=JSON)
def test_no_json_breaks_the_reader(
    tmp_path: Path, annotations: object, images: object, videos: object, categories: object
) -> None:
    (tmp_path / "cup.jpg").write_bytes(b"")
    content = {"annotations": annotations, "images": images, "videos": videos}
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(content | {"categories": categories}))
    frame = Frame(np.zeros((4, 6, 3), np.uint8))
    with suppress(SourceError):
        for video in CocoFile(path).videos():
            for index in range(3):
                video.truths.at(index, frame)
    with suppress(SourceError):
        CocoFile(path).photographs()


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(st.lists(st.text(st.characters(codec="utf-8"), max_size=6), max_size=8)))
def test_no_table_breaks_the_reader(tmp_path: Path, rows: list[list[str]]) -> None:
    with (tmp_path / "boxes.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["frame", "id", "x0", "y0", "x1", "y1"], *rows])
    with suppress(SourceError):
        BoxTable(tmp_path / "boxes.csv").at(0, Frame(np.zeros((4, 6, 3), np.uint8)))
