"""One browser that looks on: what it is sent, and what it asks for."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from typing import Any, Final

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from etam_ros.console.commands import Note, parse
from etam_ros.console.desk import Answer, Desk
from etam_ros.console.hub import Channel, Hub
from etam_ros.console.rates import Allowance
from etam_ros.errors import PromptError

MOST_WAITING: Final = 200
"""Words for one viewer; the oldest go first."""
MESSAGES_PER_S: Final = 150
COMMANDS_PER_S: Final = 10
MOST_IN_VAIN: Final = 100
"""After so many messages beyond what is allowed, a viewer is shown out."""
NS_PER_MS: Final = 1e6
SAY_LATE_EVERY_S: Final = 0.5
"""A number that changes with every picture cannot be read."""
BELIEVED_MS: Final = 10_000.0
"""A stamp further off than this is of another clock."""
TOO_FAST: Final = "that was too much at once, and was left out: wait a moment"
SHOWN_OUT, BAD_DATA = 1008, 1003


class Viewer:
    """A live connection; all of it runs in the server's thread.

    Args:
        socket: accepted.
        hub: has the channels.
        desk: does what is asked.
    """

    def __init__(self, socket: WebSocket, hub: Hub, desk: Desk) -> None:
        self._socket, self._hub, self._desk = socket, hub, desk
        self._channel: Channel | None = None
        self._wanted = ""
        self._news = asyncio.Event()
        self._texts: deque[str] = deque(maxlen=MOST_WAITING)
        self._sent = self._seen = 0
        self._sent_ns = self._stamp_ns = 0
        self._round_trip_ms = 0.0
        self._say_late_s = 0.0
        self._messages = Allowance(MESSAGES_PER_S, 2 * MESSAGES_PER_S)
        self._commands = Allowance(COMMANDS_PER_S, 3 * COMMANDS_PER_S)
        self._in_vain = 0

    @property
    def ready(self) -> bool:
        """Whether the last picture was seen, and the next one is waited for."""
        return self._seen == self._sent

    def wake(self) -> None:
        """Look at what is new."""
        self._news.set()

    def tell(self, message: dict[str, Any]) -> None:
        """Send some words."""
        self._texts.append(json.dumps(message, separators=(",", ":")))
        self._news.set()

    def choose(self) -> None:
        """Look at the channel that is wanted, else at the first there is."""
        names = self._hub.names
        self.tell({"kind": "channels", "names": list(names)})
        name = self._wanted or (self._channel.name if self._channel else "")
        if not name and names:
            name = names[0]
        if name and (self._channel is None or self._channel.name != name):
            self._look_at(name)

    async def serve(self) -> None:
        """Until either side ends it."""
        self._hub.enter(self)
        writing = asyncio.ensure_future(self._write())
        try:
            await self._read()
        except (WebSocketDisconnect, RuntimeError):  # RuntimeError: sent after the end
            pass
        finally:
            writing.cancel()
            self._hub.go(self)
            self._leave()

    async def _write(self) -> None:
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                while self._texts:
                    await self._socket.send_text(self._texts.popleft())
                await self._send_picture()
        except (WebSocketDisconnect, RuntimeError, OSError):
            return  # the reading side notices too

    async def _send_picture(self) -> None:
        channel = self._channel
        packet = channel.packet if channel is not None else None
        if channel is None or packet is None or not self.ready or packet.number <= self._sent:
            return
        self._sent, self._stamp_ns = packet.number, packet.stamp_ns
        self._sent_ns = time.monotonic_ns()
        channel.see_who_waits()
        await self._socket.send_bytes(packet.data)

    async def _read(self) -> None:
        while self._socket.client_state is WebSocketState.CONNECTED:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                await self._socket.close(BAD_DATA, "expected text")
                return
            if not self._messages.take():
                self._in_vain += 1
                if self._in_vain > MOST_IN_VAIN:
                    await self._socket.close(SHOWN_OUT, "far too many messages")
                    return
                continue
            try:
                self._heed(text)
            except PromptError as error:
                self._answer(0, Answer(False, str(error)))

    def _heed(self, text: str) -> None:
        said = parse(text)
        if isinstance(said, Note):
            self._note(said)
        elif not self._commands.take():
            self._answer(said.number, Answer(False, TOO_FAST))
        elif self._channel is None:
            self._answer(said.number, Answer(False, "no tracker was found yet: start one"))
        else:
            number, post = said.number, self._hub.post
            self._desk.do(
                self._channel.name,
                said,
                lambda answer: post(lambda: self._answer(number, answer)),
            )

    def _note(self, note: Note) -> None:
        if note.what == "seen":
            self._on_seen(note.number)
        elif note.what == "ping":
            self.tell({"kind": "pong", "n": note.number, "round_trip": self._round_trip_ms})
        elif note.name in self._hub.names and self._commands.take():
            self._wanted = note.name
            self.choose()

    def _on_seen(self, number: int) -> None:
        channel = self._channel
        if number != self._sent or self.ready or channel is None:
            return
        self._seen = number
        self._round_trip_ms = (time.monotonic_ns() - self._sent_ns) / NS_PER_MS
        now_s = time.monotonic()
        if self._stamp_ns and now_s >= self._say_late_s:
            self._say_late_s = now_s + SAY_LATE_EVERY_S
            late_ms = (time.time_ns() - self._stamp_ns) / NS_PER_MS
            if 0.0 <= late_ms < BELIEVED_MS:  # by now; the way back is part of it
                self.tell({"kind": "late", "ms": round(late_ms)})
        channel.see_who_waits()
        self.wake()

    def _answer(self, number: int, answer: Answer) -> None:
        self.tell(
            {
                "kind": "answer",
                "n": number,
                "done": answer.done,
                "words": answer.words,
                "object": answer.object_id,
            }
        )

    def _look_at(self, name: str) -> None:
        self._leave()
        self._sent = self._seen = 0
        self._channel = channel = self._hub.channel(name)
        is_first = not channel.watched
        channel.join(self)
        if is_first:
            self._desk.watch(name)

    def _leave(self) -> None:
        channel, self._channel = self._channel, None
        if channel is None:
            return
        channel.part(self)
        if not channel.watched:
            self._desk.leave(channel.name)
