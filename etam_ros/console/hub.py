"""Between a desk, which knows trackers, and the viewers, who look at one channel each.

Whoever makes pictures calls from any thread and never waits; everything else happens in the
server's own thread. A viewer has one picture on its way at most, and the newest one next: one who
never reads costs one picture.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from etam_ros.console.pictures import Packet

KEPT_EVENTS: Final = 50


class Audience(Protocol):
    """One viewer, as a channel knows it."""

    @property
    def ready(self) -> bool:
        """Whether it waits for a picture."""

    def wake(self) -> None:
        """Look at what is new."""

    def tell(self, message: dict[str, Any]) -> None:
        """Send some words, in their order."""


class Channel:
    """What can be seen of one tracker, or of a recording.

    Args:
        name: of the tracker.
        post: has something called in the server's thread.

    Attributes:
        packet: the newest picture.
        wanted: somebody waits for a picture; any thread may look.
    """

    def __init__(self, name: str, post: Callable[[Callable[[], None]], None]) -> None:
        self.name = name
        self.packet: Packet | None = None
        self.wanted = False
        self._post = post
        self._audience: set[Audience] = set()
        self._status: dict[str, Any] = {}
        self._events: deque[dict[str, Any]] = deque(maxlen=KEPT_EVENTS)

    def show(self, packet: Packet) -> None:
        """Give viewers a picture; from any thread."""
        self._post(lambda: self._show(packet))

    def say(self, status: dict[str, Any]) -> None:
        """Say how things are, where that is news; from any thread."""
        self._post(lambda: self._say(status))

    def report(self, event: dict[str, Any]) -> None:
        """Tell of something that happened; from any thread."""
        self._post(lambda: self._report(event))

    @property
    def watched(self) -> bool:
        """Whether anybody looks."""
        return bool(self._audience)

    def join(self, viewer: Audience) -> None:
        """Let somebody look, who is told how things are; in the server's thread."""
        self._audience.add(viewer)
        viewer.tell({"kind": "channel", "name": self.name, "events": list(self._events)})
        if self._status:
            viewer.tell({"kind": "status", **self._status})
        viewer.wake()
        self.see_who_waits()

    def part(self, viewer: Audience) -> None:
        """Somebody looks no longer; in the server's thread."""
        self._audience.discard(viewer)
        self.see_who_waits()

    def see_who_waits(self) -> None:
        """Note whether a picture is wanted; in the server's thread."""
        self.wanted = any(viewer.ready for viewer in self._audience)

    def _show(self, packet: Packet) -> None:
        self.packet = packet
        for viewer in self._audience:
            viewer.wake()

    def _say(self, status: dict[str, Any]) -> None:
        if status != self._status:
            self._status = status
            self._tell({"kind": "status", **status})

    def _report(self, event: dict[str, Any]) -> None:
        self._events.append(event)
        self._tell({"kind": "event", **event})

    def _tell(self, message: dict[str, Any]) -> None:
        for viewer in self._audience:
            viewer.tell(message)


class Hub:
    """All channels and viewers. A desk names the channels there are by `offer`."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._channels: dict[str, Channel] = {}
        self.names: tuple[str, ...] = ()
        self._viewers: set[Any] = set()

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """The server's thread runs from now on."""
        self._loop = loop

    def post(self, action: Callable[[], None]) -> None:
        """Have something called in the server's thread; dropped while there is none."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        try:
            loop.call_soon_threadsafe(action)
        except RuntimeError:  # closed meanwhile
            return

    def channel(self, name: str) -> Channel:
        """The channel of a name, made where there is none; from any thread."""
        with self._lock:
            if name not in self._channels:
                self._channels[name] = Channel(name, self.post)
            return self._channels[name]

    def offer(self, names: Iterable[str]) -> None:
        """Say which channels there are, the best first; from any thread."""
        found = tuple(names)
        if found != self.names:
            self.names = found
            self.post(self._tell_names)

    def enter(self, viewer: Any) -> None:
        """Somebody has come; in the server's thread."""
        self._viewers.add(viewer)
        viewer.choose()

    def go(self, viewer: Any) -> None:
        """Somebody has gone; in the server's thread."""
        self._viewers.discard(viewer)

    @property
    def count(self) -> int:
        """How many look on."""
        return len(self._viewers)

    def _tell_names(self) -> None:
        for viewer in self._viewers:
            viewer.choose()
