"""The newest frame, and what is made of it once for all objects.

Letters: D hidden dim, h = w feature grid.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from etam_ros.cues.frame_cues import Cues, FrameCues
from etam_ros.records import Frame
from etam_ros.runtime import Stages
from etam_ros.tracking.publishing import Postprocessor


@dataclass(frozen=True, eq=False)
class CurrentFrame:
    """The newest stepped frame.

    Attributes:
        number: from 1, over all frames.
        frame: as it came.
        feature: (1, D, h, w).
        cues: what classical vision says of it.
        jump_ns: by how much time went back since the frame before, negative; 0 if it did not.
    """

    number: int
    frame: Frame
    feature: Tensor
    cues: FrameCues
    jump_ns: int


def encode_frame(
    frame: Frame,
    before: CurrentFrame | None,
    stages: Stages,
    postprocessor: Postprocessor,
    cues: Cues,
) -> CurrentFrame:
    """Encode a frame and extract its cues.

    Args:
        frame: of any size.
        before: the frame before, None at first.
        stages: what encodes it.
        postprocessor: what loads it.
        cues: which ones the model goes by.
    """
    network_input = postprocessor.load(frame.image)  # (1, 3, S, S)
    feature = stages.encode_image(network_input)
    jump_ns = 0
    if before is not None and frame.stamp_ns != 0:
        jump_ns = min(0, frame.stamp_ns - before.frame.stamp_ns)
    return CurrentFrame(
        number=1 if before is None else before.number + 1,
        frame=frame,
        feature=feature,
        cues=cues.extract(frame.image, network_input, before.cues if before else None),
        jump_ns=jump_ns,
    )
