"""What is made for people, each by a thread of its own, so that it never holds up the results."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from etam_ros.ros.newest_only import NewestOnlyThread
from etam_ros.ros.tracker.frames import ProcessedFrame

Item = TypeVar("Item")


class Display(ABC, Generic[Item]):
    """Shows frames to whoever subscribes, the newest one where they come too fast.

    Args:
        name: of the thread.
        show: called in the thread with what it is to show.
        on_fault: told, in the thread, what failed and by which error that nobody expected.
    """

    def __init__(
        self,
        name: str,
        show: Callable[[Item], None],
        on_fault: Callable[[str, BaseException], None],
    ) -> None:
        self._thread = NewestOnlyThread(name, show, on_fault)

    @abstractmethod
    def offer(self, processed: ProcessedFrame) -> None:
        """Have a frame shown if somebody subscribes; returns at once."""

    def drain(self) -> None:
        """Publish nothing more of what was offered."""
        self._thread.drain()

    def stop(self) -> None:
        """Let the thread end; returns at once."""
        self._thread.stop()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread to end; False when it has not by then."""
        return self._thread.join(timeout_s)


class Displays:
    """All displays that there are now; any thread may call."""

    def __init__(self) -> None:
        self._all: tuple[Display[Any], ...] = ()  # replaced and never changed

    def add(self, display: Display[Any]) -> None:
        """Offer it every frame from now on."""
        self._all = (*self._all, display)

    def end(self, display: Display[Any], *, wait: bool) -> None:
        """Offer it no more frames, and let its thread end.

        Args:
            display: that was added.
            wait: for the end of the thread.
        """
        self._all = tuple(each for each in self._all if each is not display)
        display.stop()
        if wait:
            display.join()

    def offer(self, processed: ProcessedFrame) -> None:
        """Have a frame shown by all of them."""
        for each in self._all:
            each.offer(processed)

    def drain(self) -> None:
        """Publish nothing more of what was offered."""
        for each in self._all:
            each.drain()

    def stop(self) -> None:
        """Let all threads end; returns at once."""
        for each in self._all:
            each.stop()

    def join(self, timeout_s: float) -> bool:
        """Wait for all threads to end; False when one has not by then."""
        until_s = time.monotonic() + timeout_s
        return all(each.join(max(until_s - time.monotonic(), 0.0)) for each in self._all)
