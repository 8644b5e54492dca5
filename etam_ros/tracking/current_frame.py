"""The newest frame, and what is made of it once for all objects.

Letters: D hidden dim, h = w feature grid, S network input size.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from etam_ros.cues.optical_flow import FlowFrame, Motion, flow_frame_of
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
        image: (1, 3, S, S) as the network saw it, of a model that follows edges.
        flow_frame: what carries masks onto the next frame, of a model that carries them.
        motion: from the frame before, of such a model, while objects are followed.
        jump_ns: by how much time went back since the frame before, negative; 0 if it did not.
    """

    number: int
    frame: Frame
    feature: Tensor
    image: Tensor | None = None
    flow_frame: FlowFrame | None = None
    motion: Motion | None = None
    jump_ns: int = 0


def encode_frame(
    frame: Frame,
    last: CurrentFrame | None,
    stages: Stages,
    postprocessor: Postprocessor,
    *,
    followed: bool,
) -> CurrentFrame:
    """Encode a frame and see how it has moved.

    Args:
        frame: of any size.
        last: the frame before, None at first.
        stages: what encodes it.
        postprocessor: what loads it.
        followed: there are objects, for which motion matters.
    """
    sizes, flow_frame, motion, jump_ns = stages.sizes, None, None, 0
    image = postprocessor.load(frame.image)  # (1, 3, S, S)
    feature = stages.encode_image(image)
    if stages.traits.carries_masks:
        flow_frame = flow_frame_of(frame.image, sizes.image_size, sizes.mask_size)
    if last is not None and frame.stamp_ns != 0:
        jump_ns = min(0, frame.stamp_ns - last.frame.stamp_ns)
    if followed and flow_frame is not None and last is not None and last.flow_frame is not None:
        motion = Motion([last.flow_frame], [flow_frame], sizes.mask_size, stages.device)
    return CurrentFrame(
        number=1 if last is None else last.number + 1,
        frame=frame,
        feature=feature,
        image=image.clone() if stages.traits.follows_edges else None,
        flow_frame=flow_frame,
        motion=motion,
        jump_ns=jump_ns,
    )
