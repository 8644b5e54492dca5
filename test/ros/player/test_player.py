"""`etam play` as a process, and a subscriber that hears it over real DDS."""

import itertools
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from rcl_interfaces.srv import GetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from etam_ros.cli.main import run
from etam_ros.ros.image_conversion import image_from_compressed, image_from_message
from etam_ros.ros.player.node import Pace
from etam_ros.ros.transport import VARIABLES, variables_read

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from warm_python import warm_python

COUNT = 6
DEADLINE_S = 60.0
CALIBRATION = """
image_width: 64
image_height: 48
camera_name: test
camera_matrix: {rows: 3, cols: 3, data: [50, 0, 31.5, 0, 51, 23.5, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.2, 0.001, 0, 0]}
"""


def picture(number):
    image = np.full((48, 64, 3), 20 + 30 * number, np.uint8)
    image[10:30, 5:40] = (255, 10 * number, 0)
    return image


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six lossless pictures, in colours that tell them and their channels apart."""
    path = tmp_path_factory.mktemp("images")
    for number in range(COUNT):
        cv2.imwrite(str(path / f"{number}.png"), picture(number)[..., ::-1])
    return path


def number_of(image):
    """Which picture this is; fails for anything else."""
    distances = [np.abs(image.astype(int) - picture(n)).mean() for n in range(COUNT)]
    assert min(distances) < 4
    return int(np.argmin(distances))


class Listener:
    """A subscriber in a namespace of its own, and the players it listens to."""

    def __init__(self, context, environment, namespace):
        self.namespace = namespace
        self.environment = environment
        self.node = Node(
            "listener", context=context, namespace=namespace, use_global_arguments=False
        )
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.processes = []

    def listen(self, message_type, topic, reliability=ReliabilityPolicy.RELIABLE):
        """The list into which messages come."""
        heard = []
        profile = QoSProfile(depth=200, reliability=reliability)
        self.node.create_subscription(message_type, topic, heard.append, profile)
        return heard

    def start(self, *arguments, script=None, ros=()):
        """Start `etam play`, or a script with the same ROS arguments."""
        words = [*map(str, arguments), "--ros-args", "-r", f"__ns:={self.namespace}", *ros]
        if script is None:
            process = warm_python().start(
                "etam_ros.cli.main", "play", *words, environment=self.environment
            )
        else:
            process = subprocess.Popen(
                [sys.executable, script, *words], env=self.environment,
                stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def wait_until(self, condition):
        end = time.monotonic() + DEADLINE_S
        while not (value := condition()):
            assert time.monotonic() < end, "gave up waiting"
            self.executor.spin_once(timeout_sec=0.02)
        return value

    def wait_for_end(self, process):
        """Spin until the process ends; its exit code and stderr."""
        self.wait_until(lambda: process.poll() is not None)
        return process.returncode, process.communicate()[1]

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.executor.shutdown()
        self.node.destroy_node()


NAMESPACES = (f"/player_test_{number}" for number in itertools.count())


@pytest.fixture
def listener(ros_context, ros_environment):
    opened = Listener(ros_context, ros_environment, next(NAMESPACES))
    yield opened
    opened.close()


def stamps_ns(messages):
    return [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in messages]


def test_every_frame_arrives_once_with_a_rising_stamp(listener, folder):
    before = time.time_ns()
    images = listener.listen(Image, "image")
    player = listener.start(folder, "--rate", 20, "--wait-for-subscribers", 1)
    code, log = listener.wait_for_end(player)
    assert code == 0, log
    listener.wait_until(lambda: len(images) == COUNT)
    for number, message in enumerate(images):
        assert message.encoding == "rgb8"
        assert message.header.frame_id == "camera_optical_frame"
        image = image_from_message(message, max_pixels=64 * 48)
        np.testing.assert_array_equal(image, picture(number))
    stamps = stamps_ns(images)
    assert before < stamps[0]
    assert stamps == sorted(set(stamps))
    assert stamps[-1] < time.time_ns()
    assert f"published {COUNT} frames" in log


def test_jpeg_alone_on_a_remapped_topic(listener, folder):
    jpegs = listener.listen(CompressedImage, "camera/image_raw/compressed")
    options = ["--transport", "compressed", "--jpeg-quality", 100, "--frame-id", "left"]
    player = listener.start(
        folder,
        *options,
        "--wait-for-subscribers",
        1,
        "--loop",
        ros=["-r", "image:=camera/image_raw"],
    )
    listener.wait_until(lambda: len(jpegs) >= COUNT)
    for message in jpegs:
        assert message.format == "rgb8; jpeg compressed bgr8"
        assert message.header.frame_id == "left"
        number_of(image_from_compressed(message, max_pixels=64 * 48))
    topic = f"{listener.namespace}/camera/image_raw"
    assert listener.node.count_publishers(f"{topic}/compressed") == 1
    assert listener.node.count_publishers(topic) == 0
    player.send_signal(signal.SIGINT)
    assert listener.wait_for_end(player)[0] == 0


def test_both_forms_of_a_frame_have_the_same_stamp(listener, folder):
    images = listener.listen(Image, "image")
    jpegs = listener.listen(CompressedImage, "image/compressed")
    player = listener.start(folder, "--wait-for-subscribers", 2)
    assert listener.wait_for_end(player)[0] == 0
    listener.wait_until(lambda: len(images) == len(jpegs) == COUNT)
    assert stamps_ns(images) == stamps_ns(jpegs)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_loop_goes_on_until_a_signal_ends_it(listener, folder, number):
    images = listener.listen(Image, "image")
    player = listener.start(folder, "--loop", "--rate", 100, "--wait-for-subscribers", 1)
    listener.wait_until(lambda: len(images) > 3 * COUNT)
    player.send_signal(number)
    player.send_signal(number)
    code, log = listener.wait_for_end(player)
    assert code == 0, log
    assert "Traceback" not in log
    numbers = [number_of(image_from_message(m, max_pixels=64 * 48)) for m in images]
    assert all(b == (a + 1) % COUNT for a, b in itertools.pairwise(numbers))
    stamps = stamps_ns(images)
    assert stamps == sorted(set(stamps))


def test_nothing_is_published_before_the_subscribers_are_there(listener, folder):
    first = listener.listen(Image, "image")
    player = listener.start(folder, "--wait-for-subscribers", 2)
    topic = f"{listener.namespace}/image"
    listener.wait_until(lambda: listener.node.count_publishers(topic))
    assert player.poll() is None
    assert first == []
    second = listener.listen(Image, "image")
    assert listener.wait_for_end(player)[0] == 0
    listener.wait_until(lambda: len(first) == len(second) == COUNT)


def test_waiting_for_subscribers_ends_with_a_signal(listener, folder):
    player = listener.start(folder, "--wait-for-subscribers", 1)
    topic = f"{listener.namespace}/image"
    listener.wait_until(lambda: listener.node.count_publishers(topic))
    player.send_signal(signal.SIGINT)
    assert listener.wait_for_end(player)[0] == 0


def test_camera_info_goes_with_each_frame(listener, folder, tmp_path):
    calibration = tmp_path / "camera.yaml"
    calibration.write_text(CALIBRATION)
    images = listener.listen(Image, "image")
    infos = listener.listen(CameraInfo, "camera_info")
    player = listener.start(folder, "--loop", "--camera-info", calibration)
    both = listener.wait_until(lambda: set(stamps_ns(images)) & set(stamps_ns(infos)))
    player.send_signal(signal.SIGTERM)
    assert listener.wait_for_end(player)[0] == 0
    info = next(info for info in infos if stamps_ns([info])[0] in both)
    assert info.header.frame_id == "camera_optical_frame"
    assert (info.width, info.height, info.distortion_model) == (64, 48, "plumb_bob")
    assert list(info.k) == [50, 0, 31.5, 0, 51, 23.5, 0, 0, 1]
    assert list(info.d) == [0.1, -0.2, 0.001, 0, 0]
    assert list(info.r) == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert list(info.p) == [50, 0, 31.5, 0, 0, 51, 23.5, 0, 0, 0, 1, 0]


@pytest.mark.parametrize("reliability", ["reliable", "best_effort"])
def test_offered_reliability(listener, folder, reliability):
    images = listener.listen(Image, "image", ReliabilityPolicy.BEST_EFFORT)
    player = listener.start(folder, "--loop", "--reliability", reliability)
    listener.wait_until(lambda: images)
    (publisher,) = listener.node.get_publishers_info_by_topic(f"{listener.namespace}/image")
    assert publisher.qos_profile.reliability == ReliabilityPolicy[reliability.upper()]
    player.send_signal(signal.SIGINT)
    assert listener.wait_for_end(player)[0] == 0


def test_the_executable_takes_ros_parameters_and_shows_them(listener, folder):
    script = Path(__file__).parents[3] / "scripts" / "player"
    images = listener.listen(Image, "image")
    parameters = ["-p", f"source:={folder}", "-p", "loop:=true", "-p", "rate_hz:=50.0"]
    player = listener.start(script=script, ros=parameters)
    listener.wait_until(lambda: images)
    client = listener.node.create_client(GetParameters, "player/get_parameters")
    listener.wait_until(client.service_is_ready)
    answer = client.call_async(GetParameters.Request(names=["source", "rate_hz", "transport"]))
    listener.wait_until(answer.done)
    source, rate, transport = answer.result().values
    assert source.string_value == str(folder)
    assert rate.double_value == 50
    assert transport.string_value == "both"
    player.send_signal(signal.SIGINT)
    assert listener.wait_for_end(player)[0] == 0


def test_an_ordinary_publisher_leaves_the_transport_alone(listener, folder, tmp_path):
    environment = {k: v for k, v in listener.environment.items() if k not in VARIABLES}
    program = (
        "import os, sys, etam_ros.cli.main as cli\n"
        "code = cli.run(sys.argv[1:])\n"
        f"print('profile', os.environ.get('{variables_read()[0]}'))\n"
        "sys.exit(code)\n"
    )
    said = []
    for option in ([], ["--no-transport-profile"]):
        command = [sys.executable, "-c", program, "play", str(folder), *option]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        said.append(done.stdout.strip())
    assert said[0].endswith("fastdds_large_images.xml")
    assert said[1] == "profile None"


def test_a_damaged_frame_ends_it_with_its_name(listener, folder, tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes((folder / f"{number}.png").read_bytes())
    (tmp_path / "3.png").write_bytes(b"no picture")
    images = listener.listen(Image, "image")
    player = listener.start(tmp_path, "--wait-for-subscribers", 1)
    code, log = listener.wait_for_end(player)
    assert code == 2
    assert log.splitlines()[-1].startswith(f"error: image {tmp_path / '3.png'} cannot be read")
    assert len(images) <= 3


@pytest.mark.parametrize(
    ("arguments", "ros", "words"),
    [
        (["/no/such/file.mp4"], [], "/no/such/file.mp4 does not exist"),
        (["FOLDER", "--camera-info", "/no/such.yaml"], [], "/no/such.yaml cannot be read"),
        (["FOLDER"], ["--no-such-argument"], "ROS arguments are refused"),
        (["FOLDER"], ["-p", "rate_hz:=fast"], "rate_hz"),
    ],
)
def test_what_cannot_be_played_is_one_line_and_exit_code_2(
    listener, folder, arguments, ros, words
):
    named = [folder if argument == "FOLDER" else argument for argument in arguments]
    code, log = listener.wait_for_end(listener.start(*named, ros=ros))
    assert code == 2
    last = log.splitlines()[-1]
    assert last.startswith("error: ")
    assert words in last
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--rate", "-1"], "rate_hz is -1, expected 0..1000"),
        (["--rate", "nan"], "rate_hz is nan, expected 0..1000"),
        (["--transport", "theora"], "expected one of raw, compressed, both"),
        (["--jpeg-quality", "0"], "jpeg_quality is 0, expected 1..100"),
        (["--reliability", "yes"], "expected one of reliable, best_effort"),
        (["--wait-for-subscribers", "-1"], "wait_for_subscribers is -1, expected 0..1000"),
    ],
)
def test_options_that_cannot_be_are_refused_before_ros_starts(folder, option, words, capsys):
    assert run(["play", str(folder), *option]) == 2
    assert words in capsys.readouterr().err


def test_pace_keeps_to_its_deadlines_and_never_bursts():
    pace = Pace(0.5)
    assert pace.deadline_s(100.0) == 100.0  # the first at once
    assert pace.deadline_s(100.1) == 100.5
    assert pace.deadline_s(101.2) == 101.0  # a little late: the next is not delayed by it
    assert pace.deadline_s(101.3) == 101.5
    assert pace.late == 0
    assert pace.deadline_s(104.0) == 104.0  # far too late: all move
    assert pace.deadline_s(104.1) == 104.5
    assert pace.late == 1


def test_pace_of_a_recording_follows_its_stamps():
    pace = Pace(0.1)
    assert pace.deadline_s(5.0, None) == 5.0
    assert pace.deadline_s(5.0, 0.3) == 5.3
    assert pace.deadline_s(5.1, 0.0) == 5.3


def test_a_bag_is_played_with_its_coordinate_frame_and_calibration(listener, shared):
    bag = shared / "data/bags/roboto-tiny-svo-ros2/bag"
    images = listener.listen(Image, "image")
    infos = listener.listen(CameraInfo, "camera_info")
    player = listener.start(bag, "--wait-for-subscribers", 1)
    code, log = listener.wait_for_end(player)
    assert code == 0, log
    listener.wait_until(lambda: len(images) == len(infos) == 10)
    assert {message.header.frame_id for message in images} == {"/camera"}
    assert stamps_ns(images) == stamps_ns(infos)
    assert (infos[0].width, infos[0].height) == (752, 480)
    assert "playing bag:/camera/image_raw at 30" in log


def test_a_live_source_sets_its_own_pace():
    pace = Pace(0.0)
    assert [pace.deadline_s(now_s) for now_s in (1.0, 1.5, 9.0)] == [1.0, 1.0, 1.0]
    assert pace.late == 0
