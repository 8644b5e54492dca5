"""The streaming tracker: objects, their memories, and one step per frame."""

from etam_ros.tracking.opening import open_stages
from etam_ros.tracking.tracker import Tracker

__all__ = ["Tracker", "open_stages"]
