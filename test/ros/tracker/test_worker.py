"""The worker thread on the tiny network: the slot, the requests, and how it ends."""

import threading
from array import array
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from etam_ros.msg import Prompt, TrackEvent
from geometry_msgs.msg import Point32
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from etam_ros.config import HistoryConfig, ImagesConfig, NodeConfig, TrackerConfig
from etam_ros.errors import ConfigError, ImageError, PromptError, StageError, WeightsError
from etam_ros.ros.parameters import Settings
from etam_ros.ros.tracker.loading import load_tracking
from etam_ros.ros.tracker.prompts.actions import Click, apply_click, apply_prompt
from etam_ros.ros.tracker.prompts.requests import wait_for_answer
from etam_ros.ros.tracker.reports.statistics import Statistics
from etam_ros.ros.tracker.worker import (
    MAX_REQUESTS,
    MOST_FAILURES,
    REQUESTS_BEFORE_FRAME,
    Worker,
    WorkerEvents,
)

DEADLINE_S = 60.0
TINY = Settings(node=NodeConfig(model="tiny_test", weights="random:0"))


class Listener:
    """Collects what a worker tells."""

    def __init__(self):
        self.statistics = Statistics(10, 0)
        self.published, self.bad, self.failed, self.crashes = [], [], [], []
        self.faults = []
        self.track_events = []
        self.happened = threading.Condition()
        self.publish = partial(self._note, self.published)  # a test may put another in its place

    def worker(self, load, settings=TINY):
        """A worker that tells this listener."""
        events = WorkerEvents(
            on_result=self._publish,
            on_track_events=self._note_events,
            on_bad_image=partial(self._note, self.bad),
            on_failed_frame=partial(self._note, self.failed),
            on_crash=partial(self._note, self.crashes),
            on_fault=lambda *fault: self._note(self.faults, fault),
        )
        return Worker(load, settings, self.statistics, events)

    def _publish(self, processed):
        self.publish(processed)

    def _note_events(self, events):
        with self.happened:
            self.track_events += events
            self.happened.notify_all()

    def _note(self, into, what):
        with self.happened:
            into.append(what)
            self.happened.notify_all()

    def wait_for(self, condition):
        with self.happened:
            assert self.happened.wait_for(condition, DEADLINE_S)


@pytest.fixture
def listener():
    return Listener()


@pytest.fixture
def worker(listener):
    worker = listener.worker(partial(load_tracking, TINY))
    worker.start()
    assert worker.wait_until_loaded().startswith("tiny_test")
    worker.activate()
    yield worker
    worker.stop()
    assert worker.join(DEADLINE_S)


def image(frame_id, encoding="rgb8", height=48, width=64):
    data = array("B", bytes(height * width * 3))
    header = Header(frame_id=frame_id)
    return Image(
        header=header, height=height, width=width, encoding=encoding, step=width * 3, data=data
    )


class Held:
    """Keeps the worker busy with a request until released."""

    def __init__(self, worker):
        self.begun, self.release = threading.Event(), threading.Event()
        self.future = worker.submit(self._hold)
        assert self.begun.wait(DEADLINE_S)

    def _hold(self, tracking):
        self.begun.set()
        assert self.release.wait(DEADLINE_S)


def test_results_do_not_wait_for_the_times_of_the_stages(worker, listener):
    told = []

    def tell_of_takes(tracking):
        take = tracking.stages.take
        tracking.stages.take = lambda: (told.append("times"), take())[1]

    def publish(processed):
        told.append("result")
        listener._note(listener.published, processed)

    worker.submit(tell_of_takes).result(DEADLINE_S)
    listener.publish = publish
    worker.offer(image("first"))
    listener.wait_for(lambda: listener.published)
    worker.submit(lambda tracking: None).result(DEADLINE_S)
    assert told == ["times", "result", "times"]  # the first time to forget those of prompts


def test_the_newest_frame_wins_and_the_others_are_counted(worker, listener):
    held = Held(worker)
    for name in ("old", "older", "newest"):
        worker.offer(image(name))
    held.release.set()
    listener.wait_for(lambda: listener.published)
    assert [p.header.frame_id for p in listener.published] == ["newest"]
    assert (listener.statistics.received, listener.statistics.dropped) == (3, 2)
    assert listener.published[0].result.frame_number == 1, "warming up leaves no trace"
    assert listener.published[0].result.objects == ()


