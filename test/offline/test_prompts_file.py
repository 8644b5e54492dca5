"""Prompts files: good ones become prompts, bad ones one line that names entry and field."""

import json

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from etam_ros.errors import PromptError
from etam_ros.media.label_png import encode_label_png
from etam_ros.offline.prompts_file import PromptSchedule, read_prompts
from etam_ros.records import Frame

CLICK = {"frame": 0, "object_id": 1, "points": [[3, 4]], "labels": [1]}


def write(folder, entries):
    path = folder / "prompts.json"
    path.write_text(entries if isinstance(entries, str) else json.dumps(entries))
    return path


def frame(stamp_ns=0):
    return Frame(np.zeros((4, 6, 3), np.uint8), stamp_ns)


def test_clicks_boxes_and_all_their_fields(tmp_path):
    path = write(
        tmp_path,
        [
            {"frame": 2, "object_id": 7, "label": "cup", "points": [[1.5, 2], [3, 4]],
             "labels": [1, 0], "box": [0, 1, 5.5, 6], "keep": True},
            {"stamp_ns": 12345678901234567, "object_id": 0, "box": [1, 2, 3, 4], "frame": None,
             "mask": None, "label": None, "points": None, "labels": None, "keep": None},
        ],
    )  # fmt: skip
    first, second = read_prompts(path)
    assert (first.place, first.frame, first.stamp_ns) == (f"{path} entry 0", 2, None)
    assert first.prompt.object_id == 7
    assert first.prompt.label == "cup"
    assert list(first.prompt.points) == [(1.5, 2.0), (3.0, 4.0)]
    assert list(first.prompt.point_labels) == [1, 0]
    assert first.prompt.box == (0.0, 1.0, 5.5, 6.0)
    assert first.prompt.keep_previous is True
    assert (second.place, second.frame, second.stamp_ns) == (
        f"{path} entry 1",
        None,
        12345678901234567,
    )
    assert second.prompt.keep_previous is False


def test_the_names_of_the_message_are_taken_too_but_not_both(tmp_path):
    entry = {"frame": 0, "object_id": 1, "points": [[3, 4]]}
    (item,) = read_prompts(
        write(tmp_path, [{**entry, "point_labels": [0], "keep_previous": True}])
    )
    assert list(item.prompt.point_labels) == [0]
    assert item.prompt.keep_previous is True
    both = write(tmp_path, [{**entry, "point_labels": [0], "labels": [0]}])
    with pytest.raises(PromptError, match="point_labels: given beside labels, expected one"):
        read_prompts(both)


def test_masks_lie_beside_the_file_and_are_chosen_by_value(tmp_path):
    ids = np.zeros((8, 10), np.uint16)
    ids[1:4, 2:5] = 1
    ids[5:7, 6:9] = 3
    (tmp_path / "ids.png").write_bytes(encode_label_png(ids))
    cv2.imwrite(str(tmp_path / "grey.png"), (ids > 0).astype(np.uint8) * 255)
    entries = [
        {"frame": 0, "object_id": 1, "mask": "ids.png", "mask_value": 3},
        {"frame": 0, "object_id": 2, "mask": "ids.png"},
        {"frame": 0, "object_id": 3, "mask": "grey.png", "mask_value": 255},
    ]
    one, whole, grey = (item.prompt.mask for item in read_prompts(write(tmp_path, entries)))
    assert np.array_equal(one, ids == 3)
    assert np.array_equal(whole, ids > 0)
    assert np.array_equal(grey, ids > 0)
    assert one.dtype == np.bool_


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"object_id": -1}, "object_id"),
        ({"object_id": 65536}, "object_id"),
        ({"object_id": "1"}, "object_id"),
        ({"object_id": True}, "object_id"),
        ({"frame": -1}, "frame"),
        ({"frame": 1.0}, "frame"),
        ({"frame": None}, "frame"),
        ({"stamp_ns": 5}, "frame"),
        ({"label": 3}, "label"),
        ({"points": [3, 4]}, "points"),
        ({"points": [[3, 4, 5]]}, "points"),
        ({"points": [[3, float("nan")]]}, "points"),
        ({"points": [[3, float("inf")]]}, "points"),
        ({"points": [[3, "4"]]}, "points"),
        ({"labels": [2]}, "labels"),
        ({"labels": [1, 1]}, "labels"),
        ({"labels": 1}, "labels"),
        ({"box": [1, 2, 3]}, "box"),
        ({"box": [3, 2, 1, 4]}, "box"),
        ({"box": [10**400, 2, 1, 4]}, "box"),
        ({"mask": "absent.png"}, "mask"),
        ({"mask": ""}, "mask"),
        ({"mask": "\0"}, "mask"),
        ({"mask_value": 1}, "mask_value"),
        ({"keep": 1}, "keep"),
    ],
)
def test_a_bad_field_is_named_with_its_entry(tmp_path, change, field):
    path = write(tmp_path, [CLICK, {**CLICK, **change}])
    with pytest.raises(PromptError, match=rf"prompts\.json entry 1, field {field}: ") as caught:
        read_prompts(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"frame": 0}, "field object_id: missing"),
        ({"object_id": 1, "points": [[1, 2]], "labels": [1]}, "field frame: missing"),
        ({"frame": 0, "object_id": 1}, "prompt is empty"),
        ({**CLICK, "lables": [1]}, "has the field 'lables'"),
        ([], "is a list, expected an object"),
        (None, "is nothing, expected an object"),
    ],
)
def test_entries_that_say_too_little_or_too_much(tmp_path, entry, words):
    with pytest.raises(PromptError, match=rf"entry 0.*{words}"):
        read_prompts(write(tmp_path, [entry]))


