"""How people learn where the page is: a link, and a QR code for the telephone."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import TextIO

from etam_ros.console.access import Access


def invite(
    access: Access, out: TextIO, powers: str = "sees the camera and steers the tracker"
) -> None:
    """Print the link; with a QR code where others may come.

    Args:
        access: knows the link.
        out: a terminal, most likely.
        powers: what the link lets people do, behind "Whoever has this link".
    """
    link = access.link()
    if not access.needs_token:
        print(f"Open {link} in a browser on this machine; Ctrl-C ends it.", file=out, flush=True)
        return
    import segno

    code = io.StringIO()
    segno.make(link, error="m").terminal(code, compact=True, border=2)
    with suppress(UnicodeEncodeError):  # a terminal without blocks has the link
        out.write(code.getvalue())
    print(
        f"Open {link}\nWhoever has this link {powers}; Ctrl-C ends it.",
        file=out,
        flush=True,
    )
