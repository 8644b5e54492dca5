"""Every QoS profile of the nodes, in one place.

Publishers offer reliable, which serves subscribers of either reliability (REP-2003). Only the
images of a camera are subscribed to with the reliability that their publishers have.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


def keep_last(
    depth: int, reliability: ReliabilityPolicy = ReliabilityPolicy.RELIABLE
) -> QoSProfile:
    """The newest `depth` messages, reliable unless another reliability is given."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability)


OBJECTS: Final = keep_last(10)
RESULT_IMAGES: Final = keep_last(2)
"""Label images, overlays and click planes: of use only while they are new, and large."""
CAMERA_INFO: Final = keep_last(1, ReliabilityPolicy.BEST_EFFORT)
"""Comes with every image and seldom changes: one that gets lost is not missed."""
TRANSFORMS: Final = keep_last(2000)
"""As many seconds as TF itself keeps, of a busy robot; they are read when they are needed."""
BROADCAST_TRANSFORMS: Final = keep_last(100)
"""As TF's own broadcasters offer them."""
STATIC_TRANSFORMS: Final = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
PROMPTS: Final = keep_last(64)
"""On topics and by services: as many as may wait for the tracker, so that none gets lost."""
EVENTS: Final = keep_last(100)
"""A reset of many objects is many events at once."""
MARKERS: Final = keep_last(100)
"""Updates of interactive markers: as many as RViz keeps; one that is missed costs a new start."""
MARKER_FEEDBACK: Final = keep_last(100)
"""Several messages a click, of which one counts."""
DIAGNOSTICS: Final = keep_last(10)
COMMANDS: Final = keep_last(1)
"""To a robot: the newest alone counts."""
TARGET_POSES: Final = keep_last(10)
STATE: Final = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
"""Whoever comes later hears it too."""
RECORDED: Final = keep_last(200)
"""For a listener that must not miss a message."""


def played_images(reliability: str) -> QoSProfile:
    """What the player offers, "reliable" or "best_effort", for subscribers that are behind."""
    return keep_last(5, ReliabilityPolicy[reliability.upper()])


def choose_reliability(wanted: str, offered: Iterable[ReliabilityPolicy]) -> ReliabilityPolicy:
    """The reliability to subscribe with.

    Args:
        wanted: auto, reliable or best_effort.
        offered: of each publisher. Auto is reliable if there are any and all offer it: large
            best-effort images get lost where the camera lacks the transport profile.
    """
    if wanted != "auto":
        return ReliabilityPolicy[wanted.upper()]
    present = list(offered)
    if present and all(policy == ReliabilityPolicy.RELIABLE for policy in present):
        return ReliabilityPolicy.RELIABLE
    return ReliabilityPolicy.BEST_EFFORT
