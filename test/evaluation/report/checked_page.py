"""What tests of pages share: HTML that is held to close its tags, and a browser."""

from __future__ import annotations

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

VOID = {"meta", "link", "br", "img", "input", "line", "circle", "rect", "path"}
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: apt-get install chromium"
)
_QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


class Checked(HTMLParser):
    """Holds that tags are closed in order, and remembers them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def of(self, tag: str, name: str = "") -> list[dict[str, str | None]]:
        return [
            each for found, each in self.tags if found == tag and name in str(each.get("class"))
        ]


def played(page: Path, frame: int, place: Path) -> str:
    """The page's DOM after a browser has moved its player to a frame and all pictures are there.

    The title then says so, and the body how many tables beside players are cut off.
    """
    asked = f"""<script>
      const slider = document.querySelector(".player input");
      slider.value = {frame}; slider.dispatchEvent(new Event("input"));
      const there = () => [...document.images].every(each => each.complete && each.naturalWidth);
      const look = () => {{
        if (there()) document.title = "all pictures are there"; else setTimeout(look, 20);
        const tables = [...document.querySelectorAll(".look .scroll")];
        const cut = tables.filter(each => each.scrollWidth > each.clientWidth);
        document.body.dataset.cut = cut.length;
      }};
      look();
    </script>"""
    copy = place / "asked.html"
    text = page.read_text().replace('loading="lazy"', "")
    copy.write_text(text.replace("</body>", asked + "</body>"))
    done = subprocess.run(
        [str(CHROMIUM), *_QUIET, f"--user-data-dir={place / 'profile'}", "--dump-dom",
         "--virtual-time-budget=2000", "--window-size=1120,1400", copy.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "<title>all pictures are there</title>" in done.stdout
    return done.stdout
