"""The node as a process: what it hears, what the robot hears, and that this ends with zero."""

import math
import signal
import time

import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from etam_ros.msg import TrackedObject, TrackedObjectArray
from geometry_msgs.msg import Point, PoseStamped, Twist, TwistStamped, Vector3
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header, String
from std_srvs.srv import SetBool

NAN = math.nan
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def tracked(object_id=1, *, x=-0.5, z=3.0, bearing=True, header=None, **fields):
    """An object half a metre to the left, three metres ahead."""
    item = TrackedObject(id=object_id, label="cup", iou_score=0.9, visibility=1.0, **fields)
    far = math.hypot(x, z)
    item.bearing = Vector3(x=x / far, z=z / far) if bearing else Vector3(x=NAN, y=NAN, z=NAN)
    item.position.header = header or Header()
    item.position.point = Point(x=x, y=0.1, z=z)
    item.centroid = Point(x=100.0, y=120.0)
    return item


class Robot:
    """The tracker and the robot of one follower: publishes objects, hears commands."""

    def __init__(self, client, process, *, namespace="", stamped=True):
        self.client, self.process, node = client, process, client.node
        self.heard, self.states, self.poses = [], [], []
        self.publisher = node.create_publisher(TrackedObjectArray, f"{namespace}/objects", 10)
        kind = TwistStamped if stamped else Twist
        self.subscription = node.create_subscription(
            kind, f"{namespace}/cmd_vel", self.heard.append, 50
        )
        node.create_subscription(
            String, f"{client.tracker}/state", lambda m: self.states.append(m.data), LATCHED
        )
        client.listen(PoseStamped, "target_pose", self.poses)
        client.wait_until(self.subscription.get_publisher_count, "the commands")

    def activate(self):
        self.client.wait_for_state("active")
        self.client.wait_until(self.publisher.get_subscription_count, "subscription to objects")

    def enable(self, on=True):
        return self.client.call(SetBool, "enable", SetBool.Request(data=on))

    def show(self, *objects, stamp=None, frame_id="camera"):
        header = Header(stamp=stamp or self.client.node.get_clock().now().to_msg())
        header.frame_id = frame_id
        for item in objects:
            item.position.header = header
        self.publisher.publish(TrackedObjectArray(header=header, objects=list(objects)))

    def until(self, condition, *objects, **header):
        """Show objects at some rate until the condition holds; without any, show nothing."""
        shown_s = 0.0

        def held():
            nonlocal shown_s
            if objects and time.monotonic() - shown_s > 0.04:
                shown_s = time.monotonic()
                self.show(*objects, **header)
            return condition()

        return self.client.wait_until(held, f"{condition}, last state {self.states[-1:]}")

    def until_state(self, words, *objects, **header):
        first = max(0, len(self.states) - 1)
        self.until(lambda: any(words in s for s in self.states[first:]), *objects, **header)

    @property
    def speeds(self):
        """The last that was heard."""
        twist = getattr(self.heard[-1], "twist", self.heard[-1])
        return twist.linear.x, twist.angular.z

    def stands(self):
        return self.speeds == (0, 0)

    def drive(self, *objects):
        """Follow until it drives and turns to the left."""
        self.until(
            lambda: self.heard and self.speeds[0] > 0.1 and self.speeds[1] > 0.05,
            *(objects or (tracked(),)),
        )


@pytest.fixture(scope="module")
def robot(start_follower, make_client):
    process = start_follower("-p", "diagnostics_period_s:=0.1")
    robot = Robot(make_client(name="follower"), process)
    robot.activate()
    return robot


@pytest.fixture(autouse=True)
def _disabled(request):
    yield
    if "robot" in request.fixturenames:
        shared = request.getfixturevalue("robot")
        shared.enable(False)
        shared.until_state("disabled")


def test_it_is_off_at_start_and_drives_when_enabled_within_its_limits(robot):
    robot.until_state("disabled", tracked())
    assert robot.heard == []
    assert robot.enable().success
    robot.drive()
    assert robot.states[-1] == "following: cup (1)"
    for message in robot.heard:
        assert 0 <= message.twist.linear.x <= 0.5
        assert 0 <= message.twist.angular.z <= 1.0
        assert message.header.frame_id == "base_link"
    assert robot.enable(False).message == "disabled"
    robot.until(robot.stands)
    robot.until_state("disabled")