def stamped(number):
    """The image of that second, which has things in it."""
    message = image("camera")
    message.header.stamp.sec = number
    pixels = np.random.default_rng(number).integers(0, 256, len(message.data), np.uint8)
    message.data = array("B", pixels.tobytes())
    return message


def prompted(worker, number):
    """Ask for an object on the image of that second."""
    prompt = Prompt(header=Header(stamp=Time(sec=number)), point_labels=[1])
    prompt.points = [Point32(x=30.0, y=20.0)]
    return worker.submit(partial(apply_prompt, prompt, "~/prompt"))


def test_dropped_frames_can_be_prompted_and_objects_catch_up_between_the_frames(worker, listener):
    """With one that never came in between, which cannot."""
    worker.apply(replace(TINY, history=HistoryConfig(seconds=60.0)))
    held = Held(worker)
    for number in (1, 2, 4, 5, 6, 7, 8, 9):
        worker.offer(stamped(number))
    held.release.set()
    listener.wait_for(lambda: listener.published)
    assert listener.statistics.dropped == 7
    with pytest.raises(PromptError, match="nearest one is of"):
        prompted(worker, 3).result(DEADLINE_S)
    tracked, header = prompted(worker, 2).result(DEADLINE_S)
    assert (tracked.id, header) == (1, Header(stamp=Time(sec=2), frame_id="camera"))
    worker.submit(until_caught_up).result(DEADLINE_S)
    worker.offer(stamped(10))
    listener.wait_for(lambda: len(listener.published) == 2)
    (state,) = listener.published[1].result.objects
    assert state.object_id == 1
    assert [event.kind for event in listener.track_events][:1] == [TrackEvent.ADDED]


def until_caught_up(tracking):
    while tracking.tracker.is_behind:
        tracking.tracker.catch_up()


def test_live_frames_and_catching_up_take_turns(listener):
    """Where a frame always waits, as when the camera is faster than the tracker."""
    done = []

    def load(stopping):
        tracking = load_tracking(TINY, stopping)
        step, catch_up = tracking.tracker.step, tracking.tracker.catch_up

        def full_slot(worker):
            while worker._slot is None and worker._active:
                worker.offer(stamped(20 + len(done)))

        def noted_step(frame, **options):
            done.append("frame")
            full_slot(worker)
            return step(frame, **options)

        def noted_catch_up():
            done.append("catch up")
            return catch_up()

        tracking.tracker.step, tracking.tracker.catch_up = noted_step, noted_catch_up
        return tracking

    worker = listener.worker(load, replace(TINY, history=HistoryConfig(seconds=60.0)))
    worker.start()
    worker.wait_until_loaded()
    worker.activate()
    held = Held(worker)
    for number in range(1, 20):
        worker.offer(stamped(number))
    prompt = prompted(worker, 3)
    held.release.set()
    with pytest.raises(PromptError, match="no image"):
        prompt.result(DEADLINE_S)
    prompt = prompted(worker, 3)
    prompt.result(DEADLINE_S)
    listener.wait_for(lambda: any(each.result.objects for each in listener.published))
    worker.stop()
    assert worker.join(DEADLINE_S)
    first = done.index("catch up")
    assert done[first : first + 9] == ["catch up", "frame"] * 4 + ["catch up"]
    assert done.count("catch up") == 5, "through four frames and to the newest"


def test_what_cannot_catch_up_is_reported_and_does_not_keep_the_worker_busy(listener):
    def load(stopping):
        tracking = load_tracking(TINY, stopping)

        def failing():
            raise StageError("no way")

        tracking.tracker.catch_up = failing
        return tracking

    worker = listener.worker(load)
    worker.start()
    worker.wait_until_loaded()
    worker.activate()
    for number in (1, 2):
        worker.offer(stamped(number))
        listener.wait_for(lambda number=number: len(listener.published) == number)
    prompted(worker, 1).result(DEADLINE_S)
    listener.wait_for(lambda: listener.failed)
    worker.submit(lambda _: None).result(DEADLINE_S)
    listener.wait_for(lambda: len(listener.failed) == 2)
    threading.Event().wait(0.2)
    assert len(listener.failed) == 2
    worker.stop()
    assert worker.join(DEADLINE_S)


