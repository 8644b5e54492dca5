"""A tracker, a camera whose pictures have ground truth, a console, and a browser."""

import itertools
import re
import threading
import time
from contextlib import suppress

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("starlette")

from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from etam_ros.demo.clip import ClipTruth
from etam_ros.ros.image_conversion import image_message
from etam_ros.synthetic.scene.clips import generate_clip

RATE_HZ = 1.5
FRAMES = 4
PARAMETERS = tuple(
    part
    for pair in ("diagnostics.period_s:=0.2", "prompt_timeout_s:=25.0", "history.seconds:=60.0")
    for part in ("-p", pair)
)
"""Patient: a machine that is busy with other tests answers late."""


class ClipCamera:
    """Publishes the frame of a clip that is asked for, again and again, with new stamps."""

    def __init__(self, publisher, clip):
        self.frames = list(itertools.islice(clip, FRAMES))
        self.truth = ClipTruth(clip.labels)
        self.index = 0
        self._publisher = publisher
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def label_image(self):
        return self.frames[self.index].label_image

    def inside(self, object_id):
        """The inmost pixel (x, y) of an object on the present frame."""
        return self.truth.click(self.label_image, object_id).points[0]

    def _run(self):
        while not self._stop.wait(1.0 / RATE_HZ):
            seconds, nanoseconds = divmod(time.time_ns(), 10**9)
            header = Header(stamp=Time(sec=seconds, nanosec=nanoseconds), frame_id="camera")
            self._publisher.publish(image_message(self.frames[self.index].image, "rgb8", header))

    def close(self):
        self._stop.set()
        self._thread.join()


@pytest.fixture(scope="module")
def camera(make_client):
    client = make_client()
    made = ClipCamera(client.camera, generate_clip(106, frames=90))
    yield made
    made.close()


@pytest.fixture(scope="module")
def front(start_web_node, make_client, ros):
    """A tracker that serves its own page, in a namespace with a camera of its own."""
    process = start_web_node(*ros.tiny, "-r", "__ns:=/front")
    camera = ClipCamera(make_client("/front").camera, generate_clip(108, frames=90))
    process.wait_for_log("activate: active")
    yield process, camera
    camera.close()


@pytest.fixture(scope="module")
def parameters():
    """Of trackers."""
    return PARAMETERS


@pytest.fixture(scope="module")
def tracker(start_tracker):
    """The shipped model, as a process."""
    process = start_tracker(*PARAMETERS)
    with suppress(AssertionError):
        process.wait_for_log("activate: active")
    process.wait_for_log("activate: active")  # loading takes a minute on a machine that is busy
    return process


def address_of(console):
    """Where a console process serves its page."""
    console.wait_for_log("Open http://")
    return re.search(r"Open (http://\S+)", console.log)[1]


@pytest.fixture(scope="module")
def console(start_console):
    process = start_console("-p", "port:=0")
    return process, address_of(process)
