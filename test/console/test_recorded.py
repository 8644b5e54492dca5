"""`etam web SOURCE`, run as a user runs it: choose, correct, watch, save."""

import json
import os
import queue
import re
import signal
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from chromium import browser_context
from warm_python import warm_python

from etam_ros.cli.main import run
from etam_ros.config import NetworkConfig
from etam_ros.console.commands import Order
from etam_ros.console.config import WebConfig
from etam_ros.console.hub import Hub
from etam_ros.media.label_png import read_mask_values
from etam_ros.media.sources import open_source
from etam_ros.offline.annotating.desk import BUSY, MOST_WAITING, RecordedDesk
from etam_ros.offline.annotating.saving import Recording
from etam_ros.offline.annotating.session import AnnotationSession
from etam_ros.tracking import Tracker, open_stages

TINY = ("--model", "tiny_test", "--weights", "random:0")
FRAMES = 5


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    noise = np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8)
    picture = cv2.resize(noise, (128, 96), interpolation=cv2.INTER_CUBIC)
    for index in range(FRAMES):
        cv2.imwrite(str(folder / f"{index}.png"), np.roll(picture, 3 * index, axis=1))
    return folder


@pytest.fixture
def recorded(frames, tmp_path):
    """The port of a page on a recording, and the folder that it saves in."""
    out, log = tmp_path / "out", tmp_path / "log"
    with log.open("wb") as output:
        process = warm_python().start(
            "etam_ros.cli.main", "web", str(frames), "--port", "0", "--out", str(out), *TINY,
            environment={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=output.fileno(), stderr=output.fileno(),
        )  # fmt: skip
    end = time.monotonic() + 120
    while not (found := re.search(r"Open http://127\.0\.0\.1:(\d+)/", log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end
        time.sleep(0.05)
    yield int(found[1]), out
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0, log.read_text()


class Annotator:
    """Looks at every picture, and asks one thing after the other."""

    def __init__(self, viewer):
        self.viewer, self.number, self.picture, self.status = viewer, 0, None, None

    def until(self, condition):
        while not condition():
            self.take(self.viewer.receive())

    def take(self, message):
        if message["kind"] == "picture":
            self.picture = message
            self.viewer.send(do="seen", n=message["n"])
        elif message["kind"] == "status":
            self.status = message
        return message

    def ask(self, do, **more):
        """Ask, and wait for the answer and the picture that goes with it."""
        self.number += 1
        self.viewer.send(do=do, n=self.number, **more)
        while True:
            message = self.take(self.viewer.receive())
            if message["kind"] == "answer" and message["n"] == self.number:
                return message

    def point(self, x, y, label=1, **more):
        stamp = self.picture["stamp"]
        return self.ask("point", points=[[x, y]], label=label, stamp=stamp, **more)

    def ids(self):
        return [each["id"] for each in self.picture["objects"]]


def test_objects_are_chosen_corrected_watched_and_saved(recorded, plain_viewer, frames, tmp_path):
    port, out = recorded
    annotator = Annotator(plain_viewer(port))
    annotator.until(lambda: annotator.picture and annotator.status)
    assert annotator.status["mode"] == "recorded"
    assert annotator.status["frames"] == FRAMES
    assert "nothing to track yet" in annotator.ask("save")["words"]
    assert annotator.point(64, 48)["words"] == "click for object 1"
    annotator.until(lambda: annotator.ids() == [1])
    box = annotator.ask("point", box=[4, 4, 40, 40], stamp=annotator.picture["stamp"])
    assert box["words"] == "box for object 2"
    assert annotator.ask("rename", object=2, label="cup")["done"]
    assert annotator.ask("seek", frame=2)["done"]
    annotator.until(lambda: annotator.picture["frame"] == 2)
    assert annotator.picture["objects"][1]["label"] == "cup"
    stale = annotator.ask("point", points=[[1, 1]], label=1, stamp="12345")
    assert "changed meanwhile" in stale["words"]
    assert annotator.point(10, 90, label=0, object=1)["words"] == "background click for object 1"
    assert annotator.point(300, 90)["done"] is False
    assert annotator.point(100, 20, object=0)["words"] == "click for object 3"
    assert "undone" in annotator.ask("undo")["words"]
    assert annotator.ask("seek", frame=0)["done"]
    annotator.until(lambda: annotator.picture["frame"] == 0)
    assert annotator.ask("play", on=True)["words"] == "playing"
    annotator.until(lambda: annotator.picture["frame"] == FRAMES - 1)
    assert "that is for live trackers" in annotator.ask("pause", on=True)["words"]
    saved = annotator.ask("save")
    assert saved["words"] == f"saved masks of {FRAMES} frames and prompts.json in {out}"

    again = tmp_path / "again"
    prompts = ["--prompts", str(out / "prompts.json")]
    assert run(["track", str(frames), *prompts, "--out", str(again), "--no-overlay", *TINY]) == 0
    for index in range(FRAMES):
        name = f"masks/{index:05d}.png"
        assert (read_mask_values(out / name) == read_mask_values(again / name)).all()
    assert (out / "objects.csv").read_text() == (again / "objects.csv").read_text()
    assert (out / "overlay.mp4").exists()


def test_the_page_annotates_a_recording(recorded, frames, tmp_path):
    """In a real browser: choose on a frame, correct on a later one, save; follow it again."""
    port, out = recorded
    with browser_context(tmp_path / "chromium", viewport={"width": 900, "height": 700}) as context:
        page = context.pages[0]

        def until(expression, *arguments):
            end = time.monotonic() + 60
            while not page.evaluate(expression, list(arguments)):
                assert time.monotonic() < end, page.locator("#answer").inner_text()
                page.wait_for_timeout(40)

        def said(words):
            until("([words]) => document.getElementById('answer').textContent.match(words)", words)

        def click(x, y, **more):
            """On a pixel of the 128 x 96 of the recording."""
            box = page.locator("#picture").bounding_box()
            scale = min(box["width"] / 128, box["height"] / 96)
            left, top = (box["width"] - 128 * scale) / 2, (box["height"] - 96 * scale) / 2
            place = {"x": left + (x + 0.5) * scale, "y": top + (y + 0.5) * scale}
            page.locator("#picture").click(position=place, **more)

        page.goto(f"http://127.0.0.1:{port}/")
        until("document.getElementById('place').textContent === '0 / 4'")
        assert page.locator("#pause").is_hidden()
        click(64, 48)
        said("click for object 1")
        until("document.querySelectorAll('#objects li').length === 1")
        page.keyboard.press("n")
        said("selected object 1")
        page.locator("#frame").focus()
        for _ in range(2):
            page.keyboard.press("ArrowRight")
        until("document.getElementById('place').textContent === '2 / 4'")
        page.locator("#only").check()
        click(10, 90, button="right")
        said("background click for object 1")
        page.keyboard.press("e")
        page.locator("#said").fill("cup")
        page.keyboard.press("Enter")
        said("object 1 is called cup")
        page.locator("#play").click()
        until("document.getElementById('place').textContent === '4 / 4'")
        page.locator("#save").click()
        said(f"saved masks of {FRAMES} frames and prompts.json in")
    prompts = json.loads((out / "prompts.json").read_text())
    assert [(each["frame"], each["labels"], each["label"]) for each in prompts] == [
        (0, [1], "cup"), (2, [0], "cup"),
    ]  # fmt: skip
    assert np.abs(np.subtract(prompts[0]["points"][0], (64, 48))).max() < 1
    assert len(list((out / "masks").iterdir())) == FRAMES


def test_errors_that_nobody_expected_are_answered_and_the_next_thing_is_done(frames, tmp_path):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    network = NetworkConfig(model="tiny_test", weights="random:0")
    with open_source(str(frames)) as source, open_stages(**vars(network)) as stages:
        session = AnnotationSession(source, Tracker(stages), [])
        recording = Recording(str(frames), tmp_path / "out")
        answers = queue.SimpleQueue()
        desk = RecordedDesk(Hub(), session, recording, stages, WebConfig(), frames=5, fps=9.0)

        def ask(what, **more):
            desk.do("", Order(1, what, **more), answers.put)
            return answers.get(timeout=30)

        session.rename = full_disk
        refused = ask("rename", object_id=1, label="cup")
        assert (refused.done, refused.words) == (
            False, "that failed: OSError: [Errno 28] No space left on device",
        )  # fmt: skip
        assert ask("seek", frame=2).done
        for _ in range(MOST_WAITING + 30):
            desk.do("", Order(1, "seek", frame=1), answers.put)
        words = [answers.get(timeout=30).words for _ in range(MOST_WAITING + 30)]
        assert BUSY in words  # at once, so that it comes before what is done
        assert desk.end(30)


def test_mistakes_are_one_line_before_anything_starts(frames, tmp_path, capsys):
    (tmp_path / "file").write_text("precious")
    for arguments, words in (
        (["absent.mp4"], "absent.mp4 does not exist"),
        ([str(frames), "--ros-args", "-p", "a:=1"], "a recording needs no ROS"),
        ([str(frames), "--out", str(tmp_path)], "holds file, which no earlier run wrote"),
        ([str(frames), "--token", "short"], "the token has 5 characters"),
        ([str(frames), "--prompts", "absent.json"], "absent.json cannot be read"),
    ):
        assert run(["web", *arguments]) == 2
        assert words in capsys.readouterr().err
