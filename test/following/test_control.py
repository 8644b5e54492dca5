"""The follower as a function of results, time and parameters."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etam_ros.errors import ConfigError
from etam_ros.following.config import (
    BearingConfig,
    DistanceConfig,
    FollowerConfig,
    FollowerSettings,
)
from etam_ros.following.control import LONGEST_STEP_S, FollowControl, Phase
from etam_ros.following.sight import SeenFrame, SeenObject
from etam_ros.following.speeds import STANDING

STEP_S = 0.05
CUP = SeenObject(1, "cup", bearing=0.2, distance_m=2.5)
ANY = st.floats(allow_nan=True, allow_infinity=True)
OBJECTS = st.builds(
    SeenObject,
    object_id=st.integers(1, 3),
    label=st.sampled_from(["", "cup", "box"]),
    occluded=st.booleans(),
    iou_score=st.one_of(st.floats(0, 1), ANY),
    visibility=st.one_of(st.floats(0, 1), ANY),
    bearing=st.one_of(st.floats(-1.5, 1.5), ANY),
    distance_m=st.one_of(st.floats(0, 10), ANY),
)
SETTINGS = st.builds(
    FollowerSettings,
    node=st.builds(
        FollowerConfig,
        target=st.sampled_from(["newest", "2", "cup", "selected"]),
        frame_id=st.just("camera"),
        resume=st.booleans(),
        result_timeout_s=st.floats(0.05, 2),
        lost_after_s=st.floats(0, 3),
        min_iou_score=st.floats(0, 1),
        min_visibility=st.floats(0, 1),
    ),
    bearing=st.builds(
        BearingConfig, gain=st.floats(0, 20), max=st.floats(0, 10), deadband=st.floats(0, 1)
    ),
    distance=st.builds(
        DistanceConfig,
        goal_m=st.floats(0.1, 5),
        gain=st.floats(0, 20),
        max=st.floats(0, 10),
        reverse=st.booleans(),
    ),
)
# What happens in one step: nothing, a result, a clock that jumps, or a call of ~/enable.
EVENTS = st.lists(
    st.one_of(
        st.none(),
        st.lists(OBJECTS, max_size=3),
        st.sampled_from(["jump", "enable", "disable", "other camera", "late"]),
    ),
    max_size=40,
)


def make(**node):
    control = FollowControl(FollowerSettings(FollowerConfig(**node)))
    control.enable(True)
    return control


def run(control, start_s, seconds, objects=(CUP,), **frame):
    """Results at 20 Hz; the last command and the time after it."""
    command, now_s = None, start_s
    for _ in range(round(seconds / STEP_S)):
        if objects is not None:
            control.take(SeenFrame(now_s, objects=objects, **frame))
        command = control.command(now_s)
        now_s += STEP_S
    return command, now_s


def happen(control, event, now_s):
    if event == "jump":
        control.interrupt(now_s, "the clock jumped")
    elif event in ("enable", "disable"):
        control.enable(event == "enable")
    elif event == "other camera":
        control.take(SeenFrame(now_s, frame_id="other", objects=[CUP]))
    elif event == "late":
        control.take(SeenFrame(now_s, age_s=20.0, frame_id="camera", objects=[CUP]))
    elif event is not None:
        control.take(SeenFrame(now_s, frame_id="camera", objects=event))


@settings(max_examples=100, deadline=None)
@given(SETTINGS, EVENTS, st.floats(0.001, 3))
def test_speeds_are_finite_and_within_the_limits_whatever_happens(given_settings, events, step_s):
    control = FollowControl(given_settings)
    control.enable(True)
    for index, event in enumerate(events):
        happen(control, event, index * step_s)
        speeds = control.command(index * step_s).speeds
        assert abs(speeds.linear) <= given_settings.distance.max
        assert abs(speeds.angular) <= given_settings.bearing.max
        assert speeds.linear >= 0 or given_settings.distance.reverse
        if event in ("jump", "disable", "other camera", "late"):
            assert (speeds.linear, speeds.angular) == (0, 0)


@settings(max_examples=100, deadline=None)
@given(SETTINGS, EVENTS)
def test_it_never_drives_without_a_distance(given_settings, events):
    control = FollowControl(given_settings)
    control.enable(True)
    for index, event in enumerate(events):
        if isinstance(event, list):
            event = [replace(seen, distance_m=math.nan) for seen in event]  # noqa: PLW2901
        if event not in ("other camera", "late"):
            happen(control, event, index * STEP_S)
        assert control.command(index * STEP_S).speeds.linear == 0


@settings(max_examples=100, deadline=None)
@given(SETTINGS, EVENTS, st.floats(0.01, 100))
def test_it_stands_when_no_result_comes_any_more(given_settings, events, silence_s):
    control = FollowControl(given_settings)
    control.enable(True)
    for index, event in enumerate(events):
        happen(control, event, index * STEP_S)
        control.command(index * STEP_S)
    now_s = len(events) * STEP_S + given_settings.node.result_timeout_s + silence_s
    speeds = control.command(now_s).speeds
    assert (speeds.linear, speeds.angular) == (0, 0)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["hidden", "gone", "doubtful", "barely visible", "no direction"]),
    st.floats(0.1, 2),
    st.floats(0, 2 * math.pi),
    st.floats(0, 10),
)
def test_it_stands_within_the_timeout_when_the_tracker_does_not_know(why, timeout_s, way, far):
    seen = SeenObject(1, bearing=way - math.pi, distance_m=far)
    control = make(result_timeout_s=timeout_s)
    _, now_s = run(control, 0.0, 2.0, [seen])
    unknown = {
        "hidden": [replace(seen, occluded=True)],
        "gone": [],
        "doubtful": [replace(seen, iou_score=0.1)],
        "barely visible": [replace(seen, visibility=0.6)],
        "no direction": [replace(seen, bearing=math.nan)],
    }[why]
    command, _ = run(control, now_s, timeout_s + STEP_S, unknown)
    assert (command.speeds.linear, command.speeds.angular) == (0, 0)
    assert command.phase in (Phase.STOPPED, Phase.LOST)


def test_it_is_off_until_it_is_enabled():
    control = FollowControl(FollowerSettings())
    command, now_s = run(control, 0.0, 1.0)
    assert command.state == "disabled"
    assert command.speeds.angular == 0
    control.enable(True)
    command, now_s = run(control, now_s, 1.0)
    assert command.state == "following: cup (1)"
    assert command.speeds.linear > 0
    assert command.speeds.angular > 0
    control.enable(False)
    assert control.command(now_s).speeds.linear == 0


def test_a_start_is_smooth_and_a_stop_for_the_hidden_is_too():
    control = make()
    _, now_s = run(control, 0.0, STEP_S)
    previous = control.command(now_s).speeds
    highest = control.settings.distance.acceleration * STEP_S + 1e-9
    for _ in range(40):
        command, now_s = run(control, now_s, STEP_S)
        assert abs(command.speeds.linear - previous.linear) <= highest
        previous = command.speeds
    assert previous.linear > 0.4
    hidden, _ = run(control, now_s, STEP_S, [replace(CUP, occluded=True)])
    assert 0 < hidden.speeds.linear < previous.linear
    assert hidden.state == "stopped: cup (1) is hidden"


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ({"age_s": 0.6}, "by their timestamps, results arrive older than 0.5 s"),
        ({"frame_id": "rear"}, "camera frame 'rear', not 'front'"),
    ],
)
def test_it_stops_at_once_for_results_that_are_not_of_now_and_here(frame, words):
    control = make()
    _, now_s = run(control, 0.0, 1.0, frame_id="front")
    command, _ = run(control, now_s, STEP_S, **({"frame_id": "front"} | frame))
    assert command.speeds.linear == command.speeds.angular == 0
    assert words in command.reason


@pytest.mark.parametrize("back", [True, False])
def test_an_image_that_is_repeated_for_ever_was_seen_once(back):
    """A camera that hangs, or a relay: results come, and show what was long ago."""
    control = make(resume=back)
    _, now_s = run(control, 0.0, 1.0)
    frozen = SeenFrame(now_s, age_s=0.1, objects=[CUP], stamp_ns=10**18)
    for _ in range(round(30 / STEP_S)):
        control.take(replace(frozen, arrived_s=now_s, age_s=math.nan))
        command = control.command(now_s)
        now_s += STEP_S
        if now_s > frozen.arrived_s + 0.5 + STEP_S:
            assert command.speeds == STANDING
            assert "timestamps do not advance" in command.reason
    control.enable(True)
    control.take(replace(frozen, arrived_s=now_s, age_s=math.nan))
    assert control.command(now_s).phase is Phase.WAITING, "it is no newer for that"
    command, _ = run(control, now_s, 0.5, stamp_ns=10**18 + 1)
    assert command.phase is Phase.FOLLOWING


def test_what_a_result_of_the_same_image_says_is_learned():
    """The tracker answers a prompt on an image that it has."""
    control = make()
    control.take(SeenFrame(0.0, stamp_ns=5))
    assert control.command(0.0).reason == "there is no object"
    control.take(SeenFrame(0.1, stamp_ns=5, objects=[CUP]))
    assert control.command(0.1).phase is Phase.FOLLOWING


def test_results_that_were_overtaken_do_not_count_and_time_may_begin_anew():
    control = make(target="1")
    start_ns = 100 * 10**9
    control.take(SeenFrame(0.0, stamp_ns=start_ns, objects=[CUP]))
    away = replace(CUP, bearing=-1.0)
    control.take(SeenFrame(0.1, stamp_ns=start_ns - 10**8, objects=[away]))
    assert control.command(0.1).target == CUP
    control.take(SeenFrame(0.2, stamp_ns=start_ns - 5 * 10**9, objects=[away]))
    assert control.command(0.2).target == away
    for stamp_ns in (2**62, 1, -(2**62), 7):  # a clock that is mad
        control.take(SeenFrame(0.3, stamp_ns=stamp_ns, objects=[CUP]))
        assert control.command(0.3).target == CUP


def test_stamps_of_the_future_do_not_tell_an_age():
    control = make(stamp_age="always")
    command, now_s = run(control, 0.0, 1.0, age_s=-0.1)
    assert command.phase is Phase.FOLLOWING
    command, _ = run(control, now_s, STEP_S, age_s=-3.0)
    assert command.speeds == STANDING
    assert "in the future" in command.reason


def test_a_camera_without_a_name_is_another_than_one_that_has_a_name():
    control = make()
    _, now_s = run(control, 0.0, 1.0, frame_id="")
    command, _ = run(control, now_s, STEP_S, frame_id="rear")
    assert command.speeds == STANDING
    assert "camera frame 'rear', not ''" in command.reason


@pytest.mark.parametrize("target", ["newest", "selected", "0", "cup", "nothing", "9" * 5000, "²"])
def test_no_target_means_an_object_without_an_id(target):
    command, _ = run(make(target=target), 0.0, 1.0, [replace(CUP, object_id=0, label="box")])
    assert command.phase is Phase.WAITING
    assert len(command.state) < 200


@pytest.mark.parametrize("target", ["", "  "])
def test_an_empty_target_is_refused(target):
    with pytest.raises(ConfigError, match="target is"):
        FollowerConfig(target=target)


def test_whatever_a_label_is_it_is_told_on_one_short_line():
    label = "cup\n[FATAL] no\x1b[31m" + "y" * 10**6
    command, _ = run(make(), 0.0, 1.0, [replace(CUP, label=label)])
    assert command.phase is Phase.FOLLOWING
    assert command.state.isprintable()
    assert len(command.state) < 200


def test_it_tells_results_that_come_late_from_results_that_do_not_come():
    control = make()
    _, now_s = run(control, 0.0, 1.0, age_s=0.2)
    silent = control.command(now_s + 0.35)
    assert silent.reason == "no new result, the last one is older than 0.5 s (result_timeout_s)"
    late, _ = run(control, now_s + 0.35, STEP_S, age_s=0.6)
    assert late.reason.endswith("than 0.5 s (result_timeout_s, stamp_age)")


def test_a_short_interruption_goes_on_by_itself_and_a_long_one_does_not():
    control = make(lost_after_s=1.0)
    hidden = [replace(CUP, occluded=True)]
    _, now_s = run(control, 0.0, 1.0)
    _, now_s = run(control, now_s, 0.8, hidden)
    command, now_s = run(control, now_s, 0.5)
    assert command.phase is Phase.FOLLOWING
    _, now_s = run(control, now_s, 1.2, hidden)
    command, now_s = run(control, now_s, 1.0)
    assert command.state == "lost: cup (1) is hidden; call ~/enable to continue"
    assert command.speeds.linear == command.speeds.angular == 0
    control.enable(True)
    command, _ = run(control, now_s, 0.5)
    assert command.phase is Phase.FOLLOWING


def test_it_comes_back_by_itself_if_told_so():
    control = make(resume=True)
    _, now_s = run(control, 0.0, 1.0)
    command, now_s = run(control, now_s, 5.0, [replace(CUP, occluded=True)])
    assert command.phase is Phase.STOPPED
    command, now_s = run(control, now_s, 0.5)
    assert command.phase is Phase.FOLLOWING
    control.interrupt(now_s, "the clock jumped by +9.0 s")
    assert control.command(now_s + 9).reason == "the clock jumped by +9.0 s"
    command, _ = run(control, now_s + 9, 0.5)
    assert command.phase is Phase.FOLLOWING


@pytest.mark.parametrize("back", [True, False])
@pytest.mark.parametrize("first", ["a result", "a command"])
def test_silence_that_no_command_saw_counts(back, first):
    """The process was stopped for a while: nobody asked for commands meanwhile."""
    control = make(resume=back)
    _, now_s = run(control, 0.0, 1.0)
    if first == "a command":
        assert control.command(now_s + 4.99).speeds == STANDING
    command, _ = run(control, now_s + 5.0, 0.5)
    assert command.phase is (Phase.FOLLOWING if back else Phase.LOST)


def test_another_camera_frame_may_be_named_while_it_follows():
    control = make()
    _, now_s = run(control, 0.0, 1.0, frame_id="front")
    control.settings = FollowerSettings(FollowerConfig(frame_id="rear"))
    assert control.command(now_s).speeds == STANDING
    assert control.command(now_s).reason == "results are of camera frame 'front', not 'rear'"
    command, now_s = run(control, now_s, 0.5, frame_id="rear")
    assert command.phase is Phase.FOLLOWING
    assert not control.take(SeenFrame(now_s, frame_id="front", objects=[CUP]))
    assert control.command(now_s).speeds == STANDING


def test_while_it_is_disabled_any_camera_may_be_the_one():
    control = FollowControl(FollowerSettings())
    assert all(control.take(SeenFrame(0.0, frame_id=name)) for name in ("front", "rear"))
    control.settings = FollowerSettings(FollowerConfig(frame_id="front"))
    assert not control.take(SeenFrame(0.0, frame_id="rear"))
    assert control.take(SeenFrame(0.0, frame_id="front"))


def test_two_cameras_in_turns_do_not_make_it_twitch():
    control = make(resume=True)
    _, now_s = run(control, 0.0, 1.0, frame_id="front")
    for index in range(100):
        frame_id = "rear" if index % 3 == 0 else "front"
        command, now_s = run(control, now_s, STEP_S, frame_id=frame_id, stamp_ns=index + 1)
        assert command.speeds == STANDING
        assert command.reason == "results are of camera frame 'rear', not 'front'"
    command, now_s = run(control, now_s, 1.0, frame_id="front")
    assert command.phase is Phase.FOLLOWING
    control.settings = replace(control.settings, distance=DistanceConfig(max=0.3))
    assert control.command(now_s).phase is Phase.FOLLOWING


def test_a_jump_of_the_clock_ends_it_unless_it_may_come_back():
    control = make()
    _, now_s = run(control, 0.0, 1.0)
    control.interrupt(now_s, "the clock jumped by -3.0 s")
    command, _ = run(control, now_s - 3, 1.0)
    assert command.state == "lost: the clock jumped by -3.0 s; call ~/enable to continue"


def test_before_it_followed_anything_it_waits_as_long_as_it_takes():
    control = make(target="cup")
    command, now_s = run(control, 0.0, 5.0, [SeenObject(1, "box")])
    assert command.state == "waiting: there is no object 'cup'"
    command, _ = run(control, now_s, 1.0)
    assert command.phase is Phase.FOLLOWING


def test_no_older_object_takes_the_place_of_the_newest():
    control = make()
    both = [CUP, replace(CUP, object_id=2, bearing=-0.3)]
    _, now_s = run(control, 0.0, 1.0, both)
    command, now_s = run(control, now_s, 0.9, [CUP])
    assert command.state == "stopped: cup (2) is gone"
    command, _ = run(control, now_s, 0.5, [CUP, replace(CUP, object_id=3)])
    assert command.state == "following: cup (3)"


def test_even_if_it_may_come_back_it_does_not_go_to_an_older_object():
    control = make(resume=True)
    both = [CUP, replace(CUP, object_id=2)]
    _, now_s = run(control, 0.0, 1.0, both)
    command, now_s = run(control, now_s, 5.0, [CUP])
    assert command.state == "stopped: cup (2) is gone"
    _, now_s = run(control, now_s, 1.5, [])  # the tracker was reset
    command, _ = run(control, now_s, 0.5, [CUP])
    assert command.state == "following: cup (1)"


def test_another_object_of_the_label_is_followed_if_it_may_come_back():
    control = make(resume=True, target="cup")
    _, now_s = run(control, 0.0, 1.0)
    other = [replace(CUP, object_id=7)]
    command, now_s = run(control, now_s, 0.9, other)
    assert command.state == "stopped: cup (1) is gone"
    command, _ = run(control, now_s, 0.5, other)
    assert command.state == "following: cup (7)"


def test_another_target_is_followed_as_soon_as_it_is_named():
    control = make()
    both = [replace(CUP, object_id=2), SeenObject(1, "box", bearing=0.1)]
    _, now_s = run(control, 0.0, 1.0, both)
    control.settings = FollowerSettings(FollowerConfig(target="box"))
    command, _ = run(control, now_s, STEP_S, both)
    assert "box (1)" in command.state


def test_without_depth_it_turns_and_says_so():
    command, _ = run(make(), 0.0, 1.0, [replace(CUP, distance_m=math.nan)])
    assert command.speeds.angular > 0
    assert command.state == "following: cup (1), turning only: its distance is unknown"


def test_a_mask_that_slips_to_the_wall_is_doubted_for_as_long_as_it_stays_there():
    control = make(max_target_speed=2.0, lost_after_s=100.0)
    _, now_s = run(control, 0.0, 1.0)
    far, near = ([replace(CUP, distance_m=d)] for d in (8.0, 2.7))
    command, now_s = run(control, now_s, STEP_S, far)
    assert command.state.startswith("stopped: cup (1) is doubtful, its distance jumped")
    command, now_s = run(control, now_s, 20.0, far)
    assert command.phase is Phase.STOPPED
    assert control.target_of(SeenFrame(now_s, objects=far)) is None
    command, now_s = run(control, now_s, STEP_S, [replace(CUP, distance_m=math.nan)])
    assert command.phase is Phase.STOPPED
    command, now_s = run(control, now_s, STEP_S, near)
    assert command.phase is Phase.FOLLOWING


def test_a_target_that_was_hidden_may_have_gone_as_far_as_it_can():
    control = make(max_target_speed=2.0, lost_after_s=100.0)
    _, now_s = run(control, 0.0, 1.0)
    hidden, far = [replace(CUP, occluded=True)], [replace(CUP, distance_m=8.0)]
    _, now_s = run(control, now_s, 1.0, hidden)
    command, now_s = run(control, now_s, STEP_S, far)
    assert command.phase is Phase.STOPPED
    _, now_s = run(control, now_s, 3.0, hidden)
    command, _ = run(control, now_s, STEP_S, far)
    assert command.phase is Phase.FOLLOWING


def test_within_the_dead_bands_it_stands():
    command, _ = run(make(), 0.0, 1.0, [SeenObject(1, bearing=0.02, distance_m=1.53)])
    assert command.phase is Phase.FOLLOWING
    assert command.speeds.linear == command.speeds.angular == 0


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 0.5), st.floats(0.05, 0.4), st.floats(-0.6, 0.6), st.floats(1.0, 4.0))
def test_it_comes_up_to_a_target_without_swinging(latency_s, product, bearing, far_m):
    """A robot that turns and drives as it is told, with results as late as a tracker's."""
    gain = product / latency_s
    control = FollowControl(
        FollowerSettings(
            FollowerConfig(max_target_speed=100.0),
            BearingConfig(gain=gain, max=10.0, acceleration=100.0),
            DistanceConfig(gain=gain, max=1.0, acceleration=100.0),
        )
    )
    control.enable(True)
    late = round(latency_s / 0.01)
    seen, turns = [SeenObject(1, bearing=bearing, distance_m=far_m)], []
    for step in range(round(30 * latency_s / product / 0.01)):
        control.take(SeenFrame(step * 0.01, objects=[seen[max(0, len(seen) - 1 - late)]]))
        speeds = control.command(step * 0.01).speeds
        bearing -= speeds.angular * 0.01
        far_m -= speeds.linear * 0.01
        seen.append(SeenObject(1, bearing=bearing, distance_m=far_m))
        turns.append(speeds.angular)
    signs = [turn > 0 for turn in turns if turn]
    assert sum(a != b for a, b in pairwise(signs)) <= 2
    assert abs(bearing) < 0.03
    assert far_m < 1.6


