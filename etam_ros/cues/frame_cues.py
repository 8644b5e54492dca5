"""The tracker's interface to classical vision: `Cues` for a model, `FrameCues` for each frame.

It is the same for models that use no cues: nothing is then carried or proposed, and masks stay
unchanged.

Letters: N objects, H, W height and width of the picture in pixels, S network input size, G = 4h
side of the low-resolution masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from numpy import uint8
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from etam_ros.cues.grabcut import Click
from etam_ros.cues.guided_filter import follow_edges
from etam_ros.cues.likeness import looks_of
from etam_ros.cues.optical_flow import FlowFrame, Motion, flow_frame_of
from etam_ros.cues.proposals import pictured, propose
from etam_ros.device_memory import upload
from etam_ros.transforms import pixels_of, reduced


@dataclass(frozen=True, kw_only=True)
class Cues:
    """Which cues a model uses.

    Attributes:
        image_size: S.
        mask_size: G.
        device: of the masks.
        carries_masks: its decoder gets each object's mask of the previous frame.
        proposes_masks: its decoder gets a mask that colours suggest for a first click or box.
        follows_edges: its masks are drawn along the edges of the picture.
        checks_colours: its masks are compared with the colours of the prompted frames; requires
            `carries_masks`.
    """

    image_size: int
    mask_size: int
    device: torch.device
    carries_masks: bool
    proposes_masks: bool
    follows_edges: bool
    checks_colours: bool = False

    def extract(self, image: NDArray[uint8], network_input: Tensor) -> FrameCues:
        """The cues of a frame without a previous one; see `FrameCues.carried_from`.

        Args:
            image: (H, W, 3) uint8 RGB.
            network_input: (1, 3, S, S) float32 of the same picture; may be overwritten later.
        """
        flow_frame = None
        if self.carries_masks:
            on_host = network_input.device.type == "cpu"  # elsewhere the host would wait for it
            small = pixels_of(network_input) if on_host else reduced(image, self.image_size)
            flow_frame = flow_frame_of(small, self.mask_size)
        return FrameCues(
            self,
            image,
            network_input.clone() if self.follows_edges else None,
            None,
            flow_frame,
        )


@dataclass(frozen=True, eq=False)
class FrameCues:
    """The cues of one frame.

    Attributes:
        cues: which of them the model uses.
        image: (H, W, 3) uint8 RGB.
        edges: (1, 3, S, S) picture whose edges masks follow; None if the model does not do this.
        flow_frame_before: input of the optical flow from the frame that masks are carried from;
            None on the first frame, or if the model carries no masks.
        flow_frame: input of the optical flow from this frame.
    """

    cues: Cues
    image: NDArray[uint8]
    edges: Tensor | None
    flow_frame_before: FlowFrame | None
    flow_frame: FlowFrame | None

    def carried_from(self, flow_frame: FlowFrame | None) -> FrameCues:
        """A copy that carries masks from another frame, given by its `flow_frame`."""
        return replace(self, flow_frame_before=flow_frame)

    def move(self, mask_logits: Tensor) -> Tensor | None:
        """Move masks of the previous frame onto this one.

        Args:
            mask_logits: (N, 1, G, G) of the previous frame.

        Returns:
            (N, 1, G, G) float32; None if the model carries no masks.
        """
        return None if self.motion is None else self.motion.move(mask_logits)

    def settle(self, moved: Tensor | None) -> Tensor | None:
        """Align outlines of moved masks with the colours of this frame; None stays None."""
        return None if moved is None or self.motion is None else self.motion.settle(moved)

    def hold(self, moved: Tensor | None, decoded: Tensor) -> Tensor:
        """Keep moved masks in place of the decoded ones where only the picture has moved.

        Args:
            moved: (N, 1, G, G) from `move`, or None.
            decoded: (N, 1, G, G) of this frame.

        Returns:
            (N, 1, G, G); `decoded` if there are no moved masks.
        """
        if moved is None or self.motion is None:
            return decoded
        return self.motion.hold(moved, decoded)

    @cached_property
    def motion(self) -> Motion | None:
        """Motion of the picture since the previous frame; None if no masks are carried."""
        if self.flow_frame_before is None or self.flow_frame is None:
            return None
        return Motion(
            [self.flow_frame_before], [self.flow_frame], self.cues.mask_size, self.cues.device
        )

    @cached_property
    def colours(self) -> Tensor | None:
        """(1, G * G) int64 colours with which masks are compared; None if the model does not."""
        if not self.cues.checks_colours or self.flow_frame is None:
            return None
        return upload(torch.from_numpy(self.flow_frame.colours)[None], self.cues.device)

    def looks_of(self, mask_logits: Tensor) -> Tensor | None:
        """Colours to remember of a prompted object, if any: (1, 1, G, G) -> (K,) or None."""
        return None if self.colours is None else looks_of(mask_logits, self.colours)[0]

    def propose(self, clicks: Sequence[Click], *, coarseness: int = 1) -> Tensor | None:
        """Propose the mask of an object that is prompted for the first time.

        Args:
            clicks: clicks and box corners: (x, y) in the pixels of a picture of G x G, and label.
            coarseness: factor by which the picture is reduced first, which is faster.

        Returns:
            (1, 1, G, G) float32 logits; None if the model takes no proposals.
        """
        if not self.cues.proposes_masks:
            return None
        side = self.cues.mask_size
        smaller = [((x / coarseness, y / coarseness), label) for (x, y), label in clicks]
        logits = torch.from_numpy(propose(pictured(self.image, side // coarseness), smaller))[None]
        if coarseness > 1:
            logits = functional.interpolate(logits, (side, side), mode="bilinear")
        return logits.to(self.cues.device)

    def follow_edges(self, mask_logits: Sequence[Tensor], threshold: float) -> Sequence[Tensor]:
        """Draw masks at a higher resolution, along the edges of the picture.

        Args:
            mask_logits: N tensors (1, 1, G, G).
            threshold: logit of the outline.

        Returns:
            N tensors (1, 1, S, S), or the given ones if the model does not follow edges.
        """
        if self.edges is None or not mask_logits:
            return mask_logits
        return torch.split(follow_edges(torch.cat(list(mask_logits)), self.edges, threshold), 1)
