"""Starting, stopping and the states between, of real processes."""

import signal

import pytest
from geometry_msgs.msg import PointStamped
from std_srvs.srv import Trigger

from etam_ros.ros.tracker.reports.diagnostics import resident_mb


def test_a_run_through_all_states(start_tracker, make_client, ros):
    process = start_tracker(*ros.tiny, "-p", "autostart:=false")
    client = make_client()
    client.wait_for_state("unconfigured")
    assert not client.change_state("activate"), "there is no such transition"
    assert "refused transition" in process.log
    assert client.state() == "unconfigured"

    assert client.change_state("configure")
    refused = client.add_prompt(points=[(5, 5)], labels=[1])
    assert not refused.success
    assert "inactive" in refused.message
    for answer in (client.remove(1), client.pause(True)):
        assert not answer.success
        assert "inactive" in answer.message
    assert not client.call(Trigger, "reset", Trigger.Request()).success

    assert client.change_state("activate")
    client.wait_for_camera()
    before_any_frame = client.add_prompt(points=[(5, 5)], labels=[1])
    assert "no image" in before_any_frame.message
    client.track(ros.image(client.next_header()))
    assert client.add_prompt(points=[(30, 30)], labels=[1]).success

    assert client.change_state("deactivate")
    client.wait_until(lambda: not client.camera.get_subscription_count(), "no subscription")
    assert client.change_state("activate")
    client.wait_for_camera()
    message = client.track(ros.image(client.next_header()))
    assert [o.id for o in message.objects] == [1], "deactivating keeps the objects"

    assert client.change_state("deactivate")
    assert client.change_state("cleanup")
    client.wait_until(lambda: not client.offers("add_prompt"), "no services")
    assert client.set_parameter("model", "no_such_model").successful
    assert not client.change_state("configure")
    assert "configure failed" in process.log
    assert client.set_parameter("model", "tiny_test").successful
    assert client.change_state("configure")
    assert client.change_state("activate")
    client.wait_for_camera()
    assert client.track(ros.image(client.next_header())).objects == []
    assert process.end() == 0


def test_an_activation_that_fails_leaves_nothing_behind(start_tracker, make_client, ros):
    # The images have the name of the clicks: the middleware refuses one name with two types.
    name = "/failing/tracker/click"
    process = start_tracker(
        *ros.tiny, "-p", "autostart:=false", "-r", "__ns:=/failing", "-r", f"image:={name}"
    )
    client = make_client("/failing")
    assert client.change_state("configure")
    for failures in (1, 2):
        assert not client.change_state("activate")
        assert process.log.count("activate failed") == failures
        assert client.state() == "inactive"
        client.wait_until(lambda: not client.node.count_subscribers(name), "no subscription")

    assert client.change_state("cleanup")
    assert client.set_parameter("image_transport", "compressed").successful
    assert client.change_state("configure")
    assert client.change_state("activate")
    click = client.publisher(PointStamped, "click")
    client.wait_until(lambda: client.node.count_subscribers(name), "a subscription")
    click.publish(ros.click(5, 5))  # is refused once: there is no image yet
    refused = lambda _, values: int(values["refused_prompts"]) > 0  # noqa: E731
    assert client.status("tracking", refused)[1]["refused_prompts"] == "1"
    assert client.node.count_subscribers(name) == 1
    assert process.end() == 0, process.log


def test_what_the_node_loads_cannot_change_while_it_loads(start_tracker, make_client):
    process = start_tracker(
        "-p", "model:=efficienttam_ti_512x512", "-p", "weights:=random:0", "-r", "__ns:=/loading"
    )
    client = make_client("/loading")
    process.wait_for_log("loading efficienttam_ti_512x512")
    refused = client.set_parameter("model", "tiny_test")
    assert not refused.successful
    assert "clean up" in refused.reason
    assert process.end() == 0, process.log


def test_when_autostart_fails_the_process_exits_1_with_one_line_of_why(start_tracker):
    process = start_tracker("-p", "model:=tiny_test", "-p", "weights:=/no/such/file.pt")
    assert process.process.wait(60) == 1
    begun, why = process.log.strip().splitlines()
    assert "loading tiny_test" in begun
    assert "/no/such/file.pt" in why


@pytest.mark.parametrize(
    "arguments",
    [
        ("-p", "backend:=abacus"),
        ("-p", "tracker.max_objects:=0"),
        ("-p", "image_timeout_s:=soon"),
        ("--", "--gpu"),
    ],
)
def test_a_wrong_parameter_is_one_line_and_exit_2(start_tracker, arguments):
    process = start_tracker(*arguments)
    assert process.process.wait(60) == 2
    assert process.log.startswith("tracker_node: ")
    assert len(process.log.strip().splitlines()) == 1, process.log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("times", [1, 2])
def test_signals_during_configure_end_it_with_exit_0(start_tracker, number, times):
    process = start_tracker("-p", "model:=efficienttam_ti_512x512", "-p", "weights:=random:0")
    # Its log and not its state: an answer over DDS may take longer than loading does.
    process.wait_for_log("loading efficienttam_ti_512x512")
    segments = process.shared_memory()
    assert segments
    assert process.end(*[number] * times) == 0, process.log
    assert "loaded" not in process.log, "the signals came too late to test anything"
    assert "Traceback" not in process.log
    assert not [path for path in segments if path.exists()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_while_frames_stream_end_it_with_exit_0(start_tracker, make_client, ros, number):
    process = start_tracker(*ros.tiny)
    client = make_client()
    client.wait_for_camera()
    client.track(ros.image(client.next_header()))
    assert client.add_prompt(points=[(30, 30)], labels=[1]).success
    for seed in range(5):
        client.send(ros.image(client.next_header(), height=480, width=640, seed=seed))
    segments = process.shared_memory()
    assert segments
    assert process.end(number, number) == 0, process.log
    assert "Traceback" not in process.log
    assert not [path for path in segments if path.exists()], "shared memory is left behind"


def test_memory_is_read_in_megabytes():
    assert 10 < resident_mb() < 100_000
