"""Nothing that arrives ends a node: real processes, real messages, whatever they hold."""

import gc
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from builtin_interfaces.msg import Time
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter, ParameterValue
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    ListParameters,
    SetParameters,
    SetParametersAtomically,
)
from rclpy.executors import MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from std_srvs.srv import SetBool, Trigger

from etam_ros.ros.guarding import (
    MOST_PARAMETERS,
    Faults,
    Guarded,
    GuardedThreads,
    in_words,
    refused,
)

WRONG_TYPES = (10, 200, 255)
NOT_SET = ParameterValue()


def parameter(name, **value):
    return Parameter(name=name, value=ParameterValue(**value))


@pytest.fixture(scope="module")
def tracker(start_tracker, make_client, ros):
    """A tracker that listens to /clock, and its client."""
    process = start_tracker(*ros.tiny, "-p", "use_sim_time:=true", "-r", "__ns:=/guarded")
    client = make_client("/guarded")
    client.wait_for_camera()
    return process, client


def failed_callbacks(client):
    return int(client.status("engine", lambda *_: True)[1]["failed_callbacks"])


@pytest.mark.parametrize("kind", WRONG_TYPES)
def test_a_parameter_of_no_type_is_refused_and_those_beside_it_are_set(tracker, kind):
    process, client = tracker
    before = failed_callbacks(client)
    request = SetParameters.Request(
        parameters=[
            parameter("overlay.opacity", type=3, double_value=0.5),
            parameter("overlay.opacity", type=kind),
            parameter("overlay.outline_px", type=2, integer_value=3),
        ]
    )
    results = client.call(SetParameters, "set_parameters", request).results
    assert [result.successful for result in results] == [True, False, True]
    assert f"{kind} is not a valid Parameter.Type" in results[1].reason
    _, values = client.status("engine", lambda _, v: int(v["failed_callbacks"]) == before + 1)
    assert "tracker/set_parameters" in values["last_failed_callback"]
    together = SetParametersAtomically.Request(parameters=request.parameters)
    result = client.call(SetParametersAtomically, "set_parameters_atomically", together).result
    assert not result.successful
    assert "is not a valid Parameter.Type" in result.reason
    assert process.process.poll() is None


@pytest.mark.parametrize(
    "odd",
    [
        parameter("tracker.overlap"),
        parameter("tracker.overlap", type=9, string_array_value=["settle"]),
        parameter("overlay.opacity", type=3, double_value=float("nan")),
        parameter("use_sim_time", type=4, string_value="yes"),
        parameter("use_sim_time"),
        parameter("start_type_description_service", type=1, bool_value=False),
        parameter("qos_overrides./x.publisher.depth", type=2, integer_value=-1),
        parameter("a" * 10_000 + "..\n", type=2, integer_value=2**62),
        parameter("tracker.max_objects", type=2, integer_value=-(2**63)),
    ],
    ids=lambda odd: f"{odd.name[:24]!r}-{odd.value.type}",
)
def test_an_odd_parameter_is_answered_in_words(tracker, odd):
    process, client = tracker
    request = SetParameters.Request(parameters=[odd])
    (result,) = client.call(SetParameters, "set_parameters", request).results
    assert not result.successful
    assert result.reason
    for kind, name in (
        (GetParameters, "get_parameters"),
        (DescribeParameters, "describe_parameters"),
    ):
        client.call(kind, name, kind.Request(names=[odd.name]))
    client.call(
        ListParameters, "list_parameters", ListParameters.Request(prefixes=[odd.name], depth=2**63)
    )
    assert process.process.poll() is None


def test_a_request_of_more_parameters_than_there_are_is_refused_at_once(tracker):
    _, client = tracker
    many = [parameter("overlay.opacity", type=3, double_value=0.25)] * (MOST_PARAMETERS + 1)
    request = SetParameters.Request(parameters=many)
    results = client.call(SetParameters, "set_parameters", request).results
    assert len(results) == len(many)
    assert {result.successful for result in results} == {False}
    assert f"sets {len(many)} parameters, expected at most {MOST_PARAMETERS}" in results[0].reason
    request = SetParameters.Request(parameters=many[:2])
    results = client.call(SetParameters, "set_parameters", request).results
    assert [result.successful for result in results] == [True, True]


def test_a_clock_from_before_time_is_told_once_and_the_next_one_is_read(tracker, ros):
    process, client = tracker
    clock = client.node.create_publisher(Clock, "/clock", 1)
    client.wait_until(clock.get_subscription_count, "subscription to the clock")

    def told():
        clock.publish(Clock(clock=Time(sec=-5)))
        return process.log.count("/clock failed") or None

    client.wait_until(told, "a line about the clock")
    for _ in range(20):
        clock.publish(Clock(clock=Time(sec=-(2**31))))
    stamped = []

    def reads_the_next():
        clock.publish(Clock(clock=Time(sec=77)))
        entry = client.diagnostics_stamp
        if entry is not None:
            stamped.append(entry.sec)
        return 77 in stamped

    client.wait_until(reads_the_next, "diagnostics of the new time")
    assert process.log.count("/clock failed") <= 2, process.log
    assert client.track(ros.image(client.next_header())).objects == []


