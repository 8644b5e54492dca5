"""The window itself, on a display of its own: `etam track --pick` as a person sits before it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from etam_ros.errors import ConfigError
from etam_ros.media.label_png import read_mask_values
from etam_ros.offline.picking.picture import FrameView, first_window_hw
from etam_ros.offline.picking.window import check_window

HW = (90, 120)
TOOLS = ("Xvfb", "xdotool")
needs_display = pytest.mark.skipif(
    not all(map(shutil.which, TOOLS)), reason=f"needs {' and '.join(TOOLS)} (apt-get install)"
)


@pytest.mark.parametrize("display", [None, ":4073", "nonsense"])
def test_without_a_display_one_line_says_so(monkeypatch, display):
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    if display:
        monkeypatch.setenv("DISPLAY", display)
    with pytest.raises(ConfigError, match=r"none can be opened here.*--click X,Y") as caught:
        check_window()
    assert f"DISPLAY is {display or 'not set'}" in str(caught.value)


def test_opencv_is_loaded_before_pyav():
    # Else the first window hangs: both bring a libxcb.
    code = "import etam_ros.media.sources, sys; print(*sys.modules)"
    names = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert names.index("cv2") < names.index("av")


@pytest.fixture(scope="module")
def display():
    """A screen on which nobody sits."""
    reading, writing = os.pipe()
    command = [
        "Xvfb",
        "-displayfd",
        str(writing),
        "-screen",
        "0",
        "1366x768x24",
        "-nolisten",
        "tcp",
    ]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as numbers:
        number = numbers.readline().strip()
    assert number, "Xvfb has not started"
    yield f":{number}"
    server.terminate()
    server.wait()


class Desk:
    """Somebody who sits before `etam track --pick`."""

    def __init__(self, display, source, out, *more) -> None:
        self.env = {**os.environ, "DISPLAY": display, "OMP_NUM_THREADS": "1"}
        command = [
            sys.executable, "-m", "etam_ros.cli.main", "track", source, "--out", out, "--pick",
            "--model", "tiny_test", "--weights", "random:0", "--no-overlay", *more,
        ]  # fmt: skip
        self.process = subprocess.Popen(
            list(map(str, command)), env=self.env, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        self.view = FrameView(HW, first_window_hw(HW))
        # The one that tries whether a window can be opened comes first, under another name.
        self.window = self.until(lambda: self.do("search", "--name", "etam track --pick"))
        self.corner = self.until(self.geometry)

    def geometry(self):
        """Where the window is, once it has its size."""
        said = dict(
            line.split("=")
            for line in self.do("getwindowgeometry", "--shell", self.window).split()
        )
        size = (int(said.get("HEIGHT", 0)), int(said.get("WIDTH", 0)))
        return (int(said["X"]), int(said["Y"])) if size == self.view.window_hw else None

    def do(self, *words):
        done = subprocess.run(
            ["xdotool", *words], env=self.env, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    def until(self, condition):
        while not (found := condition()):
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.05)
        return found

    def point(self, at):
        """Put the mouse on a pixel of the frame."""
        x, y = self.view.to_window(at)
        self.do("mousemove", str(self.corner[0] + x), str(self.corner[1] + y))

    def click(self, at, button=1):
        self.point(at)
        self.do("click", str(button))

    def drag(self, start, end):
        self.point(start)
        self.do("mousedown", "1")
        self.point(end)
        self.do("mouseup", "1")

    def press(self, key, until):
        """Press a key until it has worked: while the window is busy, keys do nothing."""

        def pressed_and_done():
            self.do("key", key)
            return until()

        while not pressed_and_done():
            time.sleep(0.2)

    def ended(self):
        stdout, stderr = self.process.communicate(timeout=120)
        return self.process.returncode, stdout, stderr


@pytest.fixture
def frames(tmp_path):
    """Three pictures of 90x120 with a bright square that moves."""
    folder = tmp_path / "frames"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 80, (*HW, 3), np.uint8)
    for index in range(3):
        picture = noise.copy()
        picture[30:60, 20 + 8 * index : 50 + 8 * index] = (40, 200, 230)
        cv2.imwrite(str(folder / f"{index:05d}.png"), picture)
    return folder


@needs_display
def test_what_was_clicked_is_tracked_and_can_be_used_again(display, frames, tmp_path):
    out, again = tmp_path / "out", tmp_path / "again"
    desk = Desk(display, frames, out, "--click", "35,45")
    desk.click((7, 80))
    desk.drag((70, 10), (110, 40))
    desk.click((119, 89), button=3)
    desk.press("Return", (out / "prompts.json").exists)
    code, stdout, stderr = desk.ended()
    assert (code, stderr) == (0, "")
    assert f"4 prompts in {out}/prompts.json" in stdout
    assert "tracked 3 frames" in stdout
    first, second, third, fourth = json.loads((out / "prompts.json").read_text())
    assert first == {"frame": 0, "object_id": 1, "points": [[35, 45]], "labels": [1]}
    assert (second["points"], second["labels"]) == ([[7, 80]], [1])
    assert third["box"] == [70, 10, 110, 40]
    assert (fourth["points"], fourth["labels"]) == ([[119, 89]], [0])
    command = [sys.executable, "-m", "etam_ros.cli.main", "track", frames, "--prompts",
               out / "prompts.json", "--model", "tiny_test", "--weights", "random:0",
               "--no-overlay", "--out", again]  # fmt: skip
    subprocess.run(list(map(str, command)), check=True, capture_output=True, env=desk.env)
    for path in (out / "masks").iterdir():
        mask = read_mask_values(again / "masks" / path.name)
        np.testing.assert_array_equal(mask, read_mask_values(path))


@needs_display
@pytest.mark.parametrize("way", ["q", "ctrl-c"])
def test_leaving_writes_nothing(display, frames, tmp_path, way):
    desk = Desk(display, frames, tmp_path / "out")
    desk.click((35, 45))
    if way == "q":
        desk.press("q", lambda: desk.process.poll() is not None)
    else:
        desk.process.send_signal(signal.SIGINT)
    code, stdout, stderr = desk.ended()
    assert (code, stdout) == (130, "")
    assert stderr.split("\n") == [*([""] if way == "ctrl-c" else []),
                                  "left without tracking: nothing was written", ""]  # fmt: skip
    assert not (tmp_path / "out").exists()
