"""A frame that is being processed, and its results that all objects share.

Letters: D hidden dim, h = w feature grid.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torch import Tensor

from etam_ros.cues.frame_cues import FrameCues
from etam_ros.cues.optical_flow import FlowFrame
from etam_ros.records import Frame
from etam_ros.runtime import EncodedImage
from etam_ros.stream_time import StreamTime, TimeStep


@dataclass(frozen=True, eq=False)
class FrameMark:
    """What is kept of a frame for the next one.

    Attributes:
        number: as in `CurrentFrame`.
        stamp_ns: of the frame.
        flow_frame: input of the optical flow that carries masks on from this frame; None for
            models without it.
        time: the time base up to this frame.
    """

    number: int
    stamp_ns: int
    flow_frame: FlowFrame | None
    time: StreamTime


@dataclass(frozen=True, eq=False)
class CurrentFrame:
    """A frame that was encoded: the newest one, or a past one that was prompted.

    Attributes:
        number: counts all processed frames, from 1; the objects' memories refer to it.
        frame: the frame as it was received.
        encoded: output of the image encoder.
        cues: its classical vision cues.
        time: the time base up to this frame; empty for a first frame.
        step: the step of time since the previous frame.
    """

    number: int
    frame: Frame
    encoded: EncodedImage
    cues: FrameCues
    time: StreamTime = field(default_factory=StreamTime)
    step: TimeStep = field(default_factory=TimeStep)

    @property
    def feature(self) -> Tensor:
        """(1, D, h, w)."""
        return self.encoded.feature

    @property
    def mark(self) -> FrameMark:
        """The part that the next frame needs."""
        stamp_ns = self.frame.stamp_ns
        time = self.time if self.time.stamps_ns else self.time.after(stamp_ns)[0]
        return FrameMark(self.number, stamp_ns, self.cues.flow_frame, time)

    def after(self, before: FrameMark | None) -> CurrentFrame:
        """The same frame, placed after another one, or as the first."""
        if before is None:
            return self
        time, step = before.time.after(self.frame.stamp_ns)
        cues = self.cues.carried_from(before.flow_frame)
        return replace(self, cues=cues, time=time, step=step)