def test_a_callback_that_fails_is_told_answered_and_survived(
    ros_environment, ros_context, tmp_path
):
    environment = {**ros_environment, "PYTHONPATH": str(Path(__file__).parents[2])}
    script = Path(__file__).with_name("small_node.py")
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, script, "broken_callback", "--ros-args", "-r", "__ns:=/broken"],
            stdout=output, stderr=subprocess.STDOUT, env=environment,
        )  # fmt: skip
    node = Node("asks_the_broken", context=ros_context, use_global_arguments=False)
    executor = SingleThreadedExecutor(context=ros_context)
    executor.add_node(node)
    client = node.create_client(Trigger, "/broken/fail")
    try:
        answers = []
        while len(answers) < 3:
            assert process.poll() is None, log.read_text()
            if not client.service_is_ready():
                executor.spin_once(timeout_sec=0.05)
                continue
            future = client.call_async(Trigger.Request())
            executor.spin_until_future_complete(future, 5.0)
            if future.done():
                answers.append(future.result())
        assert {answer.success for answer in answers} == {False}
        assert "ZeroDivisionError: a bug" in answers[0].message
    finally:
        executor.shutdown()
        node.destroy_node()
        process.terminate()
    assert process.wait(60) == 0
    said = log.read_text()
    assert "SmallNode.on_timer failed and was given up: ZeroDivisionError: a bug" in said
    assert "fail failed and was given up" in said
    assert said.count("in on_timer") == 1, "where it happened is told once"


def test_a_callback_is_given_what_rclpy_names(ros_context):
    class Thread(Guarded, SingleThreadedExecutor):
        faults = Faults("test")

    given = []

    def on_timer(info):
        given.append(info)

    node = Node("wants_to_know", context=ros_context, use_global_arguments=False)
    timer = node.create_timer(1000.0, on_timer)
    executor = Thread(context=ros_context)
    executor.can_execute(timer)
    timer.callback(info="when")  # from Kilted on, rclpy does so with a TimerInfo
    assert given == ["when"]
    executor.shutdown()
    node.destroy_node()


def test_what_callbacks_raise_at_the_end_is_waited_for_and_not_printed(ros_context, capsys):
    class Threads(GuardedThreads):
        faults = Faults("test")
        __init__ = MultiThreadedExecutor.__init__

    began, go = threading.Event(), threading.Event()

    def slow():
        began.set()
        go.wait()
        raise rclpy_implementation.InvalidHandle("destruction was requested")

    slow.guarded_for = None  # let it through, as where a service is gone before it answered
    node = Node("ends_early", context=ros_context, use_global_arguments=False)
    timer = node.create_timer(0.0, slow)
    executor = Threads(2, context=ros_context)
    executor.add_node(node)
    spinner = threading.Thread(target=executor.spin_once)
    spinner.start()
    assert began.wait(30.0)
    spinner.join(30.0)
    spinner = threading.Thread(target=executor.spin_once)
    spinner.start()
    executor.leave()
    spinner.join(30.0)
    assert not spinner.is_alive(), "nothing else is there to wake it"
    assert not executor.finish(0.05), "the callback still runs"
    executor.shutdown()  # from Kilted on, rclpy's own would wait for the callback
    go.set()
    assert executor.finish(30.0)
    node.destroy_timer(timer)
    node.destroy_node()
    del executor, spinner
    gc.collect()
    assert "never retrieved" not in capsys.readouterr().err


def test_whoever_called_is_told_in_whatever_words_the_service_has():
    assert "oops" in refused(Trigger, "oops").message
    assert not refused(SetBool, "oops").success
    assert not refused(ChangeState, "oops").success
    assert "oops" in refused(SetParameters, "oops").results[0].reason
    assert "oops" in refused(SetParametersAtomically, "oops").result.reason


def test_faults_are_counted_and_new_ones_are_told_apart():
    faults = Faults("test")
    assert faults.report() == ({"failed_callbacks": "0", "last_failed_callback": ""}, False)
    faults.tell("/a", ValueError("torn\n in two"))
    values, is_new = faults.report()
    assert (values["last_failed_callback"], is_new) == ("/a: ValueError: torn in two", True)
    assert not faults.report()[1]
    assert len(in_words(ValueError("x" * 10_000))) <= 300