def test_requests_are_served_before_the_next_frame_and_without_frames(worker, listener):
    order = []
    held = Held(worker)
    worker.offer(image("frame"))
    requests = [
        worker.submit(lambda _, n=n: order.append((n, len(listener.published)))) for n in (1, 2)
    ]
    held.release.set()
    for request in requests:
        wait_for_answer(request, DEADLINE_S)
    assert order == [(1, 0), (2, 0)]
    listener.wait_for(lambda: listener.published)
    assert wait_for_answer(worker.submit(lambda t: t.newest.frame_id), DEADLINE_S) == "frame"


def test_frames_go_on_where_requests_come_faster_than_they_are_served(worker, listener):
    """Each request asks for the next one before it ends, and one waits at any time."""
    served = []

    def again(tracking):
        served.append(len(listener.published))
        if not listener.published:
            worker.submit(again)

    held = Held(worker)
    worker.submit(again)
    worker.submit(again)
    worker.offer(image("frame"))
    held.release.set()
    listener.wait_for(lambda: listener.published)
    worker.submit(lambda _: None).result(DEADLINE_S)
    assert served.count(0) == REQUESTS_BEFORE_FRAME
    assert listener.crashes == []


def test_a_bad_frame_is_told_and_the_next_one_followed(worker, listener):
    worker.offer(image("bad", encoding="cmyk99"))
    listener.wait_for(lambda: listener.bad)
    worker.offer(image("good"))
    listener.wait_for(lambda: listener.published)
    assert [p.header.frame_id for p in listener.published] == ["good"]
    assert listener.crashes == []


def test_refusals_reach_whoever_asked(worker):
    def refuse(tracking):
        raise PromptError("no such thing")

    with pytest.raises(PromptError, match="no such thing"):
        wait_for_answer(worker.submit(refuse), DEADLINE_S)


def test_a_request_that_waits_too_long_is_withdrawn(worker):
    held = Held(worker)
    done = []
    late = worker.submit(done.append)
    with pytest.raises(PromptError, match="was not applied"):
        wait_for_answer(late, 0.01)
    with pytest.raises(PromptError, match="may still be applied"):
        wait_for_answer(held.future, 0.01)
    held.release.set()
    assert wait_for_answer(worker.submit(lambda _: "next"), DEADLINE_S) == "next"
    assert done == []


def test_the_queue_is_bounded(worker):
    held = Held(worker)
    for _ in range(MAX_REQUESTS):
        worker.submit(lambda _: None)
    with pytest.raises(PromptError, match="requests are already waiting"):
        worker.submit(lambda _: None)
    held.release.set()


def test_frames_are_ignored_while_paused_or_inactive(worker, listener):
    worker.pause(True)
    worker.offer(image("paused"))
    worker.pause(False)
    worker.deactivate()
    worker.offer(image("inactive"))
    worker.activate()
    worker.offer(image("active"))
    listener.wait_for(lambda: listener.published)
    assert [p.header.frame_id for p in listener.published] == ["active"]
    assert listener.statistics.dropped == 0


def test_new_settings_are_in_force_for_the_next_request_and_frame(worker, listener):
    worker.offer(image("frame"))
    listener.wait_for(lambda: listener.published)
    worker.apply(
        Settings(TINY.node, TrackerConfig(max_objects=3), images=ImagesConfig(max_megapixels=0.01))
    )
    config = wait_for_answer(worker.submit(lambda t: t.tracker.config), DEADLINE_S)
    assert config.max_objects == 3
    worker.offer(image("large", height=120, width=160))
    listener.wait_for(lambda: listener.bad)
    assert "160x120" in str(listener.bad[0])