def test_it_stands_when_nothing_comes_any_more_and_waits_to_be_enabled_again(robot):
    robot.enable()
    robot.drive()
    why = "no new result, the last one is older than 0.5 s (result_timeout_s)"
    robot.until_state(f"stopped: {why}")
    robot.until(robot.stands)
    robot.until_state(f"lost: {why}; call ~/enable to continue")
    robot.process.wait_for_log("[WARN]")
    before = len(robot.heard)
    robot.until(lambda: len(robot.heard) > before + 5, tracked())
    assert robot.speeds == (0, 0), "it was not told to come back"
    robot.enable()
    robot.drive()


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ([tracked(occluded=True)], "cup (1) is hidden"),
        ([tracked(2, occluded=True)], "cup (2) is hidden"),
        ([TrackedObject(id=1, label="cup", iou_score=0.1)], "its iou_score is below 0.4"),
        ([tracked(5, bearing=False)], "direction of cup (5) is unknown"),
    ],
)
def test_it_stands_for_what_the_tracker_does_not_know(robot, seen, words):
    robot.enable()
    robot.drive()
    robot.until_state(words, *seen)
    robot.until(robot.stands, *seen)


def test_it_stands_for_results_of_another_camera_and_of_long_ago(robot):
    robot.enable()
    robot.drive()
    robot.until_state("camera frame 'rear', not 'camera'", tracked(), frame_id="rear")
    robot.until(robot.stands)
    silent = ("stopped: no new result", "lost")  # else the rear camera would be the first it sees
    robot.until(lambda: robot.states[-1].startswith(silent))
    robot.enable()
    robot.drive()
    now = robot.client.node.get_clock().now().nanoseconds
    old = Time(sec=now // 10**9 - 2)
    robot.until_state("by their timestamps", tracked(), stamp=old)
    robot.until(robot.stands)


def test_the_pose_of_the_target_is_for_planners_whether_it_drives_or_not(robot):
    robot.until(
        lambda: robot.poses and robot.poses[-1].pose.position.x == 0, tracked(x=0.0, z=2.0)
    )
    pose = robot.poses[-1]
    assert pose.header.frame_id == "camera"
    assert (pose.pose.position.x, pose.pose.position.z) == (0.0, 2.0)
    turned = pose.pose.orientation
    assert [turned.x, turned.y, turned.z, turned.w] == pytest.approx([0.5, -0.5, 0.5, 0.5])


def test_parameters_change_while_it_drives_and_are_checked(robot):
    robot.enable()
    robot.drive()
    for name, value in (
        ("distance.max", -1.0), ("bearing.gain", "fast"), ("stamp_age", "maybe"),
        ("result_timeout_s", 0.0), ("stamped", False),
    ):  # fmt: skip
        refused = robot.client.set_parameter(name, value)
        assert not refused.successful
        assert name in refused.reason
    assert robot.client.set_parameter("distance.max", 0.05).successful
    robot.until(lambda: 0 < robot.speeds[0] <= 0.05, tracked())
    assert robot.client.set_parameter("target", "box").successful
    robot.until_state("there is no object 'box'", tracked())
    assert robot.client.set_parameter("target", 7).successful, "an id is a whole number"
    robot.until_state("there is no object 7", tracked())
    assert not robot.client.set_parameter("target", 1.5).successful
    for name, value in (("target", "newest"), ("distance.max", 0.5)):
        assert robot.client.set_parameter(name, value).successful


def test_it_follows_what_the_tracker_says_was_selected(robot):
    reports = robot.client.node.create_publisher(DiagnosticArray, "/diagnostics", 10)
    assert robot.client.set_parameter("target", "selected").successful
    robot.client.wait_until(lambda: reports.get_subscription_count() > 1, "a subscription")
    robot.enable()
    both = (tracked(1), tracked(2))
    robot.until_state("waiting: no object is selected", *both)
    status = DiagnosticStatus(name="/client: tracking", hardware_id="/client")
    status.values = [KeyValue(key="selected", value="1")]

    def chosen():
        reports.publish(DiagnosticArray(status=[status]))
        return "following: cup (1)" in robot.states[-1]

    robot.until(chosen, *both)
    assert robot.client.set_parameter("target", "newest").successful
    robot.until_state("following: cup (2)", *both)


def test_diagnostics_say_what_it_does(robot):
    robot.enable()
    robot.drive()
    robot.show(tracked())
    status, values = robot.client.status("following", lambda _, v: v["phase"] == "following")
    assert status.message == "following: cup (1)"
    assert float(values["distance_m"]) == pytest.approx(3.04)
    assert (values["iou_score"], values["visibility"]) == ("0.90", "1.000")
    assert (values["objects"], values["publishers"]) == ("/objects", "1")
    assert (values["cmd_vel"], values["listeners"], values["problem"]) == ("/cmd_vel", "1", "")
    robot.until_state("stopped")
    status, _ = robot.client.status("following", lambda _, v: v["phase"] == "stopped")
    assert status.level == status.WARN


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_last_that_a_robot_hears_of_a_process_that_ends_is_zero(
    start_follower, make_client, number
):
    namespace = f"/ending_{number.name.lower()}"
    process = start_follower("-r", f"__ns:={namespace}")
    robot = Robot(make_client(namespace, "follower"), process, namespace=namespace)
    robot.activate()
    robot.enable()
    robot.drive()
    assert process.end(number) == 0
    robot.until(robot.stands)
    robot.until(lambda: not robot.subscription.get_publisher_count())
    robot.until(robot.stands)
    assert "Traceback" not in process.log
    assert "never retrieved" not in process.log


def test_a_run_through_the_lifecycle_with_twists_without_stamps(start_follower, make_client):
    namespace = "/plain"
    process = start_follower(
        "-r", f"__ns:={namespace}", "-p", "stamped:=false", "-p", "autostart:=false"
    )
    client = make_client(namespace, "follower")
    client.wait_for_state("unconfigured")
    assert client.change_state("configure")
    robot = Robot(client, process, namespace=namespace, stamped=False)
    refused = robot.enable()
    assert not refused.success
    assert "inactive" in refused.message
    assert client.change_state("activate")
    robot.activate()
    robot.enable()
    robot.drive()
    assert client.change_state("deactivate")
    robot.until(robot.stands)
    robot.until_state("inactive")
    assert client.change_state("activate")
    robot.activate()
    robot.until_state("disabled", tracked())
    assert robot.speeds == (0, 0), "it is off again"
    robot.enable()
    robot.drive()
    assert client.change_state("deactivate")
    assert client.change_state("cleanup")
    robot.until(lambda: not robot.subscription.get_publisher_count())
    robot.until(robot.stands)
    assert process.end() == 0


def test_a_robot_that_expects_the_other_kind_of_twist_is_named(start_follower, make_client):
    process = start_follower("-r", "__ns:=/mixed", "-p", "diagnostics_period_s:=0.1")
    client = make_client("/mixed", "follower")
    client.node.create_subscription(Twist, "/mixed/cmd_vel", print, 1)
    status, values = client.status("following", lambda _, v: v.get("problem"))
    words = "expects Twist on /mixed/cmd_vel, and TwistStamped is sent: set stamped to false"
    assert words in values["problem"]
    assert words in status.message
    assert status.level == status.WARN
    assert values["listeners"] == "0"
    process.wait_for_log(words)
    assert "UNKNOWN" not in process.log, "it waits until it knows the name"


def test_bearings_that_results_lack_come_from_camera_info(start_follower, make_client):
    process = start_follower("-r", "__ns:=/calibrated")
    client = make_client("/calibrated", "follower")
    robot = Robot(client, process, namespace="/calibrated")
    robot.activate()
    robot.enable()
    robot.until_state("direction of cup (1) is unknown", tracked(bearing=False))
    infos = client.node.create_publisher(CameraInfo, "/calibrated/camera_info", 1)
    client.wait_until(infos.get_subscription_count, "subscription to camera_info")
    infos.publish(CameraInfo(width=320, height=240))  # no calibration: 53 degrees are assumed
    robot.drive(tracked(bearing=False))  # its centroid is left of the middle


def test_time_that_jumps_stops_it_and_time_that_stands_still_too(start_follower, make_client):
    process = start_follower(
        "-r", "__ns:=/simulated", "-p", "use_sim_time:=true", "-p", "clock_timeout_s:=1.0"
    )
    client = make_client("/simulated", "follower")
    robot = Robot(client, process, namespace="/simulated")
    clock = client.node.create_publisher(Clock, "/clock", 10)
    robot.activate()
    robot.enable()
    robot.until_state("nothing is published on /clock", tracked())
    now_s = 100.0

    def advance():
        nonlocal now_s
        now_s += 0.01
        stamp = Time(sec=int(now_s), nanosec=int(now_s % 1 * 1e9))
        clock.publish(Clock(clock=stamp))
        robot.show(tracked(), stamp=stamp)
        return robot.heard and robot.speeds[0] > 0.1

    client.wait_until(advance, "driving in simulated time")
    robot.until_state("/clock stood still for 1 s")
    robot.until(robot.stands)

    def driving_again():
        if "lost" in robot.states[-1]:  # also where a slow machine lets the clock stand once more
            robot.enable()
        return advance()

    client.wait_until(driving_again, "driving again")
    now_s -= 50.0

    def stopped():
        advance()
        return any("lost: the clock jumped by -" in state for state in robot.states)

    client.wait_until(stopped, "a jump")
    robot.until(robot.stands)


@pytest.mark.parametrize("argument", ["bearing.max:=-1.0", "rate_hz:=often", "stamp_age:=x"])
def test_a_wrong_parameter_is_one_line_and_exit_2(start_follower, argument):
    process = start_follower("-p", argument)
    assert process.process.wait(60) == 2
    assert process.log.startswith("follower: ")
    assert len(process.log.strip().splitlines()) == 1, process.log
