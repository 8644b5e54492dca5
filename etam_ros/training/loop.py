"""The training loop: from clips to states and averaged weights, and exact resumption."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch

from etam_ros.synthetic.samples import ClipSource
from etam_ros.training.config import TrainingConfig
from etam_ros.training.data.batches import ClipBatch, batches
from etam_ros.training.data.clip_sources import open_clips
from etam_ros.training.outputs.checkpoints import load_checkpoint
from etam_ros.training.outputs.progress_report import PLOTTED, TrainingReport
from etam_ros.training.outputs.run_log import RunLog
from etam_ros.training.outputs.sample_pictures import write_samples
from etam_ros.training.outputs.weights_file import write_weights
from etam_ros.training.processes import joined_processes
from etam_ros.training.rollout_output import RolloutOutput
from etam_ros.training.trainer import Trainer


def train(
    config: TrainingConfig,
    source: ClipSource | None = None,
    *,
    on_report: Callable[[TrainingReport], None] = lambda _: None,
    on_note: Callable[[str], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> Path:
    """Train, or resume the run in `config.out`.

    Args:
        config: settings of the run; a resumed run uses them from there on.
        source: source of clips; None opens `config.data`.
        on_report: called with a report every `config.log_every` steps.
        on_note: called before the first step with messages about anything unusual in the data,
            and about parts of the network for which there are no initial weights.
        stop: called after each step; True stops the run, which can be resumed later.

    Returns:
        the file of the averaged weights.

    Raises:
        TrainingError: the run cannot be started or resumed.
        SourceError: `config.data` cannot be read or contains nothing to train on, or the output
            cannot be written.
        BackendError, ConfigError, WeightsError: as their messages say.
    """
    notes: list[str] = []
    if source is None:
        source = open_clips(config.data, recover=config.recover, on_note=notes.append)
    if config.threads:
        torch.set_num_threads(config.threads)
    clock = _Clock(config)
    with joined_processes(config.device) as processes:
        trainer = Trainer(
            config, processes, clock.share_over if config.schedule == "minutes" else None
        )
        found = load_checkpoint(Path(config.out))
        if found is not None:
            trainer.resume(*found)
        else:
            notes += trainer.notes
        for note in notes if processes.first else ():
            on_note(note)
        folder = _Folder(trainer, on_report) if processes.first else None
        feed = batches(
            source,
            config,
            first_sample=trainer.samples,
            used=trainer.used,
            steps=config.steps - trainer.done,
            rank=processes.rank,
            processes=processes.count,
        )
        trainer.meter.clear()
        for prepared in trainer.prepared(feed):
            seen = trainer.step(prepared)
            last = trainer.done == config.steps
            if trainer.done % config.log_every == 0 or last:
                report = trainer.report()
                if folder is not None:
                    folder.add(report)
            if folder is not None and (trainer.done % config.picture_every == 0 or last):
                folder.draw(prepared.clips, seen)
            if processes.any(clock.is_over() or stop()):
                break
            if folder is not None and clock.is_time_to_save() and not last:
                folder.save()
        return folder.save() if folder is not None else Path(config.out)


class _Clock:
    """Determines when to save and when to stop."""

    def __init__(self, config: TrainingConfig) -> None:
        self._config = config
        self._began = self._saved = time.monotonic()

    def is_over(self) -> bool:
        """Whether the given minutes are over."""
        minutes = self._config.minutes
        return minutes > 0 and time.monotonic() - self._began > 60 * minutes

    def share_over(self) -> float:
        """Share of the given minutes that has passed."""
        return min(1.0, (time.monotonic() - self._began) / (60 * self._config.minutes))

    def is_time_to_save(self) -> bool:
        """Whether the given seconds have passed since this was last true."""
        due = time.monotonic() - self._saved > self._config.save_every_s
        if due:
            self._saved = time.monotonic()
        return due


class _Folder:
    """The output folder, written by the first process."""

    def __init__(self, trainer: Trainer, on_report: Callable[[TrainingReport], None]) -> None:
        self._trainer, self._on_report = trainer, on_report
        self._path = Path(trainer.config.out)
        self._log = RunLog(self._path, TrainingReport, trainer.done)

    def add(self, report: TrainingReport) -> None:
        """Write a line of log.csv, and call the listener."""
        self._log.add(report)
        self._on_report(report)

    def draw(self, batch: ClipBatch, seen: RolloutOutput) -> None:
        """Write sample pictures, and the plot."""
        write_samples(self._path / f"samples_{self._trainer.done:06d}.jpg", batch, seen)
        self._log.plot(PLOTTED)

    def save(self) -> Path:
        """Write a state to resume from, and the averaged weights."""
        trainer = self._trainer
        trainer.save()
        return write_weights(trainer.average.weights, self._path, trainer.network.config)
