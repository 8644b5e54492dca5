"""The streaming tracker: objects, their memories, and one step per frame."""

from etam_ros.tracking.history import History
from etam_ros.tracking.opening import open_stages
from etam_ros.tracking.tracker import Tracker

__all__ = ["History", "Tracker", "open_stages"]
