"""A real browser for tests: the system's Chromium, through Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
)  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "no Chromium is here to open the page in: apt install chromium"


@contextmanager
def browser_context(folder: Path, **options: object) -> Iterator[object]:
    """A browser with an empty profile; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(MISSING)
    with playwright.sync_playwright() as driver:
        context = driver.chromium.launch_persistent_context(
            str(folder), executable_path=path, args=list(ARGUMENTS), headless=True, **options
        )
        try:
            yield context
        finally:
            context.close()