def test_a_request_that_fails_unexpectedly_is_answered_and_the_next_one_served(worker, listener):
    with pytest.raises(PromptError, match=r"ZeroDivisionError: .*: try another"):
        worker.submit(lambda _: 1 / 0).result(DEADLINE_S)
    for _ in range(2 * MOST_FAILURES):  # prompts come from outside: no number of them is too many
        with suppress(PromptError):
            worker.submit(lambda _: 1 / 0).result(DEADLINE_S)
    assert worker.submit(lambda _: "served").result(DEADLINE_S) == "served"
    listener.wait_for(lambda: len(listener.faults) == 1 + 2 * MOST_FAILURES)
    place, error = listener.faults[0]
    assert (place, type(error)) == ("a request", ZeroDivisionError)
    assert listener.crashes == []


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("Unable to allocate 9 GiB"),
        RuntimeError("DefaultCPUAllocator: can't\nallocate memory"),
        TypeError("a bytes-like object is required"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_frame_that_fails_unexpectedly_is_lost_and_the_next_one_followed(
    worker, listener, error
):
    encode = break_the_network(worker, error)
    worker.offer(image("lost"))
    listener.wait_for(lambda: listener.failed)
    worker.submit(lambda tracking: mend_the_network(tracking, encode)).result(DEADLINE_S)
    worker.offer(image("followed"))
    listener.wait_for(lambda: listener.published)
    assert [p.header.frame_id for p in listener.published] == ["followed"]
    assert str(listener.failed[0]).startswith(type(error).__name__)
    assert "\n" not in str(listener.failed[0])
    assert [place for place, _ in listener.faults] == ["a frame"]
    assert listener.crashes == []


def test_only_frame_after_frame_that_fails_ends_the_worker(listener):
    worker = listener.worker(partial(load_tracking, TINY))
    worker.start()
    worker.wait_until_loaded()
    worker.activate()
    break_the_network(worker, RuntimeError("device lost"))
    for number in range(MOST_FAILURES):
        worker.offer(image("lost"))
        listener.wait_for(lambda number=number: len(listener.failed) == number + 1)
    assert worker.join(DEADLINE_S)
    assert [str(error) for error in listener.crashes] == ["device lost"]


def test_images_that_cannot_be_read_for_any_reason_never_end_the_worker(worker, listener):
    for number in range(2 * MOST_FAILURES):
        odd = image("odd")
        odd._data = array("d", [0.0])  # a length that says nothing of its bytes
        odd._encoding = None
        worker.offer(odd)
        listener.wait_for(lambda number=number: len(listener.bad) == number + 1)
    worker.offer(image("good"))
    listener.wait_for(lambda: listener.published)
    assert listener.crashes == []


def break_the_network(worker, error):
    """Let each frame fail by an error that nobody expects; how to mend it."""

    def fail(*_):
        raise error

    def break_it(tracking):
        steps = tracking.tracker._steps
        whole, steps.encode_image = steps.encode_image, fail
        return whole

    return worker.submit(break_it).result(DEADLINE_S)


def mend_the_network(tracking, encode_image):
    tracking.tracker._steps.encode_image = encode_image


def test_stop_takes_back_what_waits_and_refuses_more(listener):
    worker = listener.worker(partial(load_tracking, TINY))
    worker.start()
    worker.wait_until_loaded()
    held = Held(worker)
    waiting = worker.submit(lambda _: None)
    worker.stop()
    with pytest.raises(PromptError, match="the node is shutting down"):
        wait_for_answer(waiting, DEADLINE_S)
    with pytest.raises(PromptError, match="the node is shutting down"):
        worker.submit(lambda _: None)
    held.release.set()
    assert worker.join(DEADLINE_S)


def test_stop_during_loading_releases_whoever_waits_for_it(listener):
    begun, release = threading.Event(), threading.Event()

    def load(stopping):
        begun.set()
        assert release.wait(DEADLINE_S)
        return load_tracking(TINY, stopping)

    worker = listener.worker(load)
    worker.start()
    assert begun.wait(DEADLINE_S)
    worker.stop()
    with pytest.raises(CancelledError):
        worker.wait_until_loaded()
    release.set()
    assert worker.join(DEADLINE_S)
    assert listener.crashes == []


def test_what_loading_raises_reaches_whoever_waits(listener):
    missing = Settings(node=NodeConfig(model="tiny_test", weights="/no/such/file.pt"))
    worker = listener.worker(partial(load_tracking, missing), missing)
    worker.start()
    with pytest.raises(WeightsError, match=r"no/such/file\.pt"):
        worker.wait_until_loaded()
    assert worker.join(DEADLINE_S)


def test_the_picture_of_an_rgb_message_is_not_copied(worker, listener):
    message = image("view")
    worker.offer(message)
    listener.wait_for(lambda: listener.published)
    raw = np.frombuffer(message.data, np.uint8)
    assert np.shares_memory(listener.published[0].image, raw)


def test_what_fails_after_the_picture_was_read_is_no_bad_image(worker, listener):
    def refuse(processed):
        raise ImageError("it was the publisher, not the camera")

    publish, listener.publish = listener.publish, refuse
    worker.offer(image("good"))
    listener.wait_for(lambda: listener.failed)
    listener.publish = publish
    worker.offer(image("next"))
    listener.wait_for(lambda: listener.published)
    assert listener.bad == []
    assert [str(error) for error in listener.failed] == ["it was the publisher, not the camera"]


def test_deactivate_returns_only_when_what_was_going_out_is_out(worker, listener):
    begun, release = threading.Event(), threading.Event()
    order = []

    def publish(processed):
        begun.set()
        assert release.wait(DEADLINE_S)
        order.append("published")

    def deactivate():
        worker.deactivate()
        order.append("deactivated")

    listener.publish = publish
    worker.offer(image("frame"))
    assert begun.wait(DEADLINE_S)
    thread = threading.Thread(target=deactivate)
    thread.start()
    thread.join(0.2)  # as long as it likes: it must not come back yet
    assert thread.is_alive()
    release.set()
    thread.join(DEADLINE_S)
    assert order == ["published", "deactivated"]


def test_a_frame_of_an_activation_before_is_not_published_in_the_next(listener):
    """It was in the tracker while the node was deactivated and activated again."""
    begun, release = threading.Event(), threading.Event()

    def load(stopping):
        tracking = load_tracking(TINY, stopping)
        step = tracking.tracker.step

        def held_step(frame, **options):
            result = step(frame, **options)
            begun.set()
            assert release.wait(DEADLINE_S)
            return result

        tracking.tracker.step = held_step
        return tracking

    worker = listener.worker(load)
    worker.start()
    worker.wait_until_loaded()
    worker.activate()
    worker.offer(image("before"))
    assert begun.wait(DEADLINE_S)
    worker.deactivate()
    worker.activate()
    worker.offer(image("after"))
    release.set()
    listener.wait_for(lambda: listener.published)
    assert [p.header.frame_id for p in listener.published] == ["after"]
    worker.stop()
    assert worker.join(DEADLINE_S)


def test_what_happens_while_nothing_may_be_published_is_told_in_the_next_activation(
    worker, listener
):
    worker.offer(image("before"))
    listener.wait_for(lambda: listener.published)
    held = Held(worker)
    click = worker.submit(partial(apply_click, Click((30, 20), "~/click"), "auto"))
    worker.deactivate()
    held.release.set()
    wait_for_answer(click, DEADLINE_S)
    wait_for_answer(worker.submit(lambda _: None), DEADLINE_S)
    assert listener.track_events == []
    worker.activate()
    worker.offer(image("after"))
    listener.wait_for(lambda: listener.track_events)
    event = listener.track_events[0]
    assert (event.kind, event.object_id) == (TrackEvent.ADDED, 1)
    assert event.header.frame_id == "before"


def few_objects_alone(stopping):
    """Tracking whose stages cannot serve more than two objects."""

    def check(config):
        if config.max_objects > 2:
            raise ConfigError(f"max_objects is {config.max_objects}, the plan has room for 2")

    settings = Settings(TINY.node, TrackerConfig(max_objects=2))
    return replace(load_tracking(settings, stopping), check=check)


def test_settings_that_the_stages_cannot_serve_are_refused_at_opening_and_later(listener):
    refused = listener.worker(few_objects_alone)
    refused.start()
    with pytest.raises(ConfigError, match="room for 2"):
        refused.wait_until_loaded()
    assert refused.join(DEADLINE_S)

    two = Settings(TINY.node, TrackerConfig(max_objects=2))
    worker = listener.worker(few_objects_alone, two)
    worker.check(TINY)  # nothing is loaded that could refuse it
    worker.start()
    worker.wait_until_loaded()
    worker.check(two)
    with pytest.raises(ConfigError, match="room for 2"):
        worker.check(TINY)
    worker.stop()
    assert worker.join(DEADLINE_S)
    assert listener.crashes == []


def test_requests_that_queue_behind_a_long_one_do_not_wait_for_each_other(worker):
    """Services are called one after the other: the second must not wait for two timeouts."""
    assert worker.busy_since_s is None
    held = Held(worker)
    assert worker.busy_since_s is not None
    for _ in range(3):
        future = worker.submit(lambda _: None)
        with pytest.raises(PromptError, match="it was not applied"):
            wait_for_answer(future, DEADLINE_S, waited_s=DEADLINE_S)
    held.release.set()
    assert wait_for_answer(worker.submit(lambda _: "done"), DEADLINE_S) == "done"
