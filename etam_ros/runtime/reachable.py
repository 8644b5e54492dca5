"""Whether a host answers at all: said within seconds, where downloads would try for minutes."""

from __future__ import annotations

import socket
import threading
import urllib.request
from typing import Final
from urllib.parse import urlsplit

PATIENCE_S: Final = 2.5


def check_reachable(address: str, patience_s: float = PATIENCE_S) -> None:
    """Raise OSError unless the host of an address takes a connection in time.

    Where a proxy stands between, it is left to whoever downloads.

    Args:
        address: http or https.
        patience_s: seconds for all of it; a resolver alone may think for longer.
    """
    parts = urlsplit(address)
    if urllib.request.getproxies().get(parts.scheme):
        return
    place = (parts.hostname or "", parts.port or {"http": 80}.get(parts.scheme, 443))
    answered: list[OSError | None] = []

    def ask() -> None:
        try:
            socket.create_connection(place, patience_s).close()
        except OSError as error:
            answered.append(error)
        else:
            answered.append(None)

    asking = threading.Thread(target=ask, daemon=True)  # nothing ends a resolver
    asking.start()
    asking.join(patience_s)
    if not answered:
        raise TimeoutError(f"{place[0]} does not answer")
    if answered[0] is not None:
        raise OSError(f"{place[0]}: {answered[0].strerror or answered[0]}")
