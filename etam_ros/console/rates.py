"""How much one viewer may send."""

from __future__ import annotations

import time
from collections.abc import Callable


class Allowance:
    """So many a second, and a few at once.

    Args:
        per_s: how many come back each second.
        at_once: how many there are at most.
        now_s: the time.
    """

    def __init__(
        self, per_s: float, at_once: int, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s, self._most, self._now_s = per_s, float(at_once), now_s
        self._left, self._since_s = self._most, now_s()

    def take(self) -> bool:
        """Whether there was one left."""
        now_s = self._now_s()
        self._left = min(self._most, self._left + (now_s - self._since_s) * self._per_s)
        self._since_s = now_s
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
