"""What goes wrong with single images, frames and prompts: counted, and said in the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rclpy.node import Node

from etam_ros.errors import EtamError
from etam_ros.records import FrameResult
from etam_ros.ros.guarding import faults_of
from etam_ros.ros.tracker.reports.statistics import Statistics

THROTTLE_S: Final = 5.0
"""Seconds between two log lines about the same kind of error."""
SELDOM_S: Final = 60.0
"""The same for what may be so with each image of a camera."""
REFUSALS_S: Final = 1.0
"""The same for prompts that are refused: whoever sent one waits for the reason."""


class Incidents:
    """Tells of incidents; any thread may call.

    Args:
        node: whose log it is.
        statistics: asked for those that count now.
    """

    def __init__(self, node: Node, statistics: Callable[[], Statistics]) -> None:
        self._node = node
        self._logger = node.get_logger()
        self._statistics = statistics

    def on_bad_image(self, error: EtamError) -> None:
        """An image cannot be read."""
        self._statistics().on_bad_image(str(error))
        self._logger.warning(f"bad image: {error}", throttle_duration_sec=THROTTLE_S)

    def on_odd_image(self, remark: str) -> None:
        """Something is odd about an image that was read all the same."""
        self._statistics().on_odd_image(remark)
        self._logger.warning(f"odd image: {remark}", throttle_duration_sec=SELDOM_S)

    def on_failed_frame(self, error: EtamError) -> None:
        """A frame cannot be processed."""
        self._statistics().on_failed_frame(str(error))
        self._logger.error(f"frame lost: {error}", throttle_duration_sec=THROTTLE_S)

    def on_failed_overlay(self, error: EtamError) -> None:
        """An overlay cannot be drawn."""
        self._statistics().on_failed_overlay(str(error))
        self._logger.error(f"overlay lost: {error}", throttle_duration_sec=THROTTLE_S)

    def on_refused(self, source: str, reason: str) -> None:
        """A prompt was not applied."""
        self._statistics().on_refused_prompt(f"{reason} ({source})")
        self._logger.warning(
            f"prompt refused: {reason} ({source})", throttle_duration_sec=REFUSALS_S
        )

    def on_fault(self, place: str, error: BaseException) -> None:
        """Something failed that nobody expected; the node goes on."""
        faults_of(self._node).tell(place, error)

    def on_other_time(self, result: FrameResult) -> None:
        """The stamps of images went back, or leapt ahead."""
        self._statistics().on_time_jump()
        now = f"{result.stamp_ns / 1e9:.3f} s"
        what = (
            f"leapt to {now}, as of another clock: that time is not counted for any object"
            if result.time_leapt
            else f"went back to {now}: objects are kept, their recent memories are not"
        )
        self._logger.warning(
            f"image stamps {what}; where this goes on, look for a second publisher",
            throttle_duration_sec=THROTTLE_S,
        )

    def on_warning(self, reason: str) -> None:
        """Whatever is told once and not counted."""
        self._logger.warning(reason)
