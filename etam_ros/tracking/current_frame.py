"""A frame that is worked on, and what is made of it once for all objects.

Letters: D hidden dim, h = w feature grid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from etam_ros.cues.frame_cues import FrameCues
from etam_ros.cues.optical_flow import FlowFrame
from etam_ros.records import Frame
from etam_ros.runtime import EncodedImage


@dataclass(frozen=True, eq=False)
class FrameMark:
    """What is kept of a frame for the next one.

    Attributes:
        number: as in `CurrentFrame`.
        stamp_ns: of the frame.
        flow_frame: where masks are carried from, if they are.
    """

    number: int
    stamp_ns: int
    flow_frame: FlowFrame | None


@dataclass(frozen=True, eq=False)
class CurrentFrame:
    """A frame that was encoded: the newest one, or a past one that was prompted.

    Attributes:
        number: from 1, over all frames that were stepped; the memories of the objects on this
            frame count by it.
        frame: as it came.
        encoded: what the image encoder made of it.
        cues: what classical vision says of it.
        jump_ns: by how much time went back since the frame before, negative; 0 if it did not.
    """

    number: int
    frame: Frame
    encoded: EncodedImage
    cues: FrameCues
    jump_ns: int = 0

    @property
    def feature(self) -> Tensor:
        """(1, D, h, w)."""
        return self.encoded.feature

    @property
    def mark(self) -> FrameMark:
        """What is kept of it for the next frame."""
        return FrameMark(self.number, self.frame.stamp_ns, self.cues.flow_frame)

    def after(self, before: FrameMark | None) -> CurrentFrame:
        """The same frame as what comes after another, or as the first."""
        if before is None:
            return self
        stamp_ns = self.frame.stamp_ns
        return replace(
            self,
            cues=self.cues.carried_from(before.flow_frame),
            jump_ns=min(0, stamp_ns - before.stamp_ns) if stamp_ns else 0,
        )
