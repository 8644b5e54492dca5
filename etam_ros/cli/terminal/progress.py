"""Progress of long work on a terminal; silent where nobody looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
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
    console = Console(stderr=True)
    columns = [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _FramesPerSecond(),
        TimeRemainingColumn(),
    ]
    quiet = not console.is_terminal
    with Progress(*columns, console=console, disable=quiet, transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


@contextmanager
def step_progress(
    what: str, steps: int, *, lines: bool = False
) -> Iterator[Callable[[int, str], None]]:
    """A bar of a run in steps, with numbers beside it, on stderr if that is a terminal.

    Args:
        what: is being done.
        steps: of the whole run.
        lines: where it is no terminal, a line for each report instead of nothing.

    Yields:
        to be called with the step that is reached and its numbers in words.
    """
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    columns = [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[numbers]}", markup=False),
        TimeRemainingColumn(),
    ]
    quiet = not console.is_terminal
    with Progress(*columns, console=console, disable=quiet, transient=True) as progress:
        task = progress.add_task(what, total=steps, numbers="")

        def reached(step: int, numbers: str) -> None:
            progress.update(task, completed=step, numbers=numbers)
            if quiet and lines:
                console.print(f"step {step} of {steps}: {numbers}")

        yield reached


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
