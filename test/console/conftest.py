"""A server of the page with a small desk behind it, and viewers that are no browsers."""

import json
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from etam_ros.console.config import WebConfig
from etam_ros.console.desk import Answer
from etam_ros.console.hub import Hub
from etam_ros.console.label_runs import LabelRuns
from etam_ros.console.pictures import ShownObject, jpeg_of, pack
from etam_ros.console.server import Server

TOKEN = "a-token-of-the-tests"
PATIENCE_S = 20.0


class SquareDesk:
    """Shows a square that moves, and tells what was asked."""

    def __init__(self, hub, names=("/tracker",)):
        self.hub = hub
        self.asked = []
        self.watched = set()
        self.shown = 0
        hub.offer(names)

    def watch(self, name):
        self.watched.add(name)
        self.hub.channel(name).say({"mode": "live", "state": "active", "selected": 0})

    def leave(self, name):
        self.watched.discard(name)

    def do(self, name, command, reply):
        self.asked.append((name, command))
        threading.Thread(
            target=reply, args=(Answer(True, f"{type(command).__name__} done"),)
        ).start()

    def show(self, hw=(48, 64), name="/tracker"):
        """The next picture, on which the square is one pixel further."""
        self.shown += 1
        picture, labels = np.zeros((*hw, 3), np.uint8), np.zeros(hw, np.uint16)
        left = self.shown % 16
        picture[8:24, left : left + 16], labels[8:24, left : left + 16] = (200, 30, 30), 7
        shown = ShownObject(
            7, "square", False, 0.9, 0.8, (left + 7.5, 15.5), (left, 8, left + 16, 24)
        )
        self.hub.channel(name).show(
            pack(self.shown, time.time_ns(), jpeg=jpeg_of(picture, 640, 80), hw=hw,
                 labels=LabelRuns.of(labels), objects=[shown], more={})
        )  # fmt: skip


class PlainViewer:
    """A live connection without a browser."""

    def __init__(self, port, **more):
        headers = {"Origin": f"http://127.0.0.1:{port}", **more.pop("headers", {})}
        self.socket = connect(
            f"ws://127.0.0.1:{port}/live", additional_headers=headers, compression=None,
            max_size=None, open_timeout=PATIENCE_S, proxy=None, **more,
        )  # fmt: skip

    def send(self, **message):
        self.socket.send(json.dumps(message))

    def receive(self):
        data = self.socket.recv(timeout=PATIENCE_S)
        if isinstance(data, str):
            return json.loads(data)
        length = int.from_bytes(data[:4], "big")
        return {"kind": "picture", **json.loads(data[4 : 4 + length]), "bytes": len(data)}

    def wait_for(self, kind, **fields):
        """The next message of a kind, with these fields."""
        while True:
            message = self.receive()
            if message["kind"] == kind and fields.items() <= message.items():
                return message

    def end(self):
        """Read until the server ends it; the code with which it does."""
        try:
            while True:
                self.receive()
        except ConnectionClosed as ended:
            return ended.rcvd.code

    def close(self):
        self.socket.close()


@contextmanager
def serving(**config):
    """A server, its desk and its port."""
    hub = Hub()
    desk = SquareDesk(hub)
    with Server(WebConfig(port=0, **config), hub, desk) as server:
        port = server._socket.getsockname()[1]
        yield server, desk, port


@pytest.fixture
def served():
    with serving() as made:
        yield made


@pytest.fixture
def serving_with():
    """Serve as a configuration says, in a `with`."""
    return serving


@pytest.fixture(scope="module")
def shared_server():
    """Make viewers of one server of the module."""
    with serving(max_viewers=1000) as (_, _, port):
        yield lambda: PlainViewer(port)


@pytest.fixture
def plain_viewer():
    """Make viewers; they are closed with the test."""
    made = []

    def make(port, **more):
        made.append(PlainViewer(port, **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(scope="session")
def page_folder():
    return Path(__file__).resolve().parents[2] / "etam_ros" / "console" / "page"
