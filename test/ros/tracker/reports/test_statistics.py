"""Counts and windows of the node."""

import math

import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from etam_ros.ros.tracker.image_subscription import ImageSource
from etam_ros.ros.tracker.positions.locating import PositionsReport
from etam_ros.ros.tracker.reports.diagnostics import NodeReport, statuses
from etam_ros.ros.tracker.reports.statistics import FrameTimes, NewErrors, Statistics, percentile

MS = 1_000_000


def frame(number, latency_ms, stages_ms):
    received = number * 100 * MS
    return FrameTimes(
        received, received + 2 * MS, received + latency_ms * MS, {"encode_image": stages_ms}
    )


def test_a_window_forgets_what_is_older():
    statistics = Statistics(3, 0)
    for number, latency in enumerate((1000, 30, 20, 10)):
        statistics.on_received(number * 100 * MS)
        statistics.on_processed(frame(number, latency, 4.0))
    numbers = statistics.snapshot(400 * MS)
    assert (numbers.received, numbers.processed) == (4, 4)
    assert (numbers.latency_p50_ms, numbers.latency_p99_ms) == (20, 30)
    assert numbers.overhead_p50_ms == 16
    assert numbers.waiting_p50_ms == 2
    assert numbers.stages_p50_ms == {"encode_image": 4.0}
    assert numbers.input_hz == pytest.approx(10)
    assert numbers.silent_s == pytest.approx(0.1)


def test_before_the_first_frame_there_are_no_times():
    numbers = Statistics(3, 5 * MS).snapshot(1005 * MS)
    assert math.isnan(numbers.latency_p50_ms)
    assert (numbers.input_hz, numbers.output_hz, numbers.silent_s) == (0, 0, 1)


def test_the_rate_falls_when_frames_stop():
    statistics = Statistics(50, 0)
    for number in range(20):
        statistics.on_received(number * 100 * MS)
    rates = [statistics.snapshot(1900 * MS + wait * MS).input_hz for wait in (0, 100, 3000, 60000)]
    assert rates[:2] == [pytest.approx(10)] * 2
    assert rates[1] > rates[2] > rates[3] == 0


def test_restart_counts_anew():
    statistics = Statistics(3, 0)
    statistics.on_received(1)
    statistics.on_dropped()
    statistics.on_bad_image("torn")
    statistics.restart(7)
    numbers = statistics.snapshot(7)
    assert (numbers.received, numbers.dropped, numbers.bad_images) == (0, 0, 0)
    assert numbers.last_bad_image == ""


@pytest.mark.parametrize(("percent", "expected"), [(50, 50.5), (99, 99), (100, 100), (1, 1)])
def test_percentiles(percent, expected):
    assert percentile(range(1, 101), percent) == expected


def report(statistics, now_ns, *, source=None, state="active", **positions):
    numbers, new = statistics.snapshot(now_ns), statistics.take_new_errors()
    return NodeReport(state, "engine", 2, None, 2.0, source, numbers, new, **positions)


def test_entries_carry_the_full_name_of_the_node():
    entries = statuses("/front/tracker", report(Statistics(3, 0), 0))
    assert [e.name.removeprefix("/front/tracker: ") for e in entries] == [
        "images",
        "tracking",
        "positions",
        "engine",
    ]
    assert {e.hardware_id for e in entries} == {"/front/tracker"}


@pytest.mark.parametrize(
    ("source", "now_s", "level", "words"),
    [
        (None, 9, DiagnosticStatus.OK, "not subscribed"),
        (ImageSource("/cam", "reliable", 1), 1, DiagnosticStatus.OK, "Hz"),
        (ImageSource("/cam", "reliable", 1), 9, DiagnosticStatus.STALE, "camera is silent"),
        (
            ImageSource("/cam", "reliable", 0),
            9,
            DiagnosticStatus.STALE,
            "nobody publishes on /cam",
        ),
        (ImageSource("/cam", "reliable", 1, "wrong QoS"), 1, DiagnosticStatus.WARN, "wrong QoS"),
    ],
)
def test_the_level_of_the_images(source, now_s, level, words):
    entry = statuses("/tracker", report(Statistics(3, 0), now_s * 1000 * MS, source=source))[0]
    assert entry.level == level
    assert words in entry.message


