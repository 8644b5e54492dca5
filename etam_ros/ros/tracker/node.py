"""The node: what exists in which state of its lifecycle, and what is wired to what.

    unconfigured  --configure-->  inactive  --activate-->  active
    diagnostics                   worker, services,        image and prompt topics
                                  publishers

A frame's way: `Worker.offer` is the image callback; the worker converts the message, steps the
tracker and calls `TrackerNode.publish`.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from concurrent.futures import CancelledError
from functools import partial
from typing import Final

from rclpy.callback_groups import CallbackGroup, MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType  # type: ignore[attr-defined]
from rclpy.timer import Timer

from etam_ros.errors import EtamError, ImageError
from etam_ros.ros.managed_node import ManagedNode, Transitions
from etam_ros.ros.parameters import NodeParameters, Settings
from etam_ros.ros.tracker.diagnostics import DiagnosticsPublisher, NodeReport
from etam_ros.ros.tracker.image_subscription import ImageSubscription
from etam_ros.ros.tracker.loading import load_tracking
from etam_ros.ros.tracker.prompt_requests import PromptServices, PromptTopics
from etam_ros.ros.tracker.results import ResultPublishers
from etam_ros.ros.tracker.statistics import Statistics
from etam_ros.ros.tracker.worker import ProcessedFrame, Worker

LOOK_PERIOD_S: Final = 0.25
THROTTLE_S: Final = 5.0
"""Seconds between two log lines about the same kind of trouble."""


class TrackerNode:
    """`/tracker`: wires the worker to topics, services and parameters.

    Args:
        finish: called from any thread with an exit code when the process shall end.

    Raises:
        ConfigError: a parameter cannot be.
    """

    def __init__(self, finish: Callable[[int], None]) -> None:
        self._finish = finish
        self._ending = False
        self._paused = False
        self._engine = ""
        self._errors = 0
        self._worker: Worker | None = None
        self._results: ResultPublishers | None = None
        self._services: PromptServices | None = None
        self._prompts: PromptTopics | None = None
        self._images: ImageSubscription | None = None
        self.node = ManagedNode(
            "tracker",
            Transitions(self._configure, self._activate, self._deactivate, self._cleanup),
        )
        parameters = NodeParameters(
            self.node, lambda: self.node.state == "unconfigured", self._on_settings
        )
        self.settings: Settings = parameters.settings
        self.statistics = Statistics(self.settings.diagnostics.window, time.monotonic_ns())
        self._diagnostics = DiagnosticsPublisher(self.node)
        group = MutuallyExclusiveCallbackGroup()
        self._report_timer = self._every(self.settings.diagnostics.period_s, self.on_report, group)
        self._look_timer = self._every(LOOK_PERIOD_S, self.on_look, group)
        if self.settings.node.autostart:
            self._start_timer = self._every(0.0, self.on_start, MutuallyExclusiveCallbackGroup())

    def _every(self, period_s: float, callback: Callable[[], None], group: CallbackGroup) -> Timer:
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # runs on where /clock stands still
        return self.node.create_timer(period_s, callback, callback_group=group, clock=steady)

    def on_start(self) -> None:
        """Bring the node up by itself, once it spins."""
        self._start_timer.cancel()
        if not self.node.bring_up() and not self._ending:
            self._finish(1)

    def on_look(self) -> None:
        """Look at the cameras."""
        images = self._images
        if images is not None:
            images.look()

    def on_report(self) -> None:
        """Publish diagnostics."""
        numbers = self.statistics.snapshot(time.monotonic_ns())
        errors = numbers.bad_images + numbers.failed_frames
        new_errors, self._errors = max(errors - self._errors, 0), errors
        images, worker = self._images, self._worker
        self._diagnostics.publish(
            NodeReport(
                state=self._state_in_words(),
                engine=self._engine,
                objects=0 if worker is None else worker.object_count,
                image_timeout_s=self.settings.node.image_timeout_s,
                source=None if images is None else images.source,
                numbers=numbers,
                new_errors=new_errors,
            )
        )

    def _state_in_words(self) -> str:
        if self.node.changing == "configure":
            return f"loading {self.settings.node.model}"
        return "paused" if self._paused and self.node.state == "active" else self.node.state

    def publish(self, processed: ProcessedFrame) -> None:
        """Give out the results of one frame; called by the worker."""
        result, logger = processed.result, self.node.get_logger()
        if result.time_went_back:
            logger.warning(
                f"image stamps went back to {result.stamp_ns / 1e9:.3f} s: objects are kept, "
                "their recent memories are not"
            )
        if result.forgotten_ids:
            logger.info(f"forgot objects {result.forgotten_ids}: unseen for too long")
        if self._results is not None:
            self._results.publish(processed, self.statistics.dropped)

    def on_bad_frame(self, error: EtamError) -> None:
        """Report one lost frame; called by the worker."""
        if isinstance(error, ImageError):
            self.statistics.on_bad_image(str(error))
            self.node.get_logger().warning(f"bad image: {error}", throttle_duration_sec=THROTTLE_S)
        else:
            self.statistics.on_failed_frame(str(error))
            self.node.get_logger().error(f"frame lost: {error}", throttle_duration_sec=THROTTLE_S)

    def on_crash(self, error: BaseException) -> None:
        """End the process because of a bug; called by the worker."""
        if self._ending:
            return
        self.node.get_logger().fatal(f"tracking ended by {type(error).__name__}: {error}")
        self.node.get_logger().fatal("".join(traceback.format_exception(error)))
        self._finish(1)

    def _on_refused(self, reason: str) -> None:
        self.statistics.on_refused_prompt(reason)
        self.node.get_logger().warning(f"prompt refused: {reason}", throttle_duration_sec=1.0)

    def _on_engine_step(self, step: str) -> None:
        """Building takes its time: say in log and diagnostics how far it is."""
        self._engine = f"building: {step}"
        self.node.get_logger().info(step)

    def _on_settings(self, settings: Settings) -> None:
        self.settings = settings
        self._report_timer.timer_period_ns = int(settings.diagnostics.period_s * 1e9)

    def _set_paused(self, paused: bool) -> None:
        self._paused = paused
        if self._worker is not None:
            self._worker.pause(paused)

    def _configure(self) -> None:
        node = self.settings.node
        self.node.get_logger().info(f"loading {node.model} for backend {node.backend}")
        self.statistics = Statistics(self.settings.diagnostics.window, time.monotonic_ns())
        load = partial(load_tracking, self.settings, on_step=self._on_engine_step)
        self._worker = Worker(load, self)
        try:
            if self._ending:
                raise CancelledError
            self._worker.start()
            self._engine = self._worker.wait_until_loaded()
            self._results = ResultPublishers(self.node, lambda: self.settings.overlay)
            self._services = PromptServices(
                self.node,
                self._worker,
                timeout_s=lambda: self.settings.node.prompt_timeout_s,
                is_active=lambda: self.node.state == "active",
                set_paused=self._set_paused,
            )
        except BaseException:
            self._cleanup()
            raise
        self.node.get_logger().info(f"loaded {self._engine}")

    def _activate(self) -> None:
        assert self._worker is not None
        self._paused, self._errors = False, 0
        self.statistics.restart(time.monotonic_ns())
        self._worker.activate()
        self._prompts = PromptTopics(self.node, self._worker, self._on_refused)
        self._images = ImageSubscription(
            self.node,
            self.settings.node,
            self._worker.offer,
            lambda: self.statistics.received,
            MutuallyExclusiveCallbackGroup(),
        )

    def _deactivate(self) -> None:
        if self._worker is not None:
            self._worker.deactivate()
        if self._images is not None:
            self._images.destroy()
        if self._prompts is not None:
            self._prompts.destroy()
        self._images = self._prompts = None

    def _cleanup(self) -> None:
        if self._worker is not None:
            self._worker.stop()
            if not self._ending:
                self._worker.join()
        if self._services is not None:
            self._services.destroy()
        if self._results is not None:
            self._results.destroy()
        self._worker = self._services = self._results = None
        self._engine = ""

    def end(self, timeout_s: float) -> bool:
        """Release everything that waits, because the process ends.

        Returns:
            False when the worker did not end in time: it computes, or loads.
        """
        self._ending = True
        worker = self._worker
        if worker is None:
            return True
        worker.stop()
        return worker.join(timeout_s)
