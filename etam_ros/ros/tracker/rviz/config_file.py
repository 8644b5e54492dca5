"""The configuration of RViz, with the names that a node has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

NODE: Final = "/tracker"
FIXED_FRAME: Final = "camera_optical_frame"


def with_names(text: str, names: Mapping[str, str]) -> str:
    """Put other names of nodes, topics and frames into a configuration.

    Args:
        text: of config/tracker.rviz.
        names: what stands there -> what is to stand there. A topic is also what lies below one
            that is named; the longest name that fits counts.

    Returns:
        the text, as it was elsewhere.
    """
    longest_first = sorted((name for name in names if name), key=len, reverse=True)
    if not longest_first:
        return text
    known = "|".join(re.escape(name) for name in longest_first)
    # Values alone, and whole ones: `/tracker` is not the beginning of `/tracker_2`.
    pattern = re.compile(rf"(?<=: )({known})(?=[/\s])")
    return pattern.sub(lambda found: names[found[1]], text)


def absolute(name: str, namespace: str, node: str) -> str:
    """A topic's or node's full name, with `~` for the node and `namespace` for relative ones.

    Args:
        name: as in a launch file: `/a/b`, `b`, `~/b`.
        namespace: of the node, with or without the slash before it; empty for the root.
        node: name of the node.
    """
    before = "/" + namespace.strip("/") if namespace.strip("/") else ""
    if name.startswith("/"):
        return name
    if name == "~" or name.startswith("~/"):
        return f"{before}/{node}{name[1:]}"
    return f"{before}/{name}"