def test_a_bad_image_warns_in_one_report():
    statistics = Statistics(3, 0)
    statistics.on_bad_image("torn in two")
    source = ImageSource("/cam", "reliable", 1)
    first = statuses("/tracker", report(statistics, 0, source=source))[0]
    assert (first.level, first.message) == (DiagnosticStatus.WARN, "bad image: torn in two")
    second = statuses("/tracker", report(statistics, 0, source=source))[0]
    assert second.level == DiagnosticStatus.OK
    assert {v.key: v.value for v in second.values}["last_bad_image"] == "torn in two"


def test_images_are_blamed_for_bad_images_alone():
    statistics = Statistics(3, 0)
    source = ImageSource("/cam", "reliable", 1)
    statistics.on_bad_image("torn in two")
    statuses("/tracker", report(statistics, 0, source=source))
    statistics.on_failed_frame("a stage was given the wrong shape")
    images, tracking, *_ = statuses("/tracker", report(statistics, 0, source=source))
    assert images.level == DiagnosticStatus.OK
    assert tracking.level == DiagnosticStatus.WARN
    assert tracking.message == "frame lost: a stage was given the wrong shape"
    statistics.on_bad_image("torn in three")
    images, tracking, *_ = statuses("/tracker", report(statistics, 0, source=source))
    assert images.message == "bad image: torn in three"
    assert tracking.level == DiagnosticStatus.OK


def test_after_a_restart_the_first_new_error_is_told_again():
    statistics = Statistics(3, 0)
    statistics.on_bad_image("one")
    statistics.on_bad_image("two")
    assert statistics.take_new_errors().bad_images == 2
    statistics.restart(0)
    statistics.on_bad_image("three")
    assert statistics.take_new_errors() == NewErrors(bad_images=1)
    assert statistics.take_new_errors() == NewErrors()


@pytest.mark.parametrize(
    ("found", "depth", "level", "words"),
    [
        ({}, None, DiagnosticStatus.OK, "no visible object yet"),
        (
            {"frames": 1, "no_bearing": "no camera_info has come on /camera_info"},
            ImageSource("/depth", "reliable", 1),
            DiagnosticStatus.OK,
            "neither bearings nor positions: no camera_info has come on /camera_info",
        ),
        (
            {"frames": 1, "no_depth": "no depth has arrived"},
            ImageSource("/depth", "reliable", 0),
            DiagnosticStatus.OK,
            "bearings only: nobody publishes on /depth",
        ),
        (
            {"frames": 1, "no_depth": "no depth has arrived"},
            ImageSource("/depth", "reliable", 1, "wrong QoS"),
            DiagnosticStatus.WARN,
            "bearings only: wrong QoS",
        ),
        (
            {"frames": 1, "no_depth": "it is 90 ms off", "late": 3},
            ImageSource("/depth", "reliable", 1),
            DiagnosticStatus.OK,
            "90 ms off; depth came too late for 3 images",
        ),
        (
            {"frames": 1, "no_depth": "it is 90 ms off", "received": 9},
            ImageSource("/depth", "reliable", 1),
            DiagnosticStatus.WARN,
            "bearings only: it is 90 ms off",
        ),
        (
            {"frames": 1, "no_bearing": "camera_info is for another picture"},
            ImageSource("/depth", "reliable", 1),
            DiagnosticStatus.WARN,
            "neither bearings nor positions: camera_info is for another picture",
        ),
        (
            {"frames": 1, "no_depth": "it is rgb8", "last_refusal": "it is rgb8"},
            ImageSource("/depth", "reliable", 1),
            DiagnosticStatus.WARN,
            "bearings only: it is rgb8",
        ),
        (
            {"frames": 1, "no_depth": "depth.enabled is false"},
            None,
            DiagnosticStatus.OK,
            "enabled",
        ),
        ({"frames": 1, "visible": 3, "located": 2}, None, DiagnosticStatus.OK, "2 of 3 visible"),
    ],
)
def test_it_is_said_why_there_are_no_positions(found, depth, level, words):
    numbers = report(Statistics(3, 0), 0, depth=depth, positions=PositionsReport(**found))
    entry = statuses("/tracker", numbers)[2]
    assert entry.level == level
    assert words in entry.message
