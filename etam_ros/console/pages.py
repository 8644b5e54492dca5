"""The files of the page, read once; and the page that says why somebody is not let in."""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from string import Template
from typing import Final

from starlette.responses import HTMLResponse, Response

FOLDER: Final = Path(__file__).with_name("page")
_KINDS: Final = {
    ".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml",
}  # fmt: skip
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src {}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_GUARDS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class PageFile:
    """A file of the page."""

    content: bytes
    kind: str


@lru_cache(maxsize=1)
def page_files() -> dict[str, PageFile]:
    """All of them, by name: what is asked for is looked up here, and never on a disk."""
    return {
        path.name: PageFile(path.read_bytes(), _KINDS[path.suffix])
        for path in sorted(FOLDER.iterdir())
        if path.suffix in _KINDS
    }


def guards(host: str) -> dict[str, str]:
    """Headers of every answer.

    Args:
        host: that was asked for, and found to be ours; "" where it was not. Older browsers do not
            take 'self' for a live connection.
    """
    live = f"'self' ws://{host} wss://{host}" if host else "'self'"
    return {"Content-Security-Policy": _POLICY.format(live), **_GUARDS}


def file_response(name: str, host: str) -> Response | None:
    """One file of the page, or None."""
    found = page_files().get(name)
    if found is None:
        return None
    return Response(found.content, media_type=found.kind, headers=guards(host))


def words_page(title: str, words: str, status: int = 200, refresh: str = "") -> HTMLResponse:
    """A page of words alone.

    Args:
        title: its heading.
        words: what there is to say.
        status: of the answer.
        refresh: a path of ours that the browser goes to at once.
    """
    template = Template(page_files()["words.html"].content.decode())
    meta = f'<meta http-equiv="refresh" content="0; url={html.escape(refresh)}">'
    content = template.substitute(
        title=html.escape(title), words=html.escape(words), refresh=meta if refresh else ""
    )
    return HTMLResponse(content, status, headers=guards(""))
