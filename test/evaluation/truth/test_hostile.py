"""Ground truth that was damaged or made to do harm: one line, however its file is called."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etam_ros.errors import SourceError
from etam_ros.evaluation.truth.coco_masks import decode_segmentation
from etam_ros.evaluation.truth.opening import open_photographs, open_videos

HW = (24, 32)
PIXELS = HW[0] * HW[1]
NUMBERS = st.integers() | st.floats() | st.integers(-(2**63), 2**63 - 1)


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "images" / "video"
    folder.mkdir(parents=True)
    for index in range(3):
        cv2.imwrite(str(folder / f"{index:05d}.png"), np.zeros((*HW, 3), np.uint8))
    return folder


def judged(source: Path, truth: str = "") -> list[Any]:
    """All annotated frames of a source."""
    photographs = open_photographs(str(source), truth)
    if photographs is not None:
        return [photograph.truth() for photograph in photographs]
    return [
        found
        for video in open_videos(str(source), truth)
        for _, found in video
        if found is not None and video.fingerprint()
    ]


def refusal(source: Path, truth: str = "") -> str:
    with pytest.raises(SourceError) as caught:
        judged(source, truth)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@given(
    st.recursive(
        st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=7)
            | st.dictionaries(st.sampled_from(["size", "counts", "x"]), inner, max_size=3)
        ),
        max_leaves=20,
    )
    | st.fixed_dictionaries(
        {"size": st.just(list(HW)), "counts": st.lists(NUMBERS, max_size=5) | st.text(max_size=20)}
    )
    | st.lists(st.lists(NUMBERS, min_size=6, max_size=8), max_size=2)
)
@settings(max_examples=300, deadline=None)
def test_any_segmentation_is_a_mask_or_one_line(segmentation):
    try:
        mask = decode_segmentation(segmentation, HW)
    except SourceError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert mask.shape == HW
        assert mask.dtype == bool


@pytest.mark.parametrize(
    "counts",
    [[2**63 - 1, 2**63 - 1, PIXELS + 2], [-5, PIXELS + 5], [2**70], "o" * 600_000, {"a": 1}],
    ids=["sum overflows", "negative", "huge", "never ends", "no list"],
)
def test_run_lengths_that_lie_are_one_line(counts):
    with pytest.raises(SourceError, match="run lengths"):
        decode_segmentation({"size": list(HW), "counts": counts}, HW)


def content(**changed: Any) -> dict[str, Any]:
    """A COCO-style file of one object on three frames; `changed` of its annotations."""
    annotation = {"track_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]} | changed
    images = [{"id": index, "file_name": f"video/{index:05d}.png"} for index in range(3)]
    return {
        "images": images,
        "annotations": [annotation | {"image_id": index} for index in range(3)],
        "categories": [{"id": 1, "name": "cup"}],
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"bbox": [1e308, 1, 1e308, 5]},
        {"bbox": [-1e300, 1, 1e301, 5]},
        {"bbox": "abcd"},
        {"segmentation": [[1e308, 1e308, -1e308, 1e308, 0, -1e308]]},
        {"track_id": [1]},
        {"image_id": [1]},
    ],
)
def test_entries_that_cannot_be_are_one_line(tmp_path, frames, changed):
    file = tmp_path / "truth.json"
    text = content()
    text["annotations"] = [each | changed for each in text["annotations"]]
    file.write_text(json.dumps(text))
    refusal(file)


@pytest.mark.parametrize("attributes", [5, ["track_id"], "track_id"])
def test_attributes_of_another_kind_are_one_line(tmp_path, frames, attributes):
    text = content(attributes=attributes)
    for annotation in text["annotations"]:
        del annotation["track_id"]
    (tmp_path / "truth.json").write_text(json.dumps(text))
    refusal(tmp_path / "truth.json")


def test_more_objects_than_there_are_ids_are_one_line(tmp_path, frames):
    text = content()
    first = text["annotations"][0]
    text["annotations"] = [first | {"track_id": number} for number in range(65_536)]
    (tmp_path / "truth.json").write_text(json.dumps(text))
    assert "65536 objects" in refusal(tmp_path / "truth.json")


def test_json_without_an_end_of_brackets_is_one_line(tmp_path):
    (tmp_path / "truth.json").write_text("[" * 200_000)
    assert "nested too deep" in refusal(tmp_path / "truth.json")


@pytest.mark.parametrize("box", ["-1e300,1,1e300,5", "nan,1,5,5", "1,1,inf,5", "5,1,1,5"])
def test_boxes_that_cannot_be_are_one_line(tmp_path, frames, box):
    (tmp_path / "truth.csv").write_text(f"frame,id,x0,y0,x1,y1\n0,1,{box}\n")
    assert "line 2: box is" in refusal(frames, str(tmp_path / "truth.csv"))


@pytest.mark.parametrize("name", ["truth.json", "truth.csv", "masks/00000.png"])
def test_a_pipe_is_not_waited_for(tmp_path, frames, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)
    truth = str(path if path.parent == tmp_path else path.parent)
    with pytest.raises(Exception, match="no ordinary file") as caught:
        judged(frames, truth)
    assert type(caught.value).__module__ == "etam_ros.errors"


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_no_truth(frames, device):
    assert "no ordinary file" in refusal(frames, device)


def test_names_need_not_be_utf_8(tmp_path: Path, write_sequence: Callable[..., None]) -> None:
    write_sequence(tmp_path / "plain" / "frames", tmp_path / "plain" / "masks")
    (tmp_path / "plain").rename(tmp_path / os.fsdecode(b"lat\xe9"))
    assert len(judged(tmp_path)) == 5
