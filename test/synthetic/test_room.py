"""The room: pictures, depths and masks agree with where things are."""

import math

import numpy as np
import pytest

from etam_ros.synthetic.room.rendering import RoomCamera
from etam_ros.synthetic.room.robot import COMMAND_TIMEOUT_S, WheeledRobot
from etam_ros.synthetic.room.room import BODY_RADIUS_M, FURNITURE, PILLAR, Room
from etam_ros.synthetic.room.walk import WAY, Leg, Walk


@pytest.fixture(scope="module")
def room():
    return Room(3, RoomCamera((120, 160), 118.0))


@pytest.mark.parametrize(("distance_m", "left_m"), [(1.5, 0.0), (2.0, 0.3), (3.0, -0.8)])
def test_the_figure_is_seen_where_it_stands(room, distance_m, left_m):
    place = (6.2 - 2.5, -2.0)  # nothing between it and the camera
    view = room.view(np.array([*place, 0.6]), 0.0, (place[0] + distance_m, place[1] + left_m, 0.0))
    mask = room.figure_mask(view)
    assert mask.sum() == pytest.approx(room.whole_figure_px(distance_m), rel=0.25)
    x0, y0 = room.camera.centre
    column = np.nonzero(mask)[1].mean()
    assert column == pytest.approx(x0 - room.camera.focal_px * left_m / distance_m, abs=1.5)
    axis = math.hypot(distance_m, left_m)
    nearest = view.depth_m[mask].min()
    assert nearest == pytest.approx(distance_m * (axis - BODY_RADIUS_M) / axis, rel=0.03)
    assert view.depth_m[round(y0), 0] == pytest.approx(9.0 - place[0], rel=0.5)


def test_every_ray_ends_somewhere_and_the_picture_is_no_noise(room):
    for heading in np.linspace(-math.pi, math.pi, 8):
        view = room.view(np.array([0.3, 0.5, 0.6]), float(heading), (2.5, 0.4, 0.0))
        assert np.isfinite(view.depth_m).all()
        assert (view.shape >= 0).all()
        assert 40 < view.image.mean() < 230
        apart = np.abs(np.diff(view.image.astype(int), axis=1)).mean()
        assert 1 < apart < 25


def test_the_pillar_hides_the_figure(room):
    eye = np.array([PILLAR[0] - 1.0, PILLAR[1], 0.6])
    behind, beside = (PILLAR[0] + 0.9, PILLAR[1], 0.0), (PILLAR[0] + 0.9, PILLAR[1] + 1.0, 0.0)
    assert not room.figure_mask(room.view(eye, 0.0, behind)).any()
    assert room.figure_mask(room.view(eye, 0.0, beside)).any()


def test_a_seed_gives_the_same_room_again():
    eye, figure = np.array([0.0, 0.0, 0.6]), (2.0, 0.0, 0.0)
    one, same, other = (Room(seed, RoomCamera((60, 80), 60.0)) for seed in (1, 1, 2))
    pictures = [each.view(eye, 0.0, figure).image for each in (one, same, other)]
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert (pictures[0] != pictures[2]).any()


def test_the_robot_drives_in_circles_and_stands_without_commands():
    robot = WheeledRobot()
    for _ in range(400):
        robot.tell(0.5, 0.5)
        robot.step(0.01)
    radius = math.hypot(robot.x, robot.y - 1.0)
    assert radius == pytest.approx(1.0, abs=0.1)
    for _ in range(round(COMMAND_TIMEOUT_S / 0.01) + 40):
        robot.step(0.01)
    assert robot.linear == robot.angular == 0


def test_a_walk_goes_at_its_speed_and_waits_where_it_is_told():
    walk = Walk((0.0, 0.0), 1.0, [Leg((3.0, 0.0), 0.5, wait_s=2.0), Leg((3.0, 1.0), 0.5)])
    assert walk.seconds == pytest.approx(1 + 6 + 2 + 2, abs=0.1)
    assert walk.at(0.5)[:2] == (0.0, 0.0)
    assert walk.at(4.0)[:2] == pytest.approx((1.5, 0.0), abs=0.02)
    assert walk.at(4.0)[2] == pytest.approx(0.0)
    assert walk.at(8.0)[:2] == pytest.approx((3.0, 0.0), abs=0.01)
    assert walk.at(99.0)[:2] == pytest.approx((3.0, 1.0), abs=0.05)
    assert [walk.moves(t) for t in (0.5, 4.0, 8.8, 10.5)] == [False, True, False, True]


def test_the_figure_of_the_demo_walks_through_nothing():
    for time_s in np.arange(0.0, WAY.seconds, 0.1):
        x, y, _ = WAY.at(float(time_s))
        assert math.hypot(x - PILLAR[0], y - PILLAR[1]) > PILLAR[2] + BODY_RADIUS_M
        for box in FURNITURE:
            dx = max(box.x[0] - x, 0.0, x - box.x[1])
            dy = max(box.y[0] - y, 0.0, y - box.y[1])
            assert math.hypot(dx, dy) > BODY_RADIUS_M, (time_s, box)
