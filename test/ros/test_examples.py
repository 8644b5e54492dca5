"""The programs of examples/ do what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from geometry_msgs.msg import Twist

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
HW = (240, 320)


def centre(number):
    """Of the red disc: on the left, and slowly up and down."""
    return 80, round(120 + 40 * np.sin(number / 40))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A red disc on grey blocks, long enough for everything to start meanwhile."""
    path = tmp_path_factory.mktemp("clip") / "disc.mp4"
    blocks = np.random.default_rng(0).integers(60, 200, (15, 20, 1), np.uint8)
    ground = np.kron(np.repeat(blocks, 3, axis=2), np.ones((16, 16, 1), np.uint8))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 15.0, HW[::-1])
    for number in range(1200):
        writer.write(cv2.circle(ground.copy(), centre(number), 30, (30, 30, 220), -1))
    writer.release()
    return path


def run(*command, environment):
    return subprocess.run(
        [sys.executable, *map(str, command)],
        env=environment, check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_video_and_metric(clip, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    short = tmp_path / "short.mp4"
    video, writer = cv2.VideoCapture(str(clip)), None
    for _ in range(8):
        picture = video.read()[1]
        if writer is None:
            writer = cv2.VideoWriter(str(short), cv2.VideoWriter.fourcc(*"mp4v"), 15.0, HW[::-1])
        writer.write(picture)
    writer.release()
    told = run(EXAMPLES / "track_video.py", short, 80, 120, environment=environment)
    assert told.returncode == 0, told.stderr
    last = re.search(r"frame 8: at (\d+), (\d+), visibility (\S+)", told.stdout)
    assert last, told.stdout
    x, y = centre(7)
    assert abs(int(last[1]) - x) < 10
    assert abs(int(last[2]) - y) < 10
    table = tmp_path / "objects.csv"
    table.write_text("frame,id,area\n0,1,100\n0,2,50\n1,1,150\n1,2,0\n2,1,50\n2,2,60\n")
    told = run(EXAMPLES / "own_metric.py", table, environment=environment)
    assert told.stdout == (
        "object 1: areas jump by a factor of 3.00 at most\n"
        "object 2: areas jump by a factor of 1.00 at most\n"
    )


def test_camera_detector_and_follower(clip, start_tracker, make_client, ros_environment):
    start_tracker("-r", "image:=/camera/image_raw")
    client = make_client()
    client.wait_for_state("active")
    environment = {**ros_environment, "PYTHONPATH": str(ROOT)}
    remapped = ["--ros-args", "-r", "image:=/camera/image_raw"]
    commands = [
        ["camera_node.py", str(clip), *remapped],
        ["detector_prompts.py", *remapped],
        ["turn_towards.py", "320", "--ros-args", "-r", "cmd_vel:=/robot/cmd_vel"],
    ]
    heard = []
    client.node.create_subscription(Twist, "/robot/cmd_vel", heard.append, 1)
    running = [
        subprocess.Popen([sys.executable, str(EXAMPLES / name), *rest], env=environment)
        for name, *rest in commands
    ]
    try:
        client.wait_until(
            lambda: client.objects and any(o.label == "red" for o in client.objects[-1].objects),
            "the object that the detector asked for",
        )
        client.wait_until(lambda: heard and 0.3 < heard[-1].angular.z < 0.7, "a turn to the left")
        (item,) = client.objects[-1].objects
        assert abs(item.centroid.x - 80) < 10
        assert not any(process.poll() for process in running)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(30)