def test_a_mask_beside_clicks_and_a_value_that_is_not_there(tmp_path):
    (tmp_path / "ids.png").write_bytes(encode_label_png(np.eye(4, dtype=np.uint16)))
    with pytest.raises(PromptError, match=r"entry 0: .*only a mask"):
        read_prompts(write(tmp_path, [{**CLICK, "mask": "ids.png"}]))
    absent = {"frame": 0, "object_id": 1, "mask": "ids.png", "mask_value": 9}
    with pytest.raises(PromptError, match=r"field mask_value: 9, but ids\.png only holds 0, 1"):
        read_prompts(write(tmp_path, [absent]))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not JSON"),
        ("[{]", "is not JSON: .* line 1"),
        ("{}", "holds an object, expected a list"),
        ("[]", "holds no prompts"),
        ("[" * 100_000, "is not JSON"),
        ("7", "holds a number"),
    ],
)
def test_files_that_are_no_list_of_prompts(tmp_path, text, words):
    with pytest.raises(PromptError, match=words):
        read_prompts(write(tmp_path, text))


def test_other_bytes_and_absent_files(tmp_path):
    (tmp_path / "prompts.json").write_bytes(b"\xff\xfe\x00[")
    with pytest.raises(PromptError, match="is not JSON"):
        read_prompts(tmp_path / "prompts.json")
    with pytest.raises(PromptError, match="cannot be read: No such file"):
        read_prompts(tmp_path / "absent.json")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)
fields = st.sampled_from(
    ["frame", "stamp_ns", "object_id", "label", "points", "labels", "box", "mask", "mask_value",
     "keep"]
)  # fmt: skip


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=200,
    deadline=None,
)
@given(anything | st.lists(st.dictionaries(fields, anything).map(lambda bad: {**CLICK, **bad})))
@example([{**CLICK, "points": [[1e300, 1]]}])
def test_whatever_json_is_read_or_refused_in_one_line(tmp_path, content):
    path = write(tmp_path, content)
    try:
        prompts = read_prompts(path)
    except PromptError as error:
        line = str(error)
    else:
        line = "prompts.json"
        assert len(prompts) == len(content)
    assert "prompts.json" in line
    assert "\n" not in line


def test_each_prompt_comes_once_on_its_frame_in_file_order(tmp_path):
    entries = [
        {**CLICK, "frame": 1, "object_id": 5},
        {**CLICK, "frame": 0, "object_id": 4},
        {**CLICK, "frame": 1, "object_id": 3},
        {"stamp_ns": 70, "object_id": 2, "box": [0, 0, 2, 2]},
        {**CLICK, "frame": 9, "object_id": 1},
    ]
    schedule = PromptSchedule(read_prompts(write(tmp_path, entries)))

    def taken(index, stamp_ns):
        return [item.prompt.object_id for item in schedule.take(index, frame(stamp_ns))]

    assert taken(0, 50) == [4]
    assert taken(1, 60) == [5, 3]
    assert taken(2, 70) == [2]
    assert taken(3, 70) == []
    assert [item.when for item in schedule.left] == ["frame 9"]
