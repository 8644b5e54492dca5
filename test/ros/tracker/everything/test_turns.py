"""Frames and the steps of a long request take turns in the worker's thread."""

from __future__ import annotations

import threading
from array import array
from concurrent.futures import CancelledError
from functools import partial

import pytest
import torch
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from etam_ros.config import NodeConfig
from etam_ros.errors import PromptError
from etam_ros.ros.parameters import Settings
from etam_ros.ros.tracker.loading import load_tracking
from etam_ros.ros.tracker.reports.statistics import Statistics
from etam_ros.ros.tracker.reports.worker_events import WorkerEvents
from etam_ros.ros.tracker.worker import Worker

DEADLINE_S = 60.0
TINY = Settings(node=NodeConfig(model="tiny_test", weights="random:0"))


class Camera:
    """Keeps the slot of a worker full: offers two frames whenever one was processed."""

    def __init__(self):
        self.order, self.sent, self.running = [], 0, False
        events = WorkerEvents(self.on_result, *[self.ignore] * 5)
        self.worker = Worker(partial(load_tracking, TINY), TINY, Statistics(10, 0), events)

    def ignore(self, *_):
        """What nobody asks for here."""

    def offer(self):
        self.sent += 1
        header = Header(stamp=Time(sec=self.sent), frame_id="camera")
        data = array("B", bytes(48 * 64 * 3))
        self.worker.offer(
            Image(header=header, height=48, width=64, encoding="rgb8", step=192, data=data)
        )

    def on_result(self, _):
        self.order.append("frame")
        if self.running:
            self.offer()
            self.offer()


@pytest.fixture
def camera():
    camera = Camera()
    camera.worker.start()
    camera.worker.wait_until_loaded()
    camera.worker.activate()
    yield camera
    camera.running = False
    camera.worker.stop()
    assert camera.worker.join(DEADLINE_S)


def steps(camera, count, tracking):
    """Each takes as long as some frames do."""
    picture = torch.zeros(1, 3, *[tracking.stages.sizes.image_size] * 2)
    for _ in range(count):
        for _ in range(4):
            tracking.stages.encode_image(picture)
        camera.order.append("step")
        yield False
    return "done"


def test_while_frames_wait_they_get_at_least_half_of_the_time(camera):
    camera.running = True
    camera.offer()
    assert camera.worker.submit_long(partial(steps, camera, 10)).result(DEADLINE_S) == "done"
    order = camera.order[camera.order.index("step") :]
    assert order.count("step") == 10
    assert order.count("frame") >= 10


def test_without_frames_the_steps_follow_each_other(camera):
    assert camera.worker.submit_long(partial(steps, camera, 3)).result(DEADLINE_S) == "done"
    assert camera.order == ["step"] * 3


@pytest.mark.parametrize("end", [Worker.deactivate, Worker.stop])
def test_the_end_of_tracking_withdraws_what_takes_long(camera, end):
    begun, closed = threading.Event(), threading.Event()

    def endless(tracking):
        try:
            while True:
                begun.set()
                yield False
        finally:
            closed.set()

    futures = [camera.worker.submit_long(endless) for _ in range(2)]
    assert begun.wait(DEADLINE_S)
    end(camera.worker)
    for future in futures:
        with pytest.raises(CancelledError):
            future.result(DEADLINE_S)
    if end is Worker.stop:
        with pytest.raises(PromptError, match="the node is shutting down"):
            camera.worker.submit_long(endless)
    else:
        assert closed.wait(DEADLINE_S)
