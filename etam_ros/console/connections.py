"""How many connections there may be, and for how long they may be about nothing.

Whoever reaches the port can open connections, with the token or without: each is a descriptor of
this process, which may be the tracker's.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

REQUEST_S: Final = 20.0
"""A connection that is no live one by then is ended: the page's files are small."""
MOST_BESIDE_VIEWERS: Final = 64
"""From one address, and as many again from all others together."""


class HttpConnection(H11Protocol):
    """A connection that asks for the page."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """End it where there are too many, and after a while."""
        super().connection_made(transport)
        from_there = Counter(map(address_of, self.connections))[address_of(self)]
        most = (self.limit_concurrency or 0) // 2
        if from_there > most or len(self.connections) > 2 * most:
            self.connections.discard(self)
            transport.abort()
        else:
            self.loop.call_later(REQUEST_S, self._expire)

    def _expire(self) -> None:
        if self.transport.get_protocol() is self:  # else it has become a live one
            self.transport.abort()


class LiveConnection(WebSocketsSansIOProtocol):
    """A connection for live pictures."""

    def handle_ping(self) -> None:
        """Answer, unless answers pile up because nobody reads them."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.transport.abort()

    def keepalive_timeout(self) -> None:
        """Nobody has answered for long: nobody will read what is still to be sent, either."""
        super().keepalive_timeout()
        self.transport.abort()


def address_of(connection: Any) -> str:
    """Where a connection comes from; empty where nobody knows."""
    client = connection.client
    return str(client[0]) if client else ""


def most_connections(viewers: int) -> int:
    """Of a server with so many viewers at most."""
    return 2 * (viewers + MOST_BESIDE_VIEWERS)
