"""How the process around a node ends: real processes, each with one fault."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

import etam_ros
from etam_ros.errors import ConfigError
from etam_ros.ros.startup import NO_SECURITY, check_domain, node_refusal

SCRIPT = Path(__file__).with_name("small_node.py")
ROOT = str(Path(etam_ros.__file__).parents[1])  # a script alone would not find a bare checkout
DEADLINE_S = 60.0


class Process:
    """The small node; what it says goes to a file."""

    def __init__(self, environment, log, fault, *ros_arguments):
        self._log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, SCRIPT, fault, *ros_arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**environment, "PYTHONPATH": ROOT},
            )

    @property
    def log(self):
        return self._log.read_text()

    def wait_for_log(self, words):
        end = time.monotonic() + DEADLINE_S
        while words not in self.log:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.01)

    def exit_code(self):
        return self.process.wait(DEADLINE_S)


@pytest.fixture
def start(ros_environment, tmp_path):
    running = []

    def start(fault, *ros_arguments, environment=ros_environment):
        log = tmp_path / f"{len(running)}.log"
        running.append(Process(environment, log, fault, *ros_arguments))
        return running[-1]

    yield start
    for each in running:
        each.process.kill()
        each.process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_exit_0(start, number):
    process = start("none")
    process.wait_for_log("made")
    process.process.send_signal(number)
    assert process.exit_code() == 0, process.log


def test_a_signal_that_does_not_wake_the_main_thread_ends_it_too(start):
    process = start("deaf_main_thread")
    process.wait_for_log("has been spinning")
    process.process.send_signal(signal.SIGINT)
    assert process.exit_code() == 0, process.log


def test_the_node_says_how_it_ends(start):
    process = start("finishes_with_code")
    assert process.exit_code() == 3
    process = start("finishes_with_error")
    assert process.exit_code() == 2
    assert process.log.splitlines()[-1] == ("small_node: the source is damaged: play another")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--gpu"], "arguments are '--gpu', expected only ROS arguments"),
        (["--ros-args", "--no-such-argument"], "ROS arguments are refused"),
        (["--ros-args", "--params-file", "/nope.yaml"], "expected a YAML file of parameters"),
        (["--ros-args", "-r", "image:=bad topic"], "'-r image:=bad topic' is refused, expected"),
        (["--ros-args", "-r", "__ns:="], "expected / or names behind a / each"),
        (["--ros-args", "-r", "__node:="], "expected a name of letters, digits and underscores"),
        (["--ros-args", "-r", f"__node:={'a' * 300}"], "the node cannot be made: "),
        (["--ros-args", "--log-level", "nope"], "expected debug, info, warn, error or fatal"),
        (["--ros-args", "-p", "use_sim_time:=maybe"], "'use_sim_time' to 'maybe'"),
    ],
)
def test_arguments_that_are_not_for_ros_are_one_line_and_exit_2(start, arguments, words):
    process = start("none", *arguments)
    assert process.exit_code() == 2
    *of_rcl, line = process.log.splitlines()
    assert "Traceback" not in "".join(of_rcl)
    assert line.startswith("small_node: ")
    assert words in line
    assert ".c:" not in line


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"HOME": "", "ROS_HOME": "", "ROS_LOG_DIR": ""}, "HOME is not set"),
        ({"ROS_LOG_DIR": "/proc/no_log"}, "cannot be written to /proc/no_log"),
        ({"ROS_LOG_DIR": "/dev/null"}, "cannot be written to /dev/null"),
    ],
)
def test_a_log_that_cannot_be_written_is_called_that(start, ros_environment, changed, words):
    process = start("none", environment={**ros_environment, **changed})
    assert process.exit_code() == 2
    (line,) = process.log.splitlines()
    assert words in line
    assert "set ROS_LOG_DIR" in line


@pytest.mark.parametrize("domain", ["abc", "-1", "233", "9" * 5000])
def test_a_domain_that_cannot_be_is_one_line(domain):
    with pytest.raises(ConfigError, match=r"ROS_DOMAIN_ID is '.*, expected a number from 0"):
        check_domain({"ROS_DOMAIN_ID": domain})


def test_a_peer_that_nobody_knows_is_blamed_on_its_variable():
    kind = type("RCLError", (Exception,), {"__module__": "rclpy._rclpy_pybind11"})
    refused = node_refusal(kind("error creating node: Unable to resolve peer robot_2"))
    assert "resolve peer robot_2; ROS_STATIC_PEERS names it" in str(refused)


@pytest.mark.parametrize("environment", [{}, {"ROS_DOMAIN_ID": ""}, {"ROS_DOMAIN_ID": "232"}])
def test_every_domain_that_can_be_is_taken(environment):
    check_domain(environment)


def test_where_security_is_enforced_and_cannot_be_had_nothing_runs_open(
    start, ros_environment, tmp_path
):
    enforced = {
        **ros_environment,
        "ROS_SECURITY_ENABLE": "true",
        "ROS_SECURITY_STRATEGY": "Enforce",
        "ROS_SECURITY_KEYSTORE": str(tmp_path),
    }
    process = start("none", environment=enforced)
    assert process.exit_code() == 2
    assert "SECURITY ERROR" in process.log.splitlines()[-1]
    folder = tmp_path / "enclaves"
    folder.mkdir()
    for name in (
        "identity_ca.cert.pem", "permissions_ca.cert.pem", "cert.pem", "key.pem",
        "governance.p7s", "permissions.p7s",
    ):  # fmt: skip
        (folder / name).write_text("no key")
    process = start("none", environment=enforced)
    assert process.exit_code() == 2
    line = process.log.splitlines()[-1]
    assert line.startswith("small_node: the node cannot be made")
    if NO_SECURITY in line:  # as in the wheels
        assert "take the middleware of a ROS installation" in line


@pytest.mark.parametrize("words", ["made", "making"])
def test_a_signal_during_the_start_leaves_no_word_of_an_exception(start, words):
    process = start("slow_start")
    process.wait_for_log(words)
    process.process.send_signal(signal.SIGINT)
    assert process.exit_code() == 0
    assert "Traceback" not in process.log
    assert "never retrieved" not in process.log


def test_without_rclpy_it_says_how_to_get_it(start):
    process = start("no_rclpy")
    assert process.exit_code() == 2
    (line,) = process.log.splitlines()
    assert "rclpy cannot be imported" in line
    assert "source a ROS 2 workspace, or install" in line


@pytest.fixture
def change_state(ros_context):
    """Ask the node of a namespace for a transition, again and again until something is done.

    A service that has just been started may drop its answer, or not be there for a request yet.
    """
    node = Node("asks_for_transitions", context=ros_context, use_global_arguments=False)
    executor = SingleThreadedExecutor(context=ros_context)
    executor.add_node(node)

    def ask(namespace, done, **transition):
        client = node.create_client(ChangeState, f"{namespace}/small_node/change_state")
        request = ChangeState.Request(transition=Transition(**transition))
        answers, end, again = [], time.monotonic() + DEADLINE_S, 0.0
        while not done(answers):
            assert time.monotonic() < end
            if client.service_is_ready() and time.monotonic() > again:
                answers.append(client.call_async(request))
                again = time.monotonic() + 3.0
            executor.spin_once(timeout_sec=0.02)
        return [answer.result().success for answer in answers if answer.done()]

    yield ask
    executor.shutdown()
    node.destroy_node()


def first(answers):
    return any(answer.done() for answer in answers)


@pytest.mark.parametrize(
    ("namespace", "transition"),
    [
        ("/by_id", {"id": Transition.TRANSITION_ACTIVATE}),
        ("/by_unknown_id", {"id": 99}),
        ("/by_label", {"label": "activate"}),
        ("/by_unknown_label", {"label": "fly"}),
    ],
)
def test_an_impossible_transition_is_refused_and_the_process_goes_on(
    start, change_state, namespace, transition
):
    process = start("none", "--ros-args", "-r", f"__ns:={namespace}")
    assert not any(change_state(namespace, first, **transition))
    assert "impossible while unconfigured" in process.log
    change_state(namespace, lambda _: "configure: inactive" in process.log, label="configure")


def test_an_error_in_a_transition_is_not_taken_for_an_impossible_one(start, change_state):
    process = start("broken_transition", "--ros-args", "-r", "__ns:=/broken")
    configure = Transition.TRANSITION_CONFIGURE
    assert change_state("/broken", first, id=configure) == [False]
    assert "impossible" not in process.log
    assert "change_state failed and was given up: AttributeError" in process.log
    assert process.process.poll() is None


@pytest.mark.parametrize("name", ["tracker_node", "follower", "player"])
def test_a_signal_while_the_package_is_imported_ends_an_executable_quietly(name, tmp_path):
    package = tmp_path / "etam_ros"
    package.mkdir()
    (package / "__init__.py").write_text("import time; print('up', flush=True); time.sleep(60)")
    script = Path(__file__).resolve().parents[2] / "scripts" / name
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, said) == (0, "")
