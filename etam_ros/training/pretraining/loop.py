"""SAMI: teach a light image encoder the features of a better one, with most tokens hidden.

    pretrain(PretrainingConfig(teacher="efficienttam_s_512x512", data=("photographs",)))

Source: EfficientSAM (arXiv 2312.00863, section 3). Letters: B pictures of a step, S side of a
picture in pixels, L tokens of the student's grid, D channels of the teacher.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from etam_ros.errors import ConfigError, TrainingError
from etam_ros.model.image_encoder import ImageEncoder
from etam_ros.training.data.batches import pictures_to_tensor, quiet_worker
from etam_ros.training.initial_weights import new_network
from etam_ros.training.optimization import (
    clip_gradients,
    learning_rate_factor,
    make_optimizer,
    set_learning_rate,
)
from etam_ros.training.outputs.checkpoints import load_checkpoint, save_checkpoint
from etam_ros.training.outputs.run_log import RunLog
from etam_ros.training.outputs.weights_file import ENCODER_FILE, write_encoder
from etam_ros.training.pretraining.config import PretrainingConfig
from etam_ros.training.pretraining.feature_teacher import FeatureTeacher, load_teacher
from etam_ros.training.pretraining.log import PLOTTED, PretrainingRow
from etam_ros.training.pretraining.masked_decoder import TokenSplit, draw_split
from etam_ros.training.pretraining.masked_student import MaskedStudent
from etam_ros.training.pretraining.pictures import (
    NumberedPictures,
    PictureSource,
    open_pictures,
)
from etam_ros.training.trainer import training_dtype

_MEASURED_AT_ONCE: Final = 8
_MAY_CHANGE: Final = {
    "data", "device", "log_every", "measure_every", "minutes", "out", "precision", "save_every",
    "workers",
}  # fmt: skip
_MOST_PICTURES: Final = 1 << 32  # number of seeds of a run, so that runs do not share seeds


def pretrain(
    config: PretrainingConfig,
    pictures: PictureSource | None = None,
    *,
    on_step: Callable[[int, float], None] = lambda _step, _error: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Pretraining:
    """Run to the end, or until it is stopped; resume an earlier run where it stopped.

    Writes `log.csv`, `loss.png`, states, and `encoder.safetensors` to `config.out`.

    Args:
        pictures: source of pictures; None opens `config.data`.
        on_step: called after each step with its number from 1 and its error.
        should_stop: called after each step; True stops the run.

    Returns:
        the run in its last state; `step` is the number of steps done.

    Raises:
        EtamError: teacher, student, pictures or folder cannot be used; the message says which.
    """
    began = time.monotonic()
    if pictures is None:
        pictures = open_pictures([Path(path) for path in config.data], config.picture_size)
    run = Pretraining(config, pictures)
    if run.step == 0:
        run.log.add(PretrainingRow(0, **run.measure()))
    for batch in run.batches():
        on_step(run.step + 1, run.learn(batch))
        done = run.step == config.steps
        stop = should_stop() or 0 < config.minutes * 60 < time.monotonic() - began
        _write_line(run, done)
        if done or stop or run.step % config.save_every == 0:
            run.save()
            run.log.plot(PLOTTED)
        if stop:
            break
    if run.step and not (Path(config.out) / ENCODER_FILE).exists():
        run.save_encoder()  # it was removed, or could not be written before
    return run


def _write_line(run: Pretraining, done: bool) -> None:
    """Add a line to the log, if one is due."""
    measured = done or run.step % run.config.measure_every == 0
    if not measured and run.step % run.config.log_every:
        return
    rate = max(group["lr"] for group in run.optimizer.param_groups)
    error = fmean(run.errors)
    run.errors.clear()
    run.log.add(PretrainingRow(run.step, error, rate, **(run.measure() if measured else {})))


class Pretraining:
    """A run: teacher, student and optimizer, at some step.

    Raises:
        ConfigError, WeightsError, BackendError: teacher or student cannot be loaded.
        TrainingError: the folder contains a run with another configuration.
    """

    def __init__(self, config: PretrainingConfig, pictures: PictureSource) -> None:
        from etam_ros.runtime.backends.torch.stages import choose_device

        self.config = config
        self.pictures = pictures
        self.device = choose_device(config.device)
        self.dtype = training_dtype(config.precision, self.device)
        student = config.student_config
        self.tokens = student.grid**2
        self.teacher: FeatureTeacher = load_teacher(
            config.teacher,
            config.teacher_weights,
            image_size=config.teacher_size or None,
            grid=student.grid,
        ).to(self.device)
        encoder = new_network(student, size=student.image_size, seed=config.seed).image_encoder
        if not isinstance(encoder, ImageEncoder):
            raise ConfigError(
                f"student is {student.name}, whose image encoder cannot omit tokens: use one "
                "with a plain ViT, such as etam_nano or efficienttam_ti_512x512"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.student = MaskedStudent(
                encoder, student, config.decoder_depth, self.teacher.channels
            )
        self.student.to(self.device)
        self.optimizer = make_optimizer(
            self.student, lr=config.lr, weight_decay=config.weight_decay
        )
        self.step = 0
        self.errors: list[float] = []  # since the last line of the log
        self._unseen = self._unseen_pictures()
        if not self._resume():
            self._calibrate()
        self.log = RunLog(Path(config.out), PretrainingRow, self.step)

    def learn(self, pictures: Tensor) -> float:
        """Train one step on a batch (B, S, S, 3) uint8; returns its error."""
        config, rows = self.config, len(pictures) * self.config.masks_per_picture
        rate = learning_rate_factor(self.step, steps=config.steps, warmup=config.warmup)
        set_learning_rate(self.optimizer, config.lr * rate)
        pictures = pictures.to(self.device, non_blocking=True)
        generator = torch.Generator().manual_seed(config.seed * _MOST_PICTURES + self.step)
        split = draw_split(rows, self.tokens, config.hidden_share, generator).to(self.device)
        target, guess = self._guess(pictures, split)
        error = (guess - target).square().mean()
        self.optimizer.zero_grad()
        error.backward()  # type: ignore[no-untyped-call]
        clip_gradients(self.student.parameters(), config.clip)
        self.optimizer.step()
        self.step += 1
        value = float(error.detach())
        if value != value:  # noqa: PLR0124 (NaN)
            raise TrainingError(
                f"the error is not a number at step {self.step}: lower lr from {config.lr:g}, "
                "or use precision fp32"
            )
        self.errors.append(value)
        return value

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Errors on the unseen pictures, always with the same hidden tokens.

        Returns:
            `unseen` of all tokens, `unseen_hidden` of the hidden ones, and `unseen_whole` without
            hidden tokens, as the encoder is used later.
        """
        generator = torch.Generator().manual_seed(0)
        sums = dict.fromkeys(("unseen", "unseen_hidden", "unseen_whole"), 0.0)
        for pictures in torch.split(self._unseen, _MEASURED_AT_ONCE):
            split = draw_split(len(pictures), self.tokens, self.config.hidden_share, generator)
            split = split.to(self.device)
            target, guess = self._guess(pictures, split, masks=1)
            error = (guess - target).square().mean(dim=2)  # (B, L)
            with self._autocast():
                image = pictures_to_tensor(pictures, self.config.student_config.image_size)
                whole = self.student.whole(image).float()
            weight = len(pictures) / len(self._unseen)
            sums["unseen"] += weight * float(error.mean())
            sums["unseen_hidden"] += weight * float(error.gather(1, split.hidden).mean())
            sums["unseen_whole"] += weight * float((whole - target).square().mean())
        return sums

    def batches(self) -> Iterator[Tensor]:
        """(B, S, S, 3) uint8 for each remaining step; step i gets the same batch in every run."""
        config = self.config
        first, last = (config.batch * step for step in (self.step, config.steps))
        loader = DataLoader(
            NumberedPictures(self.pictures, config.seed * _MOST_PICTURES, config.picture_size),
            batch_size=config.batch,
            sampler=range(first, last),
            num_workers=config.workers,
            worker_init_fn=quiet_worker,
            pin_memory=self.device.type == "cuda",
        )
        return iter(loader)

    def save(self) -> None:
        """Write the state, and the encoder in its present state."""
        state = {
            "config": asdict(self.config),
            "student": self.student.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "mean": self.teacher.mean,
            "deviation": self.teacher.deviation,
            "errors": self.errors,
        }
        save_checkpoint(Path(self.config.out), self.step, state)
        self.save_encoder()

    def save_encoder(self) -> None:
        """Write `encoder.safetensors`."""
        write_encoder(
            self.student.image_encoder,
            Path(self.config.out),
            model=self.config.student,
            teacher=self.config.teacher,
            step=str(self.step),
        )

    def _resume(self) -> bool:
        found = load_checkpoint(Path(self.config.out))
        if found is None:
            return False
        step, state = found
        _check_same_run(asdict(self.config), state.get("config"))
        try:
            self.student.load_state_dict(state["student"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError) as error:
            raise TrainingError(
                f"the run in {self.config.out} was started when {self.config.student} had other "
                "sizes: choose another folder with --out"
            ) from error
        self.teacher.mean.copy_(state["mean"])
        self.teacher.deviation.copy_(state["deviation"])
        self.step, self.errors = step, list(state["errors"])
        return True

    def _calibrate(self) -> None:
        source = NumberedPictures(
            self.pictures, self.config.seed * _MOST_PICTURES, self.config.picture_size
        )
        pictures = [source[index] for index in range(self.config.unseen)]
        with self._autocast():
            self.teacher.calibrate(torch.stack(pictures).to(self.device))

    def _unseen_pictures(self) -> Tensor:
        size = self.config.picture_size
        found = [self.pictures.unseen(i, size=size) for i in range(self.config.unseen)]
        return torch.stack([torch.from_numpy(picture) for picture in found]).to(self.device)

    def _guess(
        self, pictures: Tensor, split: TokenSplit, masks: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """Targets and predictions, (B * masks, L, D) float32 each."""
        masks = masks or self.config.masks_per_picture
        image = pictures_to_tensor(pictures, self.config.student_config.image_size)
        with self._autocast():
            target = self.teacher(pictures)
            guess = self.student(image.repeat_interleave(masks, dim=0), split)
        return target.repeat_interleave(masks, dim=0), guess.float()

    def _autocast(self) -> torch.autocast:
        enabled = self.dtype is not torch.float32
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=enabled)


def _check_same_run(config: dict[str, Any], saved: object) -> None:
    """Raise TrainingError unless a saved run has the same configuration."""
    if not isinstance(saved, dict) or saved.keys() != config.keys():
        raise TrainingError(
            f"folder {config['out']} holds another kind of run, expected one of `etam "
            "pretrain`: choose another folder with --out"
        )
    for name in config.keys() - _MAY_CHANGE:
        if saved[name] != config[name]:
            raise TrainingError(
                f"{name} is {config[name]!r}, the run in {config['out']} was started with "
                f"{saved[name]!r}: give the same, or choose another folder with --out"
            )
