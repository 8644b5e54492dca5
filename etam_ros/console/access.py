"""Who may look on: the token, the cookie that stands for it, and the names of this machine.

A page of another site cannot reach the server through a browser that may: neither under a name of
its own that suddenly means this machine (DNS rebinding: `Host` is looked at), nor from its own
address (`Origin` is looked at). Nothing here logs or shows the token but `link`.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

TOKEN_BYTES: Final = 16
COOKIE_DAYS: Final = 30
OWN_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
_HOST: Final = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(:\d{1,5})?")


@dataclass(frozen=True)
class Refusal:
    """Why somebody is not let in.

    Attributes:
        status: of the answer.
        words: for the page that says so.
    """

    status: HTTPStatus
    words: str


@dataclass(frozen=True)
class Headers:
    """Those headers of a request that say who asks, each as often as it was sent."""

    host: Sequence[str]
    origin: Sequence[str]
    cookie: Sequence[str]

    @classmethod
    def of(cls, scope: Mapping[str, Any]) -> Headers:
        """Those of an ASGI scope."""

        def values(name: bytes) -> list[str]:
            return [value.decode("latin-1") for key, value in scope["headers"] if key == name]

        return cls(values(b"host"), values(b"origin"), values(b"cookie"))


class Access:
    """Decides about every request.

    Args:
        host: address that is listened on.
        port: the one that is really listened on.
        token: empty: one is made where the address is not this machine's own.
        names: under which the machine is reached, beside those that it knows.
    """

    def __init__(self, host: str, port: int, token: str = "", names: Iterable[str] = ()) -> None:
        self._open = not is_own(host)
        self._token = token or (secrets.token_urlsafe(TOKEN_BYTES) if self._open else "")
        self._host, self._port = host, port
        self.cookie_name = f"etam_{port}"  # cookies do not tell ports apart
        self._names = {*OWN_NAMES, *(name.lower() for name in names)}
        if self._open:
            machine = socket.gethostname().lower()
            self._names |= {machine, f"{machine}.local", host.lower()}

    @property
    def needs_token(self) -> bool:
        """Whether whoever comes has to show the token."""
        return bool(self._token)

    def link(self) -> str:
        """What to open in a browser; holds the token, if there is one."""
        host = reachable_address() if self._host in ("0.0.0.0", "::") else self._host
        host = f"[{host}]" if ":" in host else host
        token = f"?token={self._token}" if self._token else ""
        return f"http://{host}:{self._port}/{token}"

    def cookie(self) -> str:
        """The value of Set-Cookie that lets a browser in from now on."""
        age_s = COOKIE_DAYS * 24 * 3600
        return (
            f"{self.cookie_name}={self._token}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict"
        )

    def refused(self, headers: Headers, *, live: bool) -> Refusal | None:
        """Why a request is not served, whoever sends it; None where all is well.

        Args:
            headers: of the request.
            live: it is for the live connection, which browsers open with an Origin alone.
        """
        host = headers.host[0].lower() if len(headers.host) == 1 else ""
        found = _HOST.fullmatch(host)
        if found is None or not self._is_ours(found[1]):
            return Refusal(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"This page was asked for as {host[:80]!r}, which is no name of this machine. "
                "Open it by its address, or start it with --allow-host and that name.",
            )
        if len(headers.origin) > 1 or (live and not headers.origin):
            return Refusal(
                HTTPStatus.FORBIDDEN, "The live picture is for the page itself: open the page."
            )
        if headers.origin and not _is_same(headers.origin[0], host):
            return Refusal(
                HTTPStatus.FORBIDDEN,
                f"A page of {headers.origin[0][:80]!r} asked for this: only the page itself may.",
            )
        return None

    def knows(self, headers: Headers) -> bool:
        """Whether a browser shows the cookie, or none is needed."""
        if not self._token:
            return True
        shown = ""
        for line in headers.cookie:
            try:
                crumb = SimpleCookie(line).get(self.cookie_name)
            except CookieError:
                continue
            shown = crumb.value if crumb is not None else shown
        return self._is_token(shown)

    def invited(self, query: bytes) -> bool | None:
        """Whether a query holds the token; None where it holds none at all."""
        try:
            given = parse_qs(query.decode("ascii"), max_num_fields=4).get("token")
        except ValueError:
            return False
        return None if given is None else self._is_token(given[0])

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())

    def _is_ours(self, name: str) -> bool:
        """A name of this machine; or an address, which no foreign name server can give out."""
        return name in self._names or (self._open and _is_address(name))


def is_own(host: str) -> bool:
    """Whether an address is reached from this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def reachable_address() -> str:
    """The address of this machine that others are likely to reach; asks nobody."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: only the route is looked up
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _is_same(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc == host
