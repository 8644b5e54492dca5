"""The worker thread on the tiny network: the slot, the requests, and how it ends."""

import threading
from array import array
from concurrent.futures import CancelledError
from functools import partial

import numpy as np
import pytest
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from etam_ros.config import NodeConfig, TrackerConfig
from etam_ros.errors import PromptError, WeightsError
from etam_ros.ros.parameters import Settings
from etam_ros.ros.tracker.loading import load_tracking
from etam_ros.ros.tracker.statistics import Statistics
from etam_ros.ros.tracker.worker import MAX_REQUESTS, Worker, wait_for_answer

DEADLINE_S = 60.0
TINY = Settings(node=NodeConfig(model="tiny_test", weights="random:0"))


class Owner:
    """Collects what the worker tells its node."""

    def __init__(self):
        self.settings = TINY
        self.statistics = Statistics(10, 0)
        self.published, self.bad, self.crashes = [], [], []
        self.happened = threading.Condition()

    def _note(self, into, what):
        with self.happened:
            into.append(what)
            self.happened.notify_all()

    def publish(self, processed):
        self._note(self.published, processed)

    def on_bad_frame(self, error):
        self._note(self.bad, error)

    def on_crash(self, error):
        self._note(self.crashes, error)

    def wait_for(self, condition):
        with self.happened:
            assert self.happened.wait_for(condition, DEADLINE_S)


@pytest.fixture
def owner():
    return Owner()


@pytest.fixture
def worker(owner):
    worker = Worker(partial(load_tracking, TINY), owner)
    worker.start()
    assert worker.wait_until_loaded().startswith("tiny_test")
    worker.activate()
    yield worker
    worker.stop()
    assert worker.join(DEADLINE_S)


def image(frame_id, encoding="rgb8"):
    data = array("B", bytes(48 * 64 * 3))
    header = Header(frame_id=frame_id)
    return Image(header=header, height=48, width=64, encoding=encoding, step=192, data=data)


class Held:
    """Keeps the worker busy with a request until released."""

    def __init__(self, worker):
        self.begun, self.release = threading.Event(), threading.Event()
        self.future = worker.submit(self._hold)
        assert self.begun.wait(DEADLINE_S)

    def _hold(self, tracking):
        self.begun.set()
        assert self.release.wait(DEADLINE_S)


def test_the_newest_frame_wins_and_the_others_are_counted(worker, owner):
    held = Held(worker)
    for name in ("old", "older", "newest"):
        worker.offer(image(name))
    held.release.set()
    owner.wait_for(lambda: owner.published)
    assert [p.header.frame_id for p in owner.published] == ["newest"]
    assert (owner.statistics.received, owner.statistics.dropped) == (3, 2)
    assert owner.published[0].result.frame_number == 1, "warming up leaves no trace"
    assert owner.published[0].result.objects == ()


def test_requests_are_served_before_the_next_frame_and_without_frames(worker, owner):
    order = []
    held = Held(worker)
    worker.offer(image("frame"))
    requests = [
        worker.submit(lambda _, n=n: order.append((n, len(owner.published)))) for n in (1, 2)
    ]
    held.release.set()
    for request in requests:
        wait_for_answer(request, DEADLINE_S)
    assert order == [(1, 0), (2, 0)]
    owner.wait_for(lambda: owner.published)
    assert wait_for_answer(worker.submit(lambda t: t.newest.frame_id), DEADLINE_S) == "frame"


def test_a_bad_frame_is_told_and_the_next_one_followed(worker, owner):
    worker.offer(image("bad", encoding="cmyk99"))
    owner.wait_for(lambda: owner.bad)
    worker.offer(image("good"))
    owner.wait_for(lambda: owner.published)
    assert [p.header.frame_id for p in owner.published] == ["good"]
    assert owner.crashes == []


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
    with pytest.raises(PromptError, match="requests wait already"):
        worker.submit(lambda _: None)
    held.release.set()


def test_frames_are_ignored_while_paused_or_inactive(worker, owner):
    worker.pause(True)
    worker.offer(image("paused"))
    worker.pause(False)
    worker.deactivate()
    worker.offer(image("inactive"))
    worker.activate()
    worker.offer(image("active"))
    owner.wait_for(lambda: owner.published)
    assert [p.header.frame_id for p in owner.published] == ["active"]
    assert owner.statistics.dropped == 0


def test_new_settings_are_in_force_for_the_next_request(worker, owner):
    worker.offer(image("frame"))
    owner.wait_for(lambda: owner.published)
    owner.settings = Settings(node=TINY.node, tracker=TrackerConfig(max_objects=3))
    config = wait_for_answer(worker.submit(lambda t: t.tracker.config), DEADLINE_S)
    assert config.max_objects == 3


def test_a_bug_ends_the_worker_and_is_told(owner):
    worker = Worker(partial(load_tracking, TINY), owner)
    worker.start()
    worker.wait_until_loaded()
    request = worker.submit(lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        request.result(DEADLINE_S)
    assert worker.join(DEADLINE_S)
    assert [type(error) for error in owner.crashes] == [ZeroDivisionError]


def test_stop_takes_back_what_waits_and_refuses_more(owner):
    worker = Worker(partial(load_tracking, TINY), owner)
    worker.start()
    worker.wait_until_loaded()
    held = Held(worker)
    waiting = worker.submit(lambda _: None)
    worker.stop()
    with pytest.raises(PromptError, match="the node ends"):
        wait_for_answer(waiting, DEADLINE_S)
    with pytest.raises(PromptError, match="the node ends"):
        worker.submit(lambda _: None)
    held.release.set()
    assert worker.join(DEADLINE_S)


def test_stop_during_loading_releases_whoever_waits_for_it(owner):
    begun, release = threading.Event(), threading.Event()

    def load(stopping):
        begun.set()
        assert release.wait(DEADLINE_S)
        return load_tracking(TINY, stopping)

    worker = Worker(load, owner)
    worker.start()
    assert begun.wait(DEADLINE_S)
    worker.stop()
    with pytest.raises(CancelledError):
        worker.wait_until_loaded()
    release.set()
    assert worker.join(DEADLINE_S)
    assert owner.crashes == []


def test_what_loading_raises_reaches_whoever_waits(owner):
    missing = Settings(node=NodeConfig(model="tiny_test", weights="/no/such/file.pt"))
    worker = Worker(partial(load_tracking, missing), owner)
    worker.start()
    with pytest.raises(WeightsError, match=r"no/such/file\.pt"):
        worker.wait_until_loaded()
    assert worker.join(DEADLINE_S)


def test_the_picture_of_an_rgb_message_is_not_copied(worker, owner):
    message = image("view")
    worker.offer(message)
    owner.wait_for(lambda: owner.published)
    raw = np.frombuffer(message.data, np.uint8)
    assert np.shares_memory(owner.published[0].image, raw)
