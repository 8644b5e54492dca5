"""Sphinx's configuration of the site; `make docs` builds it into build/docs.

Sphinx, as the documentation of ROS 2 and of its packages has it, reads the same Markdown that a
repository's page shows. Nothing on the site comes from another host.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from site_reference import write_reference  # noqa: E402

from etam_ros import __version__  # noqa: E402

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "etam_ros"
author = "the authors of etam_ros"
copyright = "2026, the authors of etam_ros"  # noqa: A001 (Sphinx's name for it)
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
smartquotes = False  # it would make one dash of the two of an option
myst_heading_anchors = 4
myst_enable_extensions = ["deflist"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_attr_annotations = False  # np.bool_ would be read as a link

html_theme = "furo"
html_title = f"etam_ros {__version__}"
html_static_path = ["site"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}

_ROOT_LINK = re.compile(r"\]\(\.\./([A-Z]+)\.md(#[^)]*)?\)")


def _link_within(_app: Sphinx, _name: str, source: list[str]) -> None:
    """Files of the repository's root are pages of the site under their names in small letters."""
    source[0] = _ROOT_LINK.sub(
        lambda found: f"](reference/{found[1].lower()}.md{found[2] or ''})", source[0]
    )


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("builder-inited", lambda _: write_reference(HERE / "reference"))
    app.connect("source-read", _link_within)
