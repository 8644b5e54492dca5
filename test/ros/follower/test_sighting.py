"""Messages of the tracker become what the follower knows."""

import math

import pytest
from builtin_interfaces.msg import Time
from etam_ros.msg import TrackedObject, TrackedObjectArray
from geometry_msgs.msg import Point, Vector3
from sensor_msgs.msg import CameraInfo

from etam_ros.errors import ConfigError
from etam_ros.ros.follower.calibration import MOST_WARNINGS, Calibration
from etam_ros.ros.follower.sighting import StampAges, camera_from, seen_object, target_pose

NAN = math.nan


def item(*, bearing=(NAN,) * 3, point=(NAN,) * 3, centroid=(NAN, NAN)):
    made = TrackedObject(id=4, label="cup", iou_score=0.5, visibility=1.0)
    made.bearing = Vector3(x=bearing[0], y=bearing[1], z=bearing[2])
    made.position.point = Point(x=point[0], y=point[1], z=point[2])
    made.centroid = Point(x=centroid[0], y=centroid[1])
    return made


def info(**fields):
    f = 200.0
    return CameraInfo(
        width=320, height=240, k=[f, 0, 159.5, 0, f, 119.5, 0, 0, 1.0], d=[0.0] * 5,
        distortion_model="plumb_bob", **fields,
    )  # fmt: skip


def test_bearing_is_to_the_left_and_distance_over_the_floor():
    seen = seen_object(item(bearing=(-0.6, 0.0, 0.8), point=(-1.8, 0.7, 2.4)), None)
    assert seen.bearing == pytest.approx(math.atan2(0.6, 0.8))
    assert seen.distance_m == pytest.approx(3.0)


@pytest.mark.parametrize("point", [(NAN, 0, 2), (0, 0, 0), (0, 0, -1), (math.inf, 0, 1)])
def test_a_position_that_is_none_is_no_distance(point):
    assert math.isnan(seen_object(item(point=point), None).distance_m)


@pytest.mark.parametrize("bearing", [(NAN, NAN, NAN), (0.0, 0.0, 0.0)])
def test_without_a_bearing_the_calibration_gives_one(bearing):
    seen = item(bearing=bearing, centroid=(259.5, 100.0))
    assert seen_object(seen, camera_from(info())).bearing == pytest.approx(-math.atan2(1, 2))
    assert math.isnan(seen_object(seen, None).bearing)
    assert math.isnan(seen_object(item(centroid=(500.0, 0.0)), camera_from(info())).bearing)
    assert math.isnan(seen_object(item(), camera_from(info())).bearing)


def test_without_a_calibration_53_degrees_are_assumed():
    camera = camera_from(CameraInfo(width=320, height=240))
    seen = seen_object(item(centroid=(-0.5, 119.5)), camera)
    assert math.degrees(seen.bearing) == pytest.approx(53.1 / 2, abs=0.1)
    assert camera_from(CameraInfo()) is None
    with pytest.raises(ConfigError, match="distortion"):
        camera_from(CameraInfo(width=4, height=3, k=[1.0] * 9, d=[1.0], distortion_model="odd"))


@pytest.mark.parametrize(
    ("rule", "stamp_s", "age_s"),
    [
        ("auto", 98, 2.0), ("auto", 0, NAN), ("auto", 50, NAN), ("auto", 140, NAN),
        ("always", 50, 50.0), ("never", 98, NAN),
    ],
)  # fmt: skip
def test_stamps_count_where_clocks_agree(rule, stamp_s, age_s):
    assert age(StampAges(), stamp_s, rule) == pytest.approx(age_s, nan_ok=True)


def age(ages, stamp_s, rule="auto", now_s=100):
    message = TrackedObjectArray()
    message.header.stamp = Time(sec=stamp_s)
    return ages.age_s(message, now_s * 10**9, rule)


def test_what_is_of_long_ago_is_old_once_clocks_agreed():
    ages = StampAges()
    assert age(ages, 99) == pytest.approx(1.0)
    assert age(ages, 50) == pytest.approx(50.0)
    assert math.isnan(age(ages, 0)), "a stamp of zero is none"
    ages.forget()
    assert math.isnan(age(ages, 50)), "time jumped, it may be of another clock"


@pytest.mark.parametrize(
    "stamp", [Time(), Time(sec=-(2**31)), Time(sec=2**31 - 1, nanosec=2**32 - 1)]
)
@pytest.mark.parametrize("rule", ["auto", "always", "never"])
def test_stamps_at_the_ends_of_their_range_have_an_age_or_none(stamp, rule):
    message = TrackedObjectArray()
    message.header.stamp = stamp
    assert math.isfinite(StampAges().age_s(message, 10**18, rule)) == (rule == "always")


def test_a_position_in_another_frame_is_no_distance():
    seen = item(point=(-1.8, 0.7, 2.4))
    seen.position.header.frame_id = "map"
    assert math.isnan(seen_object(seen, None, "camera").distance_m)
    seen.position.header.frame_id = "camera"
    assert seen_object(seen, None, "camera").distance_m == pytest.approx(3.0)


def test_a_direction_straight_down_is_none():
    assert math.isnan(seen_object(item(bearing=(0.0, 1.0, 0.0)), None).bearing)


def test_a_calibration_that_cannot_be_used_is_told_of_once_and_not_for_ever():
    told = []
    calibration = Calibration(told.append)
    for _ in range(3):
        calibration.on_info(CameraInfo(width=4, height=3, k=[NAN] * 9))
    assert len(told) == 1
    for number in range(100):
        calibration.on_info(CameraInfo(width=4, height=3, k=[-1.0 - number] * 9))
    assert len(told) == MOST_WARNINGS
    assert calibration.camera is None
    calibration.on_info(info())
    assert calibration.camera is not None


def rotated(q, vector):
    """A vector turned by a quaternion."""
    x, y, z = vector
    ux, uy, uz, w = q.x, q.y, q.z, q.w
    tx, ty, tz = 2 * (uy * z - uz * y), 2 * (uz * x - ux * z), 2 * (ux * y - uy * x)
    return (
        x + w * tx + uy * tz - uz * ty,
        y + w * ty + uz * tx - ux * tz,
        z + w * tz + ux * ty - uy * tx,
    )


@pytest.mark.parametrize("bearing", [0.0, 0.7, -1.2])
def test_the_pose_looks_away_from_the_camera_and_stands_upright(bearing):
    point = (-math.sin(bearing), 0.2, math.cos(bearing))
    pose = target_pose(item(point=point), bearing)
    turned = pose.pose.orientation
    assert rotated(turned, (1, 0, 0)) == pytest.approx((point[0], 0, point[2]))
    assert rotated(turned, (0, 0, 1)) == pytest.approx((0, -1, 0))
    assert target_pose(item(point=(NAN, 0, 1)), bearing) is None
    assert target_pose(item(point=point), NAN) is None
