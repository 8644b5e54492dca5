"""Frames on the screens of viewers, and whose a click on one of them is."""

import numpy as np
import pytest

from etam_ros.console.commands import Pointed
from etam_ros.console.label_runs import LabelRuns
from etam_ros.console.pictures import ShownObject
from etam_ros.console.shown import KEPT, ShownFrame, ShownFrames, whose
from etam_ros.errors import ObjectError


def shown(object_id, box=(2, 2, 8, 8), occluded=False):
    return ShownObject(object_id, "", occluded, 0.9, 0.8, (4.5, 4.5), box)


def frame(stamp_ns=5, objects=(3, 9)):
    """Two squares, 3 on the left and 9 on the right."""
    labels = np.zeros((10, 30), np.uint16)
    boxes = {3: (2, 2, 8, 8), 9: (20, 2, 26, 8)}
    for each in objects:
        x0, y0, x1, y1 = boxes[each]
        labels[y0:y1, x0:x1] = each
    states = tuple(shown(each, boxes[each]) for each in objects)
    return ShownFrame(stamp_ns, (10, 30), LabelRuns.of(labels), states, b"")


def pointed(x=0.0, y=0.0, label=1, object_id=None, box=None):
    return Pointed(1, () if box else ((x, y),), label, box, 5, object_id)


def test_the_rule_is_the_trackers():
    def asked(said, meaning="auto", selected=0, on=None):
        return whose(said, on or frame(), meaning, selected)

    assert asked(pointed(4, 4)) == 3
    assert asked(pointed(15, 5)) == 0
    assert asked(pointed(18, 5, label=0)) == 9  # the nearest
    assert asked(pointed(4, 4), meaning="new") == 0
    assert asked(pointed(4, 4), meaning="target", selected=9) == 9
    assert asked(pointed(box=(1.0, 1.0, 9.0, 9.0))) == 0
    assert asked(pointed(box=(1.0, 1.0, 9.0, 9.0)), meaning="target", selected=9) == 9
    assert asked(pointed(4, 4, object_id=9)) == 9
    assert asked(pointed(4, 4, object_id=0)) == 0
    with pytest.raises(ObjectError, match="no object is visible"):
        asked(pointed(4, 4, label=0), on=frame(objects=()))
    with pytest.raises(ObjectError, match="no object is selected"):
        asked(pointed(4, 4), meaning="target")
    with pytest.raises(ObjectError, match="too old"):
        whose(pointed(4, 4), None, "auto", 0)


def test_a_frame_changes_with_a_prompt_and_without_an_object():
    before = frame()
    mask = np.ones((2, 3), np.bool_)
    after = before.with_object(shown(3, (10, 4, 13, 6)), mask)
    assert after.mask_of(3).sum() == 6
    assert after.mask_of(3)[4, 10]
    assert (after.mask_of(9) == before.mask_of(9)).all()
    assert [each.object_id for each in after.objects] == [9, 3]
    assert before.without(3).mask_of(3) is None
    assert before.without(3).mask_of(9) is not None
    assert before.without(0).objects == ()
    assert before.mask_of(4) is None
    plain = ShownFrame(5, (10, 30), None, (), b"")
    assert plain.without(3) is plain
    assert plain.with_object(shown(3, (0, 0, 3, 2)), mask).mask_of(3).sum() == 6


def test_the_newest_frames_are_kept():
    frames = ShownFrames()
    assert frames.newest is None
    for stamp_ns in range(1, KEPT + 3):
        frames.add(frame(stamp_ns))
    assert frames.find(1) is None
    assert frames.find(3).stamp_ns == 3
    assert frames.find(0).stamp_ns == KEPT + 2
    frames.change(frame(3, objects=(9,)))
    assert frames.find(3).mask_of(3) is None
    assert frames.newest.stamp_ns == KEPT + 2
    frames.change(frame(999))
    assert frames.find(999) is None