def test_it_drives_back_only_if_told_so():
    near = [SeenObject(1, bearing=0.0, distance_m=0.7)]
    assert run(make(), 0.0, 1.0, near)[0].speeds.linear == 0
    control = FollowControl(FollowerSettings(distance=DistanceConfig(reverse=True)))
    control.enable(True)
    assert run(control, 0.0, 1.0, near)[0].speeds.linear < 0


def test_a_change_of_limits_holds_at_once():
    control = make()
    _, now_s = run(control, 0.0, 2.0)
    control.settings = replace(control.settings, distance=DistanceConfig(max=0.1))
    assert control.command(now_s).speeds.linear <= 0.1


def test_the_target_can_be_followed_by_another_while_disabled():
    control = FollowControl(FollowerSettings())
    assert control.target_of(SeenFrame(0.0, objects=[CUP])) == CUP
    assert control.target_of(SeenFrame(0.0, objects=[replace(CUP, occluded=True)])) is None


STEPS = st.lists(
    st.tuples(
        st.floats(0.005, 0.4),  # seconds to the next command
        st.one_of(
            st.sampled_from(["enable", "disable", "jump", "nothing", "nothing"]),
            st.lists(OBJECTS, max_size=3),
            st.lists(st.sampled_from([CUP, replace(CUP, bearing=-0.5)]), min_size=1, max_size=1),
        ),
        st.sampled_from(["next", "next", "same", "overtaken", "none"]),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(SETTINGS, STEPS)
def test_it_speeds_up_only_for_news_and_no_faster_than_it_may(given_settings, steps):
    control = FollowControl(given_settings)
    control.enable(True)
    timeout_s = given_settings.node.result_timeout_s
    most = (given_settings.distance.acceleration, given_settings.bearing.acceleration)
    now_s, stamp_ns, seen_s, before = 0.0, 10**18, -math.inf, (0.0, 0.0)
    newest_ns = 0
    for step_s, event, stamp in steps:
        now_s += step_s
        if isinstance(event, list):
            stamp_ns += 10**8 if stamp == "next" else 0
            own_ns = {"none": 0, "overtaken": stamp_ns - 10**7}.get(stamp, stamp_ns)
            control.take(SeenFrame(now_s, math.nan, "camera", event, own_ns))
            if own_ns == 0 or own_ns > newest_ns:
                seen_s = now_s
            newest_ns = max(newest_ns, own_ns)
        else:
            happen(control, None if event == "nothing" else event, now_s)
        speeds = control.command(now_s).speeds
        now = (speeds.linear, speeds.angular)
        for new, old, rate in zip(now, before, most, strict=True):
            assert new * old >= 0.0, "it turns round without having stood"
            if abs(new) > abs(old):
                assert abs(new) - abs(old) <= rate * min(step_s, LONGEST_STEP_S) + 1e-9
        if now_s - seen_s > timeout_s:
            assert now == (0.0, 0.0)
        before = now
