"""The site of the documentation: every link leads somewhere, and what is made from the code is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ELSEWHERE = re.compile(r"""(?:src=|<link[^>]+href=|url\()["']?(?:https?:)?//[^"')]+""")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("myst_parser", reason="what builds the site needs Python 3.11")
    out = tmp_path_factory.mktemp("site")
    options = ["--fail-on-warning", "--keep-going", "--quiet"]
    command = [sys.executable, "-m", "sphinx", *options, str(ROOT / "docs"), str(out)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


def test_nothing_comes_from_another_host(site):
    found = {
        each
        for kind in ("*.html", "*.css", "*.js")
        for path in site.rglob(kind)
        for each in ELSEWHERE.findall(path.read_text(encoding="utf-8"))
    }
    assert not found


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("commands", ["etam track", "--click", "etam weights get", "--everything"]),
        ("parameters", ["tracker.max_objects", "overlay.opacity", "image_timeout_s", "bearing."]),
        ("messages", ["etam_ros/msg/TrackedObject", "float32 visibility", "etam_ros/srv/Segment"]),
        ("python", ["add_prompt", "open_segmenter", "FrameResult"]),
        ("security", ["127.0.0.1"]),
    ],
)
def test_reference_is_made_from_the_code(site, page, words):
    text = re.sub(r"<[^>]+>", "", (site / "reference" / f"{page}.html").read_text())
    for each in words:
        assert each in text, each
