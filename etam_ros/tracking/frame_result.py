"""The result of a frame, and the state of the tracked objects after it."""

from __future__ import annotations

from collections.abc import Collection

from etam_ros.records import FrameResult
from etam_ros.tracking.current_frame import CurrentFrame
from etam_ros.tracking.objects import ObjectTable
from etam_ros.tracking.publishing import Drawing


def publish(
    current: CurrentFrame,
    objects: ObjectTable,
    drawing: Drawing,
    *,
    measured: str,
    forget_after_s: float = 0.0,
    spared: Collection[int] = (),
) -> tuple[ObjectTable, FrameResult]:
    """Make the result of a frame.

    Args:
        current: the frame.
        objects: the tracked objects.
        drawing: their drawn masks.
        measured: the value of `tracker.measured`.
        forget_after_s: objects not seen for longer than this are dropped; 0 drops none.
        spared: ids of objects that are not dropped.

    Returns:
        the objects that are still tracked, with the time and place at which they were last seen,
        and the result, which lists the dropped ones.
    """
    frame = current.frame
    drawn = zip(objects, drawing.masks, drawing.scores, strict=True)
    states = [
        tracked.state(mask, scores, frame.stamp_ns, measured=measured)
        for tracked, mask, scores in drawn
    ]
    limit_ns = forget_after_s * 1e9
    lost = [
        state.object_id
        for state in states
        if 0 < limit_ns < state.time_since_seen_ns and state.object_id not in spared
    ]
    objects = objects.updated(
        tracked.seen_as(state) for tracked, state in zip(objects, states, strict=True)
    )
    return objects.dropping(lost), FrameResult(
        frame_number=current.number,
        stamp_ns=frame.stamp_ns,
        frame_id=frame.frame_id,
        image_hw=frame.hw,
        objects=tuple(state for state in states if state.object_id not in lost),
        label_image=drawing.label_image,
        time_went_back=current.step.went_back,
        time_leapt=current.step.leapt,
        forgotten_ids=tuple(lost),
    )
