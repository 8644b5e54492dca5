"""The server: uvicorn in a thread of its own, beside whatever makes the pictures."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from importlib.util import find_spec
from types import TracebackType
from typing import Final

from etam_ros.console.access import Access
from etam_ros.console.config import LIBRARIES, TOKEN_VARIABLE, WebConfig
from etam_ros.console.desk import Desk
from etam_ros.console.hub import Hub
from etam_ros.errors import ConfigError

LARGEST_MESSAGE: Final = 16 * 1024
"""Bytes that a page may send at once; sixteen points take a few hundred."""
LARGEST_HEADERS: Final = 16 * 1024
BACKLOG: Final = 64
"""Connections that wait, and that are taken at once before any is looked at."""
PATIENCE_S: Final = 2.0


class Server:
    """Serves the page while it is open; a context manager.

    Args:
        config: where, and to whom.
        hub: what there is to see.
        desk: does what is asked.

    Attributes:
        access: knows the link.

    Raises:
        ConfigError: the address or port cannot be had, or a library is missing.
    """

    def __init__(self, config: WebConfig, hub: Hub, desk: Desk) -> None:
        require_libraries()
        import uvicorn

        from etam_ros.console.application import application
        from etam_ros.console.connections import (
            HttpConnection,
            LiveConnection,
            most_connections,
        )

        self._socket = _listening(config.host, config.port)
        port = int(self._socket.getsockname()[1])
        token = config.token or os.environ.get(TOKEN_VARIABLE, "")
        if token:
            WebConfig(token=token)  # of the environment, too
        self.access = Access(config.host, port, token, config.allow_host)
        self._hub = hub
        for name in ("uvicorn.error", "uvicorn.access", "websockets"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._server = uvicorn.Server(
            uvicorn.Config(
                application(self.access, hub, desk, config.max_viewers),
                access_log=False,
                log_config=None,
                lifespan="off",
                ws=LiveConnection,
                ws_max_size=LARGEST_MESSAGE,
                ws_per_message_deflate=False,
                ws_ping_interval=10.0,
                ws_ping_timeout=20.0,
                h11_max_incomplete_event_size=LARGEST_HEADERS,
                http=HttpConnection,
                backlog=BACKLOG,
                limit_concurrency=most_connections(config.max_viewers),
                timeout_graceful_shutdown=1,
                server_header=False,
            )
        )
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let no more come, and show everybody out; returns at once."""
        self._server.should_exit = True

    def join(self, timeout_s: float = PATIENCE_S) -> bool:
        """Wait for the end; False when it has not come by then."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self.join()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._hub.begin(asyncio.get_running_loop())
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            self._socket.close()


def require_libraries(*more: str) -> None:
    """Raise ConfigError where something is missing that serving needs, or that is named."""
    needed = (*LIBRARIES, *more)
    for name in needed:
        if find_spec(name) is None:
            raise ConfigError(
                f"the page needs the Python module {name}, which is not installed here: "
                f"pip install {' '.join(needed)}"
            )


def _listening(host: str, port: int) -> socket.socket:
    """A socket that is bound: mistakes show now, and in one line."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(BACKLOG)  # whoever comes before the server runs waits
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host}, port {port} ({error.strerror or error}): choose others "
            "with --host and --port; port 0 chooses a free one"
        ) from error
    return made
