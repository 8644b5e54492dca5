"""A network, its optimizer and its averaged weights, and the training step.

Letters: N rows, T frames, S network input size, h = w feature grid.
"""

from __future__ import annotations

import logging
import math
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from etam_ros.errors import TrainingError
from etam_ros.model import EfficientTAM
from etam_ros.training.config import FINE_TUNING_LAYER_DECAY, TrainingConfig
from etam_ros.training.data.batches import ClipBatch
from etam_ros.training.host_cues import HostCues, find_cues
from etam_ros.training.initial_weights import initial_network, resized
from etam_ros.training.losses import row_losses
from etam_ros.training.optimization import (
    AverageWeights,
    clip_gradients,
    learning_rate_factor,
    make_optimizer,
    set_learning_rate,
)
from etam_ros.training.outputs.checkpoints import save_checkpoint
from etam_ros.training.outputs.progress_report import Meter, TrainingReport
from etam_ros.training.processes import Processes
from etam_ros.training.prompt_sampling import PromptPlan, plan_prompts, row_random
from etam_ros.training.rollout import Rollout
from etam_ros.training.rollout_output import RolloutOutput

FADE: Final = 0.05
"""Share of the run over which cross-entropy is replaced by focal loss."""
MAX_BAD_STEPS: Final = 20
AHEAD: Final = 2
"""Batches whose cues are computed in advance, while a GPU trains on another."""
ATTENTION: Final = (SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH)
"""Without cuDNN's, which compiles for every new shape and would dominate a short run."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class PreparedBatch:
    """A batch, and everything that is decided before the network runs.

    Attributes:
        clips: the training data.
        step: the step that uses them.
        rngs: random generators of the rows, after their first prompts.
        plan: how each row is prompted.
        cues: first prompts and classical vision cues.
    """

    clips: ClipBatch
    step: int
    rngs: list[np.random.Generator]
    plan: PromptPlan
    cues: HostCues


class Trainer:
    """A network, its optimizer and its averaged weights, and the training step.

    Args:
        share_over: returns the share of the run that is over, 0 to 1; None uses steps.

    Attributes:
        done: steps done.
        samples, used: number of the first clip of the batches in use, and how often they were
            used.
        notes: messages about the initial weights and the plan of a new run.
    """

    def __init__(
        self,
        config: TrainingConfig,
        processes: Processes,
        share_over: Callable[[], float] | None = None,
    ) -> None:
        self.config, self.processes = config, processes
        self._share_over = share_over
        self.notes: list[str] = []
        network = initial_network(config, self.notes.append)
        self.network: EfficientTAM = network.to(processes.device).train()
        self._at_side = {config.size: self.network}
        self.optimizer = make_optimizer(
            self.network,
            lr=config.lr,
            weight_decay=config.weight_decay,
            layer_decay=config.layer_decay or (FINE_TUNING_LAYER_DECAY if config.init else 1.0),
            kind=config.optimizer,
        )
        self.average = AverageWeights(self.network, config.ema)
        self.meter = Meter(processes.device)
        self.threads = None
        if processes.device.type == "cuda":  # OpenCV lets threads run in parallel
            self.threads = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
        self.dtype = training_dtype(config.precision, processes.device)
        self.done, self.samples, self.used, self._bad_steps = 0, 0, 0, 0
        if share_over is None and config.steps <= config.warmup:
            self.notes.append(
                f"all {config.steps} steps are within the warm-up of {config.warmup}, so the "
                f"learning rate ends at {self.lr * config.steps:.1e} of {config.lr:.1e}: shorten "
                "it with --warmup, or take more steps"
            )

    @property
    def steps(self) -> int:
        """Steps of the whole run; estimated from the rate so far if the run is limited by time."""
        if self._share_over is None:
            return self.config.steps
        return max(self.done + 1, round(self.done / max(self._share_over(), 1e-6)))

    @property
    def lr(self) -> float:
        """Learning rate of the next step."""
        config = self.config
        return config.lr * learning_rate_factor(self.done, steps=self.steps, warmup=config.warmup)

    def _fading(self, share: float) -> float:
        """1 in the first share of the run, then decreasing to 0."""
        if not share:
            return 0.0
        past = self.done / self.steps - share
        return min(1.0, max(0.0, 1.0 - past / FADE))

    def prepared(self, feed: Iterator[ClipBatch]) -> Iterator[PreparedBatch]:
        """The batches of the next steps; for a GPU, they are prepared while it trains."""
        if self.threads is None:
            for batch in feed:
                yield self.prepare(batch, self.done)
            return
        waiting: deque[Future[PreparedBatch]] = deque()
        with ThreadPoolExecutor(1) as other:
            for number, batch in enumerate(feed, self.done):
                waiting.append(other.submit(self.prepare, batch, number))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def prepare(self, batch: ClipBatch, step: int) -> PreparedBatch:
        """Decide the prompts of a step, and compute the classical vision cues of its clips.

        May be called from another thread than the training step: it uses neither the network nor
        PyTorch's random numbers.
        """
        rows, frames = batch.masks.shape[:2]
        first_row = self.processes.rank * rows
        rngs = [row_random(self.config, step, first_row + row) for row in range(rows)]
        plan = plan_prompts(self.config, step, rngs, frames)
        cues = find_cues(
            batch.images.numpy(),
            batch.masks.numpy(),
            plan,
            rngs,
            replace(self.network.config, image_size=batch.images.shape[2]),
            device=self.processes.device,
            threads=self.threads,
        )
        return PreparedBatch(batch, step, rngs, plan, cues)

    def step(self, prepared: PreparedBatch) -> RolloutOutput:
        """Train on one batch.

        Raises:
            TrainingError: gradients were not finite for many steps in a row.
        """
        set_learning_rate(self.optimizer, self.lr)
        batch = prepared.clips
        loss, seen = self.forward(prepared)
        loss.backward()  # type: ignore[no-untyped-call]
        parameters = list(self.network.parameters())
        self.processes.share_gradients(parameters)
        norm = clip_gradients(parameters, self.config.clip)
        if math.isfinite(norm):
            self.optimizer.step()
            self.average.update(self.network)
            self._bad_steps = 0
        else:
            self._note_bad_step()
        self.optimizer.zero_grad()
        clips = len(batch.images) * self.processes.count
        self.meter.add_step(norm, clips)
        self.done += 1
        self.samples, self.used = batch.after or (self.samples + clips, 0)
        return seen

    def forward(self, prepared: PreparedBatch) -> tuple[Tensor, RolloutOutput]:
        """The loss of a batch, a mean over rows and frames, and the decoder outputs."""
        config, device, batch = self.config, self.processes.device, prepared.clips
        rows, frames = batch.masks.shape[:2]
        network = self.at_side(batch.images.shape[2])
        rollout = Rollout(
            network,
            batch.masks,
            prepared.plan,
            prepared.rngs,
            prepared.cues,
            truth_clicks=config.truth_clicks,
            teach_presence=self._fading(config.taught_presence) > 0.0,
            mask_corruption=config.mask_corruption,
        )
        reduced = torch.autocast(device.type, self.dtype, enabled=self.dtype is not torch.float32)
        with reduced, sdpa_kernel(list(ATTENTION)):
            seen = rollout.run(batch.images.to(device, non_blocking=True))
        masks = batch.masks.to(device, non_blocking=True)
        truth, visible = small_truth(masks, network.config.mask_size)
        share = 1.0 / (rows * frames)
        loss = torch.zeros((), device=device)
        for decode in seen.decodes:
            held = truth[decode.rows, decode.frame], visible[decode.rows, decode.frame]
            losses = row_losses(
                decode.mask_logits,
                decode.iou_scores,
                decode.object_score_logits,
                *held,
                bce_share=self._fading(config.bce_share),
            )
            loss = loss + losses.total.sum() * share
            self.meter.add_decode(decode, losses, share, *held)
        return loss, seen

    def at_side(self, side: int) -> EfficientTAM:
        """The network for pictures of another side, with the same parameters."""
        if side not in self._at_side:
            self._at_side[side] = resized(self.network, side)
        return self._at_side[side]

    def _note_bad_step(self) -> None:
        self._bad_steps += 1
        logger.warning("step %d has no finite gradient and is left out", self.done)
        if self._bad_steps >= MAX_BAD_STEPS:
            raise TrainingError(
                f"gradients were not finite for {MAX_BAD_STEPS} steps up to {self.done}: continue "
                "from the last state with a lower --lr, or with --precision fp32"
            )

    def report(self) -> TrainingReport:
        """Means since the previous report; every process must call this."""
        sums = self.processes.average(self.meter.sums)
        report = self.meter.report(self.done, self.lr, sums)
        self.meter.clear()
        return report

    def save(self) -> None:
        """Write a state to resume from."""
        state = {
            "model": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "samples": self.samples,
            "used": self.used,
            "model_name": self.network.config.name,
            "config": asdict(self.config),
        }
        save_checkpoint(Path(self.config.out), self.done, state)

    def resume(self, step: int, state: dict[str, Any]) -> None:
        """Resume from a state.

        Raises:
            TrainingError: it belongs to another model or optimizer.
        """
        name = self.network.config.name
        if state["model_name"] != name:
            raise TrainingError(
                f"{self.config.out} holds a run of {state['model_name']}, this one is of "
                f"{name}: choose another folder with --out"
            )
        self.network.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.done, self.samples = step, int(state["samples"])
        self.used = int(state.get("used", 0))


def small_truth(masks: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Ground truth at the resolution of the decoder's masks, of side `size` = 4h.

    Args:
        masks: (N, T, S, S) bool.

    Returns:
        the covered share of each cell, (N, T, 4h, 4w) float32, and whether any pixel is covered,
        (N, T) bool.
    """
    cell = masks.shape[-1] // size
    values = masks.float()
    covered = functional.avg_pool2d(values, cell) if cell > 1 else values
    return covered, masks.flatten(2).any(dim=2)


def training_dtype(precision: str, device: torch.device) -> torch.dtype:
    """The precision; auto is bf16 on GPUs and CPUs that support it in hardware."""
    if precision == "auto":
        if device.type == "cuda":
            fast = torch.cuda.is_bf16_supported()
        else:
            fast = any(
                getattr(torch.cpu, f"_is_{name}_supported", bool)() for name in
                ("avx512_bf16", "amx_tile")
            )  # fmt: skip
        precision = "bf16" if fast else "fp32"
    return {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]
