"""What killed processes leave in shared memory is taken back, and nothing else is."""

import fcntl
import os
import signal
import subprocess
import sys
import time

import pytest

from etam_ros.ros import shared_memory
from etam_ros.ros.shared_memory import FOLDER, Reclaimed, free_bytes, other_users, reclaim

DEADLINE_S = 60.0
DEAD, ALIVE, NEWER = (
    "fastrtps_0123456789abcdef",
    "fastrtps_fedcba9876543210",
    "fastdds_" + "0" * 16,
)
FOREIGN = ["fastrtps_port7410", "fastrtps_port7410_el", "sem.x_el", "fastrtps_0123_el", "data"]


def segment(folder, name, size=8192):
    (folder / name).write_bytes(bytes(size))
    (folder / f"{name}_el").touch()


@pytest.fixture
def settled(monkeypatch):
    """Locks need not be older than a moment."""
    monkeypatch.setattr(shared_memory, "_SETTLED_S", 0.0)


@pytest.mark.usefixtures("settled")
def test_segments_of_the_dead_go_and_everything_else_stays(tmp_path):
    for name in (DEAD, ALIVE, NEWER):
        segment(tmp_path, name)
    for name in FOREIGN:
        (tmp_path / name).touch()
    outside = tmp_path.parent / "outside_el"
    outside.touch()
    (tmp_path / "fastrtps_aaaaaaaaaaaaaaaa").touch()
    (tmp_path / "fastrtps_aaaaaaaaaaaaaaaa_el").symlink_to(outside)
    with (tmp_path / f"{ALIVE}_el").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = reclaim(tmp_path)
    assert found == Reclaimed(2, 16384)
    assert "shared memory that 2 segments of ended processes took" in str(found)
    left = {ALIVE, f"{ALIVE}_el", *FOREIGN}
    left |= {"fastrtps_aaaaaaaaaaaaaaaa", "fastrtps_aaaaaaaaaaaaaaaa_el"}
    assert {path.name for path in tmp_path.iterdir()} == left
    assert outside.exists()


def test_a_segment_that_is_just_being_made_stays(tmp_path):
    segment(tmp_path, DEAD)
    assert reclaim(tmp_path) == Reclaimed()


@pytest.mark.usefixtures("settled")
def test_what_belongs_to_another_user_stays_and_names_that_user(tmp_path, monkeypatch):
    segment(tmp_path, DEAD)
    assert other_users(tmp_path) == []
    owner = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    assert reclaim(tmp_path) == Reclaimed()
    assert len(other_users(tmp_path)) == 1


def test_where_there_is_no_such_folder_nothing_is_done(tmp_path):
    assert reclaim(tmp_path / "none") == Reclaimed()
    assert free_bytes(tmp_path / "none") is None
    assert free_bytes(tmp_path) > 0


@pytest.mark.skipif(not FOLDER.is_dir(), reason="this system has no /dev/shm")
def test_a_node_takes_back_what_one_that_was_killed_left(start_tracker, ros):
    killed = start_tracker(*ros.tiny)
    killed.wait_for_log("activate: active")
    left = killed.shared_memory()
    assert left
    assert all(path.exists() for path in left)
    killed.process.send_signal(signal.SIGKILL)
    killed.process.wait(DEADLINE_S)
    time.sleep(shared_memory._SETTLED_S)  # by then it is no segment that is just being made
    start_tracker(*ros.tiny).wait_for_log("activate: active")  # or a node of another test before
    assert not any(path.exists() for path in left)


ARRIVES = """
import sys, time
from etam_ros.ros.transport import apply_profile
apply_profile()
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node(f"{sys.argv[1]}er")
best_effort = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
got = []
if sys.argv[1] == "publish":
    image = Image(height=1080, width=1920, encoding="rgb8", step=5760)
    image.data.frombytes(bytes(1920 * 1080 * 3))
    publisher = node.create_publisher(Image, "image", best_effort)
    while True:
        publisher.publish(image)
        time.sleep(0.1)
node.create_subscription(Image, "image", got.append, best_effort)
while len(got) < 20:
    rclpy.spin_once(node, timeout_sec=0.2)
print("all", len(got))
"""


def test_large_images_arrive_in_a_container_with_docker_s_own_shared_memory(
    ros_environment, tmp_path
):
    private = "mount -t tmpfs -o size=64m tmpfs /dev/shm"
    command = ["unshare", "-m", "sh", "-c"]
    if subprocess.run([*command, private], capture_output=True, check=False).returncode:
        pytest.skip("no private /dev/shm can be mounted here, which needs root")
    script = tmp_path / "arrives.py"
    script.write_text(ARRIVES)
    run = f"{sys.executable} {script}"
    both = f"{private}; {run} publish & {run} subscribe; kill $!; wait"
    environment = {name: v for name, v in ros_environment.items() if "PROFILES_FILE" not in name}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run(
        [*command, both],
        env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert "all 20" in done.stdout, done.stderr
    assert "\x1b[31" not in done.stderr, "a red line of Fast DDS"
