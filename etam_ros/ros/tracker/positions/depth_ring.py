"""The depth messages of the last moments, among which that of an image is looked up."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

from sensor_msgs.msg import Image

from etam_ros.ros.messages import stamp_ns
from etam_ros.stream_time import StreamTime

MOST_MESSAGES: Final = 64
"""Two seconds at 30 Hz."""


class DepthRing:
    """Keeps depth messages as they came, bounded in number and bytes; any thread may call it.

    Attributes:
        max_bytes: that the messages take at most; at least one message is kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()  # guards all that follows
        self._kept: deque[tuple[int, Image]] = deque()
        self._bytes = 0
        self._time = StreamTime()

    def add(self, message: Image) -> None:
        """Keep a message; where time went back, it alone."""
        arrived_ns = stamp_ns(message.header.stamp)
        with self._lock:
            self._time, step = self._time.after(arrived_ns)
            if step.went_back:
                self._clear()
            self._kept.append((arrived_ns, message))
            self._bytes += len(message.data)
            while len(self._kept) > 1 and (
                self._bytes > self.max_bytes or len(self._kept) > MOST_MESSAGES
            ):
                _, oldest = self._kept.popleft()
                self._bytes -= len(oldest.data)

    def nearest(self, wanted_ns: int) -> tuple[int, Image] | None:
        """The message whose stamp is nearest, and by how many nanoseconds its stamp is later.

        Args:
            wanted_ns: stamp of an image.
        """
        with self._lock:
            if not self._kept:
                return None
            own_ns, message = min(self._kept, key=lambda each: abs(each[0] - wanted_ns))
            return own_ns - wanted_ns, message

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._clear()
            self._time = StreamTime()

    def _clear(self) -> None:
        self._kept.clear()
        self._bytes = 0
