"""Progress of a training run: means over the last steps."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from etam_ros.training.losses import RowLosses, mask_iou
from etam_ros.training.rollout_output import DecoderOutput


@dataclass(frozen=True)
class TrainingReport:
    """Means over the steps since the previous report.

    Attributes:
        step: steps done.
        loss, pixel, dice, iou_error, presence: the loss and its parts.
        iou_prompted: IoU of the first masks for clicks and boxes, on the first frame.
        iou_tracked: IoU of the masks on later frames on which the object is visible.
        presence_right: share of decoder outputs that are right about the object's presence.
        lr: learning rate.
        gradient_norm: before clipping.
        clips_per_s: over all processes.
    """

    step: int
    loss: float
    pixel: float
    dice: float
    iou_error: float
    presence: float
    iou_prompted: float
    iou_tracked: float
    presence_right: float
    lr: float
    gradient_norm: float
    clips_per_s: float


PARTS: Final = ("loss", "pixel", "dice", "iou_error", "presence")
PLOTTED: Final = {
    "loss": {name: name.replace("_", " ") for name in PARTS},
    "share": {
        "iou_prompted": "IoU prompted",
        "iou_tracked": "IoU tracked",
        "presence_right": "presence right",
    },
}
"""The curves of `loss.png`."""


def print_note(note: str) -> None:
    """Print a note to stderr, for runs without the `etam` command."""
    print(f"note: {note}", file=sys.stderr, flush=True)


class Meter:
    """Sums over steps, kept on the device so that no step waits for a copy to the host."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.clear()

    def clear(self) -> None:
        """Set all sums to zero."""
        self._sums = torch.zeros(12, device=self._device, dtype=torch.float64)
        self._gradient_norm, self._steps, self._clips = 0.0, 0, 0
        self._began = time.monotonic()

    @torch.no_grad()
    def add_decode(
        self,
        decode: DecoderOutput,
        losses: RowLosses,
        share: float,
        truth: Tensor,
        visible: Tensor,
    ) -> None:
        """Add one output of the decoder; `share` is a row's weight in the loss of its step."""
        best = decode.iou_scores.argmax(dim=1, keepdim=True)[..., None, None]
        mask = torch.take_along_dim(decode.mask_logits, best, dim=1)[:, 0] > 0
        iou = mask_iou(mask, truth >= 0.5) * visible
        right = (decode.object_score_logits > 0) == visible
        slot = 7 if decode.kind == "tracked" else 5
        update = torch.zeros_like(self._sums)
        values = (losses.total, losses.pixel, losses.dice, losses.iou, losses.presence)
        for index, value in enumerate(values):
            update[index] = value.sum() * share
        if decode.kind != "correction":
            update[slot], update[slot + 1] = iou.sum(), visible.sum()
        update[9], update[10] = right.sum(), len(right)
        self._sums += update

    def add_step(self, gradient_norm: float, clips: int) -> None:
        """Count a step, and the clips that all processes used for it."""
        self._steps += 1
        self._clips += clips
        self._gradient_norm += gradient_norm

    def report(self, step: int, lr: float, sums: Tensor) -> TrainingReport:
        """The means, given the sums over all processes."""
        values = sums.tolist()
        steps = max(1, self._steps)
        seconds = max(1e-9, time.monotonic() - self._began)
        return TrainingReport(
            step,
            **{name: value / steps for name, value in zip(PARTS, values[:5], strict=True)},
            iou_prompted=_ratio(values[5], values[6]),
            iou_tracked=_ratio(values[7], values[8]),
            presence_right=_ratio(values[9], values[10]),
            lr=lr,
            gradient_norm=self._gradient_norm / steps,
            clips_per_s=self._clips / seconds,
        )

    @property
    def sums(self) -> Tensor:
        """The sums, to be averaged over processes."""
        return self._sums.clone()


def _ratio(value: float, count: float) -> float:
    return value / count if count else float("nan")
