"""Prompts and classical vision cues of a batch, computed on the host before the network runs.

They depend on pictures, ground truth and random numbers only, so that those of the next batch can
be computed while a GPU trains on this one: first prompts, proposals from colours, and motion.

Letters: B clips, K objects of each, N = B * K rows (clip by clip), n some of the rows, T frames, S
side of the pictures, G = 4h side of the low-resolution masks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from etam_ros.cues.optical_flow import Motion, flow_frame_of
from etam_ros.cues.proposals import pictured, propose
from etam_ros.model.config import ModelConfig
from etam_ros.runtime.stages import POINT_BOX_MAX, POINT_BOX_MIN
from etam_ros.training.prompt_sampling import (
    BOX,
    CLICK,
    Click,
    PromptPlan,
    first_click,
    jittered_box,
)

BOX_LABELS: Final = (POINT_BOX_MIN, POINT_BOX_MAX)
Map = Callable[[Callable[..., Any], Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True, eq=False)
class HostCues:
    """Prompts and cues of one batch.

    Attributes:
        prompts: clicks and box corners of each row's first prompt; empty for rows that get a mask.
        proposals: (1, G, G) float32 logits by row, for rows with clicks or boxes, if the model
            takes proposals.
        motions: T - 1 motions, from each frame to the next, if the model carries masks.
    """

    prompts: list[list[Click]]
    proposals: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    motions: list[Motion] = field(default_factory=list)

    def proposals_of(self, rows: Sequence[int], device: torch.device) -> Tensor | None:
        """(n, 1, G, G), or None if the model takes no proposals."""
        if not self.proposals:
            return None
        return torch.from_numpy(np.stack([self.proposals[row] for row in rows])).to(device)


def find_cues(
    images: NDArray[np.uint8],
    masks: NDArray[np.bool_],
    plan: PromptPlan,
    rngs: Sequence[np.random.Generator],
    config: ModelConfig,
    *,
    device: torch.device,
    threads: ThreadPoolExecutor | None = None,
) -> HostCues:
    """Draw the first prompts of a batch, and compute the cues that the model takes.

    Args:
        images: (B, T, S, S, 3).
        masks: (N, T, S, S), each visible on its first frame.
        plan: how each row is prompted.
        rngs: random generators of the rows; each draws its row's first prompt.
        config: of the model.
        device: device for the motions.
        threads: process several pictures in parallel; None processes one after the other.
    """
    at_once: Map = map if threads is None else threads.map
    prompts = [
        _first_prompt(kind, mask[0], rng)
        for kind, mask, rng in zip(plan.kinds, masks, rngs, strict=True)
    ]
    proposals: dict[int, NDArray[np.float32]] = {}
    if config.proposes_masks:
        objects, side = len(masks) // len(images), config.mask_size
        scale = side / masks.shape[-1]

        def proposed(row: int) -> NDArray[np.float32]:
            points = [((x * scale, y * scale), label) for x, y, label in prompts[row]]
            return propose(pictured(images[row // objects, 0], side), points)

        rows = [row for row, points in enumerate(prompts) if points]
        proposals = dict(zip(rows, at_once(proposed, rows), strict=True))
    motions = _motions(images, config, device, at_once) if config.carries_masks else []
    return HostCues(prompts, proposals, motions)


def _first_prompt(kind: str, truth: NDArray[np.bool_], rng: np.random.Generator) -> list[Click]:
    """A click, or the corners of a box; empty if a mask is given."""
    if kind == CLICK:
        return [first_click(truth, rng)]
    if kind == BOX:
        corners = jittered_box(truth, rng)
        return [(*corner, label) for corner, label in zip(corners, BOX_LABELS, strict=True)]
    return []


def _motions(
    images: NDArray[np.uint8], config: ModelConfig, device: torch.device, at_once: Map
) -> list[Motion]:
    """Motion of all clips from each frame to the next."""
    side = config.mask_size
    frames = [
        list(at_once(lambda image: flow_frame_of(image, side), frame))
        for frame in images.swapaxes(0, 1)
    ]
    pairs = itertools.pairwise(frames)
    return list(at_once(lambda two: Motion(two[0], two[1], side, device), pairs))
