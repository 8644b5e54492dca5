"""The node: what exists in which state of its lifecycle, and what is wired to what.

    unconfigured  --configure-->  inactive  --activate-->  active
    diagnostics                   worker, services,        image and prompt topics
                                  publishers, drawing

A frame's way: `Worker.offer` is the image callback; the worker converts the message, steps the
tracker and calls `TrackerNode.publish`.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any, Final

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup

from etam_ros.idle_threads import threads_in_words
from etam_ros.msg import Prompt, TrackEvent
from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.guarding import faults_of
from etam_ros.ros.managed_node import ManagedNode, Transitions
from etam_ros.ros.parameters import NodeParameters, Settings
from etam_ros.ros.tracker.camera import Camera
from etam_ros.ros.tracker.camera_topics import CameraTopics
from etam_ros.ros.tracker.displays import Display, Displays
from etam_ros.ros.tracker.everything.service import SegmentService
from etam_ros.ros.tracker.frames import ProcessedFrame
from etam_ros.ros.tracker.loading import faster_engine, load_tracking
from etam_ros.ros.tracker.object_watch import in_words
from etam_ros.ros.tracker.positions.locating import Positions
from etam_ros.ros.tracker.positions.publishers import PositionPublishers
from etam_ros.ros.tracker.prompts.requests import ask
from etam_ros.ros.tracker.prompts.services import PromptServices
from etam_ros.ros.tracker.prompts.topics import PromptTopics
from etam_ros.ros.tracker.reports.diagnostics import DiagnosticsPublisher, NodeReport
from etam_ros.ros.tracker.reports.incidents import Incidents
from etam_ros.ros.tracker.reports.statistics import Statistics
from etam_ros.ros.tracker.reports.worker_events import WorkerEvents
from etam_ros.ros.tracker.results import OverlayPublisher, ResultPublishers
from etam_ros.ros.tracker.rviz.click_markers import NAMESPACE, ClickMarkers
from etam_ros.ros.tracker.rviz.click_plane import ClickPlanePublisher
from etam_ros.ros.tracker.worker import Worker

PUBLISHER_CHECK_PERIOD_S: Final = 0.25


class TrackerNode:
    """`/tracker`: wires the worker to topics, services and parameters.

    Args:
        finish: called from any thread with an exit code when the process is to end.

    Raises:
        ConfigError: a parameter is invalid.
    """

    def __init__(self, finish: Callable[[int], None]) -> None:
        self._finish = finish
        self._ending = False
        self._paused = False
        self._engine = ""
        self._worker: Worker | None = None
        self._results: ResultPublishers | None = None
        self._displays = Displays()
        self._plane: ClickPlanePublisher | None = None
        self._shown: PositionPublishers | None = None
        self._topics: CameraTopics | None = None
        self._configured, self._activated = ExitStack(), ExitStack()  # how to undo the two
        self.node = ManagedNode(
            "tracker",
            Transitions(
                self._configure, self._activate, self._activated.close, self._configured.close
            ),
        )
        self._parameters = NodeParameters(
            self.node,
            lambda: self.node.state == "unconfigured" and not self.node.changing,
            self._check_settings,
            self._on_settings,
        )
        self._incidents = Incidents(self.node, lambda: self.statistics)
        self._camera = Camera(lambda: self.settings.camera, self._incidents.on_warning)
        self._positions = Positions(self._camera, lambda: self.settings.depth)
        diagnostics = self.settings.diagnostics
        self.statistics = Statistics(diagnostics.window, time.monotonic_ns())
        self._diagnostics = DiagnosticsPublisher(self.node)
        group = MutuallyExclusiveCallbackGroup()
        self._report_timer = self.node.every(diagnostics.period_s, self.on_report, group)
        self._check_timer = self.node.every(PUBLISHER_CHECK_PERIOD_S, self.on_check, group)
        if self.settings.node.autostart:
            self._start_timer = self.node.every(
                0.0, self.on_start, MutuallyExclusiveCallbackGroup()
            )

    @property
    def settings(self) -> Settings:
        """The present values of the parameters."""
        return self._parameters.settings

    def on_start(self) -> None:
        """Bring the node up by itself, once it spins."""
        self._start_timer.cancel()
        self.node.bring_up_or(self._on_failed_start)

    def _on_failed_start(self) -> None:
        if not self._ending:
            self._finish(1)

    def on_check(self) -> None:
        """See which cameras there are."""
        topics = self._topics
        if topics is not None:
            topics.check_publishers()

    def on_report(self) -> None:
        """Publish diagnostics."""
        topics, worker = self._topics, self._worker
        faults, new_faults = faults_of(self.node).report()
        self._diagnostics.publish(
            NodeReport(
                state=self._state_in_words(),
                engine=self._engine,
                objects=0 if worker is None else worker.object_count,
                selected=None if worker is None else worker.selected,
                image_timeout_s=self.settings.node.image_timeout_s,
                source=None if topics is None else topics.source,
                numbers=self.statistics.snapshot(time.monotonic_ns()),
                new=self.statistics.take_new_errors(),
                depth=None if topics is None else topics.depth_source,
                positions=self._positions.report(),
                faults=faults,
                new_faults=new_faults,
            )
        )

    def _state_in_words(self) -> str:
        if self.node.changing == "configure":
            return f"loading {self.settings.node.model}"
        return "paused" if self._paused and self.node.state == "active" else self.node.state

    def publish(self, processed: ProcessedFrame) -> None:
        """Give out the results of one frame; called by the worker."""
        result = processed.result
        if result.time_went_back or result.time_leapt:
            self._incidents.on_other_time(result)
        if self._positions_wanted:
            found = self._positions.locate(result.objects, result.image_hw, processed.header)
            processed = replace(processed, positions=found)
        if self._results is not None:
            self._results.publish(processed, self.statistics.dropped)
        if self._shown is not None:
            self._shown.publish(processed)
        self._displays.offer(processed)

    @property
    def _positions_wanted(self) -> bool:
        results, shown = self._results, self._shown
        wanted_by_planners = results is not None and results.objects_wanted
        return wanted_by_planners or (shown is not None and shown.wanted)

    def on_track_events(self, events: Sequence[TrackEvent]) -> None:
        """Say what became of objects; called by the worker."""
        for event in events:
            self.node.get_logger().info(in_words(event))
        if self._results is not None:
            self._results.publish_events(events)

    def on_applied_prompts(self, prompts: Sequence[Prompt]) -> None:
        """Give out prompts as they were applied; called by the worker."""
        if self._results is not None:
            self._results.publish_prompts(prompts)

    def on_crash(self, error: BaseException) -> None:
        """End the process because nothing works any more; called by the worker."""
        if self._ending:
            return
        self.node.get_logger().fatal(f"tracking ended by {type(error).__name__}: {error}")
        self.node.get_logger().fatal("".join(traceback.format_exception(error)))
        self._finish(1)

    def _on_engine_step(self, step: str) -> None:
        """Building takes its time: say in log and diagnostics how far it is."""
        self._engine = f"building: {step}"
        self.node.get_logger().info(step)

    def _check_settings(self, settings: Settings) -> None:
        """Refuse, by ConfigError, what the tracker that is loaded cannot serve."""
        worker = self._worker
        if worker is not None:
            worker.check(settings)

    def _on_settings(self, settings: Settings) -> None:
        self._report_timer.timer_period_ns = int(settings.diagnostics.period_s * 1e9)
        worker = self._worker
        if worker is not None:
            worker.apply(settings)

    def _set_paused(self, paused: bool) -> None:
        self._paused = paused
        if self._worker is not None:
            self._worker.pause(paused)

    def _configure(self) -> None:
        settings, logger = self.settings, self.node.get_logger()
        logger.info(f"loading {settings.node.model} for backend {settings.node.backend}")
        self.statistics = Statistics(settings.diagnostics.window, time.monotonic_ns())
        load = partial(
            load_tracking,
            settings,
            on_step=self._on_engine_step,
            locate=self._positions.locate,
        )
        events = WorkerEvents(
            self.publish,
            self.on_track_events,
            self._incidents.on_bad_image,
            self._incidents.on_failed_frame,
            self.on_crash,
            self.on_applied_prompts,
            self._incidents.on_fault,
            self._incidents.on_odd_image,
        )
        with ExitStack() as undo:
            self._worker = worker = Worker(load, settings, self.statistics, events)
            undo.callback(self._end_worker, worker)
            if self._ending:
                raise CancelledError
            worker.start()
            self._engine = worker.wait_until_loaded()
            endpoints = undo.enter_context(Endpoints(self.node))
            undo.callback(self._forget_publishers)
            self._results = ResultPublishers(endpoints)
            overlays = OverlayPublisher(
                endpoints,
                lambda: self.settings.overlay,
                on_failed=self._incidents.on_failed_overlay,
                on_fault=self._incidents.on_fault,
            )
            self._plane = plane = ClickPlanePublisher(
                endpoints, self._camera, lambda: self.settings, on_fault=self._incidents.on_fault
            )
            self._shown = shown = PositionPublishers(
                endpoints,
                lambda: self.settings,
                warn=self._incidents.on_warning,
                on_fault=self._incidents.on_fault,
            )
            self._add_display(overlays, undo)
            self._add_display(shown.markers, undo)
            self._add_display(plane, undo)
            PromptServices(
                endpoints,
                worker,
                timeout_s=lambda: self.settings.node.prompt_timeout_s,
                is_active=lambda: self.node.state == "active",
                set_paused=self._set_paused,
            )
            SegmentService(
                endpoints,
                worker,
                settings=lambda: self.settings,
                is_active=lambda: self.node.state == "active",
            )
            self._configured.push(undo.pop_all())
        logger.info(f"loaded {self._engine}; PyTorch computes with {threads_in_words()}")
        if advice := faster_engine(settings.node, self._engine):
            logger.info(advice)

    def _end_worker(self, worker: Worker) -> None:
        worker.stop()
        if not self._ending:
            worker.join()
        self._worker, self._engine = None, ""

    def _forget_publishers(self) -> None:
        self._results = self._plane = self._shown = None

    def _add_display(self, display: Display[Any], undo: ExitStack) -> None:
        self._displays.add(display)
        undo.callback(lambda: self._displays.end(display, wait=not self._ending))

    def _activate(self) -> None:
        worker, plane = self._worker, self._plane
        assert worker is not None
        assert plane is not None
        self._paused = False
        self.statistics.restart(time.monotonic_ns())
        self._positions.restart()
        with ExitStack() as undo:
            if self.settings.sources.markers:
                self._add_markers(worker, undo)
            undo.callback(self._displays.drain)
            worker.activate()
            undo.callback(worker.deactivate)
            endpoints = undo.enter_context(Endpoints(self.node))
            self._camera.listen(endpoints)
            PromptTopics(
                endpoints,
                worker,
                lambda: self.settings,
                self._incidents.on_refused,
                camera=self._camera,
                plane=plane,
            )
            self._topics = topics = CameraTopics(
                self.node,
                self.settings,
                worker.offer,
                lambda: self.statistics.received,
                self._positions,
            )
            undo.callback(self._end_topics, topics)
            topics.check_publishers()
            self._activated.push(undo.pop_all())

    def _add_markers(self, worker: Worker, undo: ExitStack) -> None:
        endpoints = undo.enter_context(Endpoints(self.node))
        on_refused = partial(self._incidents.on_refused, NAMESPACE)
        markers = ClickMarkers(
            endpoints,
            camera=self._camera,
            settings=lambda: self.settings,
            ask=partial(ask, worker.submit, on_refused),
            on_refused=on_refused,
            on_fault=self._incidents.on_fault,
        )
        self._add_display(markers, undo)

    def _end_topics(self, topics: CameraTopics) -> None:
        topics.destroy()
        self._topics = None

    def end(self, timeout_s: float) -> bool:
        """Release everything that waits, because the process ends.

        Returns:
            False when a thread did not end in time: it computes, loads or draws.
        """
        self._ending = True
        until_s = time.monotonic() + timeout_s
        self._displays.stop()
        if self._worker is not None:
            self._worker.stop()
        drawn = self._displays.join(timeout_s)
        left_s = max(until_s - time.monotonic(), 0.0)
        return (self._worker is None or self._worker.join(left_s)) and drawn
