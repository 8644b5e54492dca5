"""Progress of long work on a terminal; silent where nobody looks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _FramesPerSecond(ProgressColumn):
    """Frames per second over the last while."""

    def render(self, task: Task) -> Text:
        """Text of the column."""
        return Text(f"{task.speed:.1f} frames/s" if task.speed else "")


@contextmanager
def frame_progress(what: str, total: int | None) -> Iterator[Callable[[], None]]:
    """A bar on stderr, if that is a terminal.

    Args:
        what: is being done.
        total: frames in all, or None where nobody knows.

    Yields:
        to be called after each frame.
    """
    with _bar(what, total, _FramesPerSecond()) as (progress, task):
        yield lambda: progress.advance(task)


@contextmanager
def step_progress(
    what: str, steps: int, *, lines: int = 0
) -> Iterator[Callable[[int, str], None]]:
    """A bar of a run in steps, with numbers beside it, on stderr if that is a terminal.

    Args:
        what: is being done.
        steps: of the whole run.
        lines: where it is no terminal, a line at once and for each so many steps instead of
            nothing; 0 says nothing.

    Yields:
        to be called with the step that is reached and its numbers in words.
    """
    column = TextColumn("{task.fields[numbers]}", markup=False)
    with _bar(what, steps, column, numbers="") as (progress, task):
        begun, first = time.monotonic(), 0
        if progress.disable and lines:
            progress.console.print(f"{what}: {steps} steps, getting ready")

        def reached(step: int, numbers: str) -> None:
            nonlocal begun, first
            progress.update(task, completed=step, numbers=numbers)
            left = _left(steps - step, step - first, time.monotonic() - begun)
            if not first:  # the first steps take longer, and a run may go on where it was
                begun, first = time.monotonic(), step
            if progress.disable and lines and (step % lines == 0 or step == steps):
                progress.console.print(f"step {step} of {steps}: {numbers}{left}")

        yield reached


def _left(steps: int, done: int, seconds: float) -> str:
    """Rate and the time that is left, in words; empty where nobody knows yet."""
    if done <= 0 or seconds <= 0:
        return ""
    rate = done / seconds
    left = timedelta(seconds=round(steps / rate))
    return f"  {rate:.3g} steps/s, {left} left"


@contextmanager
def count_progress(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar of things whose number may not be known, on stderr if that is a terminal.

    Args:
        what: is being done.

    Yields:
        to be called with how many there are by now, and in all, or None.
    """
    with _bar(what, None) as (progress, task):
        yield lambda count, total: progress.update(task, completed=count, total=total)


@contextmanager
def _bar(
    what: str, total: int | None, *columns: ProgressColumn, **fields: Any
) -> Iterator[tuple[Progress, TaskID]]:
    """One task with a bar, its number, more columns and the time that is left."""
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        *columns,
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    ) as progress:
        yield progress, progress.add_task(what, total=total, **fields)


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """What is being done, on stderr: with a spinner on a terminal, else a line each.

    Args:
        what: in all.

    Yields:
        to be called with each part of it.
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    if not console.is_terminal:
        yield lambda step: console.print(f"{what}: {step}", markup=False)
        return
    with console.status(escape(what)) as status:
        yield lambda step: status.update(escape(f"{what}: {step}"))
