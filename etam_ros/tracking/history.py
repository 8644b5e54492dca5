"""Recently received frames, for prompts that arrive late."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from etam_ros.config import HistoryConfig
from etam_ros.errors import PromptError
from etam_ros.records import Frame
from etam_ros.stream_time import NS_PER_S, OTHER_CLOCK_NS, StreamTime

MIB: Final = 2**20


@dataclass(frozen=True, eq=False)
class HistoryEntry:
    """One frame that was received.

    Attributes:
        stamp_ns: its stamp, never 0.
        size_bytes: memory that it uses while it is kept.
        read: decodes the picture; raises ImageError if it cannot be read.
    """

    stamp_ns: int
    size_bytes: int
    read: Callable[[], Frame]


class History:
    """Keeps recent frames, within limits of time and memory, and decodes one only when needed.

    The receiver of the frames adds all of them, including those that the tracker never
    processes; processed frames are matched to them by their stamps. If nobody adds frames,
    `Tracker.step` adds its own, without copying them. Any thread may call.

    A frame that arrives late is put in its place by stamp, and one that repeats a stamp replaces
    the earlier one. When stamps go back, as in a looping bag, the first such frame replaces all
    frames that are not older than itself. Frames without stamps are not kept.

    Args:
        config: how much is kept; may be replaced at any time, and applies from the next frame on.

    Example:
        history = History(HistoryConfig(seconds=1.0))
        tracker = Tracker(stages, history=history)
        history.add(stamp_ns, len(jpeg), lambda: Frame(decode(jpeg), stamp_ns))
    """

    def __init__(self, config: HistoryConfig | None = None) -> None:
        self.config = config or HistoryConfig()
        self._lock = threading.Lock()
        self._entries: deque[HistoryEntry] = deque()  # the oldest first
        self._size_bytes = 0
        self._time = StreamTime()
        self._is_fed = False
        self._held: HistoryEntry | None = None

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size_bytes(self) -> int:
        """Memory used by the kept frames, in bytes."""
        return self._size_bytes

    def add(self, stamp_ns: int, size_bytes: int, read: Callable[[], Frame]) -> None:
        """Keep a frame that was received.

        Args:
            stamp_ns: its stamp; 0: it has none, and is not kept.
            size_bytes: memory that `read` refers to; a frame larger than the limit is not kept.
            read: decodes the image, in the tracker's thread; raises ImageError if it cannot.
        """
        self._is_fed = True
        self._keep(HistoryEntry(stamp_ns, size_bytes, read))

    def add_stepped(self, frame: Frame) -> None:
        """Keep a frame that was processed, unless frames are added as they are received."""
        if not self._is_fed:
            self._keep(HistoryEntry(frame.stamp_ns, frame.image.nbytes, lambda: frame))

    @contextmanager
    def holding(self, frame: Frame) -> Iterator[None]:
        """Keep a frame unconditionally, and those after it for longer, within the same memory.

        Args:
            frame: a frame with a stamp that will be prompted later.
        """
        self._held = HistoryEntry(frame.stamp_ns, frame.image.nbytes, lambda: frame)
        try:
            yield
        finally:
            self._held = None

    def clear(self) -> None:
        """Forget all frames, for instance when the camera changes."""
        with self._lock:
            self._entries.clear()
            self._size_bytes = 0
            self._time = StreamTime()

    def holds(self, stamp_ns: int) -> bool:
        """Whether the frame of exactly this stamp is kept."""
        return any(entry.stamp_ns == stamp_ns for entry in self._kept())

    def between(self, after_ns: int, before_ns: int) -> list[HistoryEntry]:
        """The frames after one stamp and before another, the oldest first."""
        return [entry for entry in self._kept() if after_ns < entry.stamp_ns < before_ns]

    def find(self, stamp_ns: int, newest_ns: int) -> HistoryEntry | None:
        """The frame that a prompt applies to: that of its stamp, or the nearest within tolerance.

        Args:
            stamp_ns: of the prompt.
            newest_ns: of the newest processed frame, which need not be kept.

        Returns:
            the frame; None for the newest processed one.

        Raises:
            PromptError: there is no such frame; the message gives both times.
        """
        kept = {entry.stamp_ns: entry for entry in self._kept()}
        nearest = min([newest_ns, *kept], key=lambda each: abs(each - stamp_ns))
        if abs(nearest - stamp_ns) > self.config.stamp_tolerance_ms * 1e6:
            raise PromptError(self._refusal(stamp_ns, [*kept, newest_ns], nearest))
        return None if nearest == newest_ns else kept[nearest]

    def _kept(self) -> list[HistoryEntry]:
        with self._lock:
            kept = {entry.stamp_ns: entry for entry in self._entries}
        if (held := self._held) is not None:
            kept.setdefault(held.stamp_ns, held)
        return sorted(kept.values(), key=lambda entry: entry.stamp_ns)

    def _keep(self, entry: HistoryEntry) -> None:
        if entry.stamp_ns == 0:
            return
        entries, config = self._entries, self.config
        later: list[HistoryEntry] = []
        with self._lock:
            self._time, step = self._time.after(entry.stamp_ns)
            while entries and entries[-1].stamp_ns >= entry.stamp_ns:
                last = entries.pop()
                if last.stamp_ns == entry.stamp_ns or step.went_back:
                    self._size_bytes -= last.size_bytes
                else:
                    later.append(last)
            entries.append(entry)
            entries.extend(reversed(later))
            self._size_bytes += entry.size_bytes
            oldest_ns = entries[-1].stamp_ns - int(config.seconds * NS_PER_S)
            if (held := self._held) is not None:
                oldest_ns = min(oldest_ns, held.stamp_ns)
            while entries and (
                entries[0].stamp_ns < oldest_ns or self._size_bytes > config.max_mib * MIB
            ):
                self._size_bytes -= entries.popleft().size_bytes

    def _refusal(self, stamp_ns: int, known: list[int], nearest: int) -> str:
        """The error for a prompt without a frame.

        Frames may have arrived since the newest one was processed; the last of `known` is the
        most recent.
        """
        asked, newest = f"prompt is for the frame of {in_s(stamp_ns)}", in_s(max(known))
        if abs(nearest - stamp_ns) > OTHER_CLOCK_NS:
            return (
                f"{asked}, but the newest frame is of {newest}, expected both from one clock: use "
                "the stamp of the frame, check use_sim_time, or leave the stamp zero"
            )
        if stamp_ns > max(known):
            return (
                f"{asked}, which is after the newest frame, of {newest}: use the stamp of the "
                "frame, or leave the stamp zero"
            )
        if stamp_ns < min(known):
            return (
                f"{asked}, but the history goes back to {in_s(min(known))}, and the newest frame "
                f"is of {newest}: prompt a newer frame, or raise history.seconds and "
                "history.max_mib"
            )
        return (
            f"{asked}, but the nearest one is of {in_s(nearest)}, expected one within "
            f"history.stamp_tolerance_ms = {self.config.stamp_tolerance_ms:g}: use the stamp of a "
            "frame"
        )


def in_s(stamp_ns: int) -> str:
    """A stamp in seconds, for messages."""
    return f"{stamp_ns / NS_PER_S:.6f} s"


def nothing_stepped() -> PromptError:
    """The error for a prompt before the first frame."""
    return PromptError("no frame was stepped yet: wait for the first frame, then prompt")


def other_frame(stamp_ns: int, newest_ns: int) -> PromptError:
    """The error for a prompt whose stamp is not the newest frame's, if there is no history.

    Args:
        stamp_ns: of the prompt.
        newest_ns: of the newest frame; 0 if frames have no stamps.
    """
    newest = f"the newest frame is of {in_s(newest_ns)}" if newest_ns else "frames have no stamps"
    return PromptError(
        f"prompt is for the frame of {in_s(stamp_ns)}, but {newest}: prompt the newest frame, or "
        "leave the stamp zero"
    )
