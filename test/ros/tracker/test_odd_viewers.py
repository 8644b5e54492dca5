"""Whoever looks on, and however: frames and prompts go on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("odd_viewer.py")


@pytest.fixture
def start_viewer(ros_environment):
    environment = {**ros_environment, "PYTHONPATH": os.pathsep.join(sys.path)}
    running = []

    def start(tracker, kinds):
        command = [sys.executable, SCRIPT, tracker, kinds]
        viewer = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        running.append(viewer)
        assert viewer.stdout.readline() == "up\n"
        return viewer

    yield start
    for viewer in running:
        viewer.kill()
        viewer.wait()
        viewer.stdout.close()


def test_viewers_that_hang_or_expect_other_types_hold_up_neither_frames_nor_prompts(
    start_tracker, make_client, start_viewer, ros
):
    process = start_tracker(*ros.tiny, "-r", "__ns:=/watched")
    client = make_client("/watched")
    client.wait_for_camera()
    kinds = ("everything", "everything", "other_types")
    viewers = [start_viewer(client.tracker, each) for each in kinds]
    overlay = f"{client.tracker}/overlay"
    client.wait_until(lambda: client.node.count_subscribers(overlay) >= 5, "the viewers")

    def followed(seed):
        image = ros.image(client.next_header(), height=480, width=640, seed=seed)
        return client.track(image)

    followed(0)
    assert client.add_prompt(points=[(320, 240)], labels=[1]).success
    for viewer in viewers:
        viewer.send_signal(signal.SIGSTOP)
    for seed in range(1, 40):
        assert [found.id for found in followed(seed).objects] == [1]
    assert client.add_prompt(points=[(20, 20)], labels=[1]).success
    for viewer in viewers:
        viewer.kill()
    assert [found.id for found in followed(40).objects] == [1, 2]
    _, values = client.status("engine", lambda *_: True)
    assert values["failed_callbacks"] == "0"
    assert process.process.poll() is None
