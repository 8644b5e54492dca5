"""Work that must not hold up whoever asks for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class NewestOnlyThread(Generic[Item]):
    """One thread that works on the newest item it was offered.

    Args:
        name: of the thread.
        work: called in the thread with one item after the other. What it raises costs that item.
        on_fault: told of it and of the thread's name, in the thread.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[Item], None],
        on_fault: Callable[[str, BaseException], None],
    ) -> None:
        self._work = work
        self._on_fault = on_fault
        self._changed = threading.Condition()  # guards all that follows
        self._slot: Item | None = None
        self._busy = False
        self._ended = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def offer(self, item: Item) -> None:
        """Work on this next, instead of an item that still waits; returns at once."""
        with self._changed:
            if not self._ended:
                self._slot = item
                self._changed.notify_all()

    def drain(self) -> None:
        """Forget the item that waits, and wait until the one before it is done."""
        with self._changed:
            self._slot = None
            self._changed.wait_for(lambda: not self._busy)

    def stop(self) -> None:
        """Let the thread end after the item that it works on; returns at once."""
        with self._changed:
            self._slot, self._ended = None, True
            self._changed.notify_all()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread to end; False when it has not by then."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while (item := self._next()) is not None:
                try:
                    self._work(item)
                except Exception as error:  # noqa: PERF203
                    self._on_fault(self._thread.name, error)
        finally:
            with self._changed:
                self._slot, self._busy, self._ended = None, False, True
                self._changed.notify_all()

    def _next(self) -> Item | None:
        """The newest item, once there is one; None at the end."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._ended or self._slot is not None)
            item, self._slot = self._slot, None
            self._busy = item is not None
            return item
