"""The one thread that owns the tracker: frames come through a single slot, requests in a queue.

A newer frame takes the place of one that still waits; the history keeps both. Requests (prompts,
removals, reset) are served before the next frame, as long as they are not so many that no frame
would ever come, and at once while no frames come. Objects that were prompted on a past frame catch
up between the frames, one step after each.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import Final

from sensor_msgs.msg import CompressedImage, Image

from etam_ros.config import ImagesConfig
from etam_ros.errors import EtamError, PromptError
from etam_ros.ros.guarding import in_words
from etam_ros.ros.parameters import Settings
from etam_ros.ros.tracker.everything.long_requests import LongRequests, Steps
from etam_ros.ros.tracker.frames import ProcessedFrame, ReceivedImage
from etam_ros.ros.tracker.loading import Tracking
from etam_ros.ros.tracker.prompts.requests import Answer, Request
from etam_ros.ros.tracker.reports.statistics import FrameTimes, Statistics
from etam_ros.ros.tracker.reports.worker_events import WorkerEvents

MAX_REQUESTS: Final = 64
MOST_FAILURES: Final = 10
"""So many frames in a row that fail unexpectedly end the process: a device may have been lost, and
whoever started it can start it again."""
REQUESTS_BEFORE_FRAME: Final = 8
"""While a frame waits, so many requests at most go before it: a flood of them stops no frames."""


class Worker:
    """Runs the tracker in a thread of its own, from `start` to `stop`.

    Args:
        load: makes the tracker, in the worker's thread; gets a function that says whether to
            give up.
        settings: to begin with.
        statistics: counts and times the frames.
        events: told of results and errors.

    Attributes:
        object_count: objects followed now; any thread may read it.
        selected: id of the object that was chosen for bare clicks, None without one; likewise.
        busy_since_s: monotonic time at which the work began that is being done now, None while
            there is none; any thread may read it.
    """

    def __init__(
        self,
        load: Callable[[Callable[[], bool]], Tracking],
        settings: Settings,
        statistics: Statistics,
        events: WorkerEvents,
    ) -> None:
        self.object_count = 0
        self.selected: int | None = None
        self.busy_since_s: float | None = None
        self._load = load
        self._statistics = statistics
        self._events = events
        self._wake = threading.Condition()  # guards all that follows
        self._settings = settings
        self._tracking: Tracking | None = None
        self._slot: ReceivedImage | None = None
        self._requests: deque[Request] = deque()
        self._long_requests = LongRequests()
        self._active = False
        self._activation = 0  # another number after each activation and deactivation
        self._paused = False
        self._stopping = False
        self._failures = 0  # frames in a row that failed unexpectedly; of the thread alone
        self._publishing = threading.Lock()  # held while results go out
        self._ready: Future[str] = Future()
        # A daemon: a library that loads or computes in C cannot be interrupted, and the process
        # must be able to end without waiting for it.
        self._thread = threading.Thread(target=self._run, name="tracker", daemon=True)

    def start(self) -> None:
        """Begin to load."""
        self._thread.start()

    def wait_until_loaded(self) -> str:
        """Block until frames can come.

        Returns:
            the name of what was loaded: model, backend, device, precision.

        Raises:
            EtamError: loading failed.
            CancelledError: `stop` was called.
        """
        return self._ready.result()

    def check(self, settings: Settings) -> None:
        """Raise ConfigError if the tracker that is loaded cannot serve these settings."""
        with self._wake:
            tracking = self._tracking
        if tracking is not None and tracking.check is not None:
            tracking.check(settings.tracker)

    def apply(self, settings: Settings) -> None:
        """Use these settings for all frames and requests from now on."""
        with self._wake:
            self._settings = settings

    def activate(self) -> None:
        """Take frames from now on."""
        with self._wake:
            self._active, self._paused = True, False
            self._activation += 1

    def deactivate(self) -> None:
        """Take no more frames and forget the one that waits; nothing is published after this."""
        with self._wake:
            self._active, self._slot = False, None
            self._activation += 1
            self._long_requests.clear()
            if self._tracking is not None:
                self._tracking.history.clear()
        with self._publishing:  # what was going out is out
            pass

    def pause(self, paused: bool) -> None:
        """Ignore frames, forgetting the one that waits, or take them again."""
        with self._wake:
            self._paused = paused
            if paused:
                self._slot = None

    def offer(self, message: Image | CompressedImage) -> None:
        """Put a message into the slot and the history; called for each image that arrives."""
        received = ReceivedImage(message, time.monotonic_ns())
        self._statistics.on_received(received.received_ns)
        with self._wake:
            if not self._active or self._paused:
                return
            if self._slot is not None:
                self._statistics.on_dropped()
            self._slot = received
            if self._tracking is not None:
                read = partial(received.read, self._settings.images)
                self._tracking.history.add(received.stamp_ns, len(message.data), read)
            self._wake.notify()
        time.sleep(0)  # hands the interpreter to the worker; the executor has no hurry

    def submit(self, action: Callable[[Tracking], Answer]) -> Future[Answer]:
        """Have something done with the tracker between two frames.

        Returns:
            the answer to come; cancel it to withdraw a request that has not begun.

        Raises:
            PromptError: too many requests wait already, or the node ends.
        """
        request = Request(action)
        with self._wake:
            self._refuse_at_end()
            if len(self._requests) >= MAX_REQUESTS:
                raise PromptError(
                    f"{MAX_REQUESTS} requests are already waiting, expected fewer: send them "
                    "more slowly"
                )
            self._requests.append(request)
            self._wake.notify()
        return request.future

    def submit_long(self, action: Callable[[Tracking], Steps[Answer]]) -> Future[Answer]:
        """Have something done with the tracker that takes many steps, with frames between them.

        Returns:
            the answer to come; cancel it to withdraw the request at any time. Deactivation and
            the end of the node withdraw it, too.

        Raises:
            PromptError: the node ends.
        """
        with self._wake:
            self._refuse_at_end()
            future = self._long_requests.add(action)
            self._wake.notify()
        return future

    def _refuse_at_end(self) -> None:
        if self._stopping:
            raise PromptError("the node is shutting down: no more requests are accepted")

    def stop(self) -> None:
        """Ask the thread to end, and take back all that waits; returns at once."""
        with self._wake:
            self._stopping = True
            self._active, self._slot = False, None
            self._activation += 1
            waiting = [request.future for request in self._requests]
            self._requests.clear()
            self._long_requests.clear()
            self._wake.notify()
        for future in waiting:
            future.cancel()
        self._ready.cancel()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the thread to end; False when it has not by then."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            tracking = self._open()
        except BaseException as error:
            with suppress(InvalidStateError):  # cancelled by `stop`
                self._ready.set_exception(error)
            return
        try:
            with suppress(InvalidStateError):
                self._ready.set_result(tracking.stages.name)
            self._serve(tracking)
        except BaseException as error:
            self._events.on_crash(error)
        finally:
            tracking.close()

    def _open(self) -> Tracking:
        """Load, and check the settings, which may have changed meanwhile, against what came."""
        tracking = self._load(lambda: self._stopping)
        with self._wake:
            self._tracking, settings = tracking, self._settings
        try:
            self.check(settings)
        except BaseException:
            tracking.close()
            raise
        return tracking

    def _serve(self, tracking: Tracking) -> None:
        catches_up = False  # before the next frame
        served = 0  # requests while a frame waits
        long_requests = self._long_requests
        while True:
            with self._wake:
                catches_up = catches_up and not long_requests.holding
                if not catches_up:
                    self._wake.wait_for(
                        lambda: self._stopping or self._requests or self._slot or long_requests
                    )
                if self._stopping:
                    return
                settings, activation = self._settings, self._activation
                request = received = None
                if self._requests and (self._slot is None or served < REQUESTS_BEFORE_FRAME):
                    request = self._requests.popleft()
                    served = 0 if self._slot is None else served + 1
                goes_on = request is None and long_requests.is_next(
                    frame_waits=self._slot is not None, catching_up=catches_up
                )
                if request is None and not goes_on and not catches_up:
                    received, self._slot, served = self._slot, None, 0
            self.busy_since_s = time.monotonic()
            tracking.use(settings)
            catches_up = True
            if request is not None:
                self._tell_of_fault(request.serve(tracking))
            elif goes_on:
                self._tell_of_fault(long_requests.advance(tracking))
            elif received is not None:
                self._process(received, settings.images, activation, tracking)
                long_requests.take_turns(time.monotonic() - self.busy_since_s)
            else:
                catches_up = self._catch_up(tracking)
            self._tell_if_possible(activation, tracking)
            tracking.unselect_what_is_gone()
            self.object_count = len(tracking.tracker.object_ids)
            self.selected = tracking.selected
            catches_up = catches_up and tracking.tracker.is_behind
            self.busy_since_s = None

    def _catch_up(self, tracking: Tracking) -> bool:
        """Take objects that were prompted on a past frame one frame nearer to now.

        Returns:
            whether to go on at once, and not only after the next frame or request.
        """
        try:
            tracking.tracker.catch_up()
            tracking.look()
        except EtamError as error:
            self._events.on_failed_frame(error)
            return False
        except Exception as error:
            self._lose_frame(error)
            return False
        with self._wake:
            return self._slot is None

    def _tell_of_fault(self, error: Exception | None) -> None:
        """Report what nobody expected of a request; whoever asked knows already."""
        if error is not None:
            self._events.on_fault("a request", error)

    def _lose_frame(self, error: Exception) -> None:
        """Tell of what nobody expected; go on unless no frame gets through any more."""
        self._events.on_failed_frame(EtamError(in_words(error)))
        self._events.on_fault("a frame", error)
        self._failures += 1
        if self._failures >= MOST_FAILURES:
            raise error

    def _process(
        self, received: ReceivedImage, config: ImagesConfig, activation: int, tracking: Tracking
    ) -> None:
        """Take one frame through the tracker; one that is lost is reported and forgotten."""
        taken_ns = time.monotonic_ns()
        tracking.stages.take()  # the time of prompts since the last frame
        try:
            frame = received.read(config, self._events.on_odd_image)
        except EtamError as error:
            self._events.on_bad_image(error)
            return
        except Exception as error:  # whatever a camera sends, the next image may be good
            self._events.on_bad_image(EtamError(in_words(error)))
            self._events.on_fault("reading an image", error)
            return
        header = received.message.header
        try:
            result = tracking.tracker.step(frame, catch_up=False)
            tracking.newest, tracking.newest_frame = header, frame
            tracking.look(frame.image)
            processed = ProcessedFrame(
                result, tracking.watch.last_seen, frame.image, header, received.received_ns
            )
            self._give_out(processed, taken_ns, activation, tracking)
            self._failures = 0
        except EtamError as error:
            self._events.on_failed_frame(error)
        except Exception as error:
            self._lose_frame(error)

    def _give_out(
        self, processed: ProcessedFrame, taken_ns: int, activation: int, tracking: Tracking
    ) -> None:
        """Hand on the results, unless the node was deactivated since the frame was taken."""
        with self._publishing:
            if activation != self._activation:
                return
            self._events.on_result(processed)
            published_ns = time.monotonic_ns()
            stages_ms = tracking.stages.take()  # waits for a GPU, which still writes memories
            self._statistics.on_processed(
                FrameTimes(processed.received_ns, taken_ns, published_ns, stages_ms)
            )

    def _tell_if_possible(self, activation: int, tracking: Tracking) -> None:
        try:
            self._tell(activation, tracking)
        except Exception as error:
            self._events.on_fault("telling what became of objects", error)

    def _tell(self, activation: int, tracking: Tracking) -> None:
        """Hand on what was applied and what became of it; what nobody may be told now waits."""
        with self._publishing:
            if self._active and activation == self._activation:
                applied, events = tracking.take_applied(), tracking.watch.take_events()
                if applied:
                    self._events.on_applied_prompts(applied)
                if events:
                    self._events.on_track_events(events)
