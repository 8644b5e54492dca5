"""A camera that another user runs on this machine: a real process with another user id."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from etam_ros.ros.transport import VARIABLES

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from other_user import AS_NOBODY, skip_unless_nobody_can_be

CAMERA = Path(__file__).with_name("plain_camera.py")


@pytest.fixture
def as_another_user():
    """A function that starts a program as another user, in a folder of its own."""
    skip_unless_nobody_can_be()
    home = tempfile.mkdtemp()
    Path(home).chmod(0o777)
    running = []

    def start(
        environment: dict[str, str], *arguments: str, within: tuple[str, ...] = ()
    ) -> subprocess.Popen[bytes]:
        own = {**environment, "HOME": home, "ROS_LOG_DIR": home, "PYTHONDONTWRITEBYTECODE": "1"}
        own["PYTHONPATH"] = os.pathsep.join(sys.path)
        command = [*within, *AS_NOBODY, sys.executable, *arguments]
        running.append(subprocess.Popen(command, env=own))
        return running[-1]

    yield start
    for process in running:
        process.terminate()
        process.wait(30)
    shutil.rmtree(home, ignore_errors=True)


def test_a_camera_of_another_user_is_found_and_the_cause_of_its_silence_named(
    start_tracker, make_client, ros, ros_environment, as_another_user
):
    process = start_tracker(*ros.tiny, "-r", "image:=/theirs")
    make_client().wait_for_state("active")
    arguments = ("/theirs", "raw", "best_effort", "320", "240")
    camera = as_another_user(ros_environment, str(CAMERA), *arguments)
    process.wait_for_log("publisher(s) on /theirs but no image")
    assert camera.poll() is None
    assert "user nobody runs ROS on this machine too" in process.log
    assert "FASTDDS_BUILTIN_TRANSPORTS=UDPv4" in process.log


@pytest.fixture
def network():
    """What runs a program in a network of its own, which nothing leaves: prefix a command."""
    program = "ip link set lo up && echo up && exec sleep 120"
    command = ["unshare", "--net", "sh", "-c", program]
    if not shutil.which("nsenter"):
        pytest.skip("networks are entered with nsenter, which is not here")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        if holder.stdout.readline() != "up\n":
            pytest.skip("no network can be made here, which needs root and iproute2")
        yield ("nsenter", f"--net=/proc/{holder.pid}/ns/net")
        holder.terminate()


HEAR = """
import sys, time
from etam_ros.ros.transport import apply_profile
apply_profile()
import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
rclpy.init()
node, heard, end = rclpy.create_node("hears"), [], time.monotonic() + 60
node.create_subscription(Image, "/theirs", heard.append, qos_profile_sensor_data)
while not heard and time.monotonic() < end:
    rclpy.spin_once(node, timeout_sec=0.1)
sys.exit(not heard)
"""


def test_what_the_log_tells_to_do_lets_images_of_another_user_arrive(
    ros_environment, as_another_user, network
):
    environment = {k: v for k, v in ros_environment.items() if k not in VARIABLES}
    environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "SUBNET"
    arguments = (str(CAMERA), "/theirs", "raw", "best_effort", "320", "240")
    camera = as_another_user(environment, *arguments, within=network)
    ours = {**environment, "FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"}
    hearing = [*network, sys.executable, "-c", HEAR]
    assert subprocess.run(hearing, env=ours, check=False, timeout=90).returncode == 0
    assert camera.poll() is None
