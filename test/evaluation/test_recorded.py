"""Bags: label images as the truth, and what was published held against another run."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etam_ros.cli.main import run
from etam_ros.config import BagConfig
from etam_ros.errors import SourceError
from etam_ros.evaluation.recorded import compare_recorded, recorded_timing
from etam_ros.evaluation.truth.annotations import MaskTruth
from etam_ros.evaluation.truth.opening import open_videos
from etam_ros.media.bags.definitions import known_types
from etam_ros.media.sources import open_source

rosbags = pytest.importorskip("rosbags")

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bag_files import (  # noqa: E402
    HW,
    MCAP,
    SQLITE,
    header,
    jpeg,
    pictures,
    raw,
    shade,
    stamp_ns,
    write_bag,
)

TYPES: Any = {name.rpartition("/")[2]: kind for name, kind in known_types().types.items()}
NOWHERE = TYPES["Point"](x=float("nan"), y=float("nan"), z=float("nan"))


def square(number: int, off: int = 0) -> np.ndarray:
    """An object of 20 x 40 pixels that moves; `off` pixels beside its place."""
    labels = np.zeros(HW, np.uint16)
    labels[20:40, 10 + 5 * number + off : 50 + 5 * number + off] = 1
    return labels


def published(number: int, labels: np.ndarray, object_id: int = 1) -> Any:
    ys, xs = np.nonzero(labels)
    hidden = not len(ys)
    x0, y0, x1, y1 = (0, 0, 0, 0) if hidden else (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    box = TYPES["RegionOfInterest"](
        x_offset=int(x0), y_offset=int(y0), height=int(y1 - y0), width=int(x1 - x0),
        do_rectify=False,
    )  # fmt: skip
    mask = np.where(labels[y0:y1, x0:x1] > 0, 255, 0).astype(np.uint8)
    state = TYPES["TrackedObject"](
        id=object_id, label="cup", occluded=hidden, visibility=0.75, iou_score=0.5,
        area=len(ys), pieces=1, main_piece_share=1.0, box=box,
        mask=raw(mask, stamp_ns(number), "mono8"), centroid=NOWHERE,
        bearing=TYPES["Vector3"](x=0.0, y=0.0, z=0.0),
        position=TYPES["PointStamped"](header=header(stamp_ns(number)), point=NOWHERE),
        position_spread=0.0, time_since_seen=TYPES["Duration"](sec=0, nanosec=0), last_box=box,
        last_centroid=NOWHERE,
    )  # fmt: skip
    return TYPES["TrackedObjectArray"](
        header=header(stamp_ns(number)), objects=[state], frame_number=number + 1,
        latency_ms=10.0 + number, dropped_frames=number // 2,
    )  # fmt: skip


def results(
    numbers: Any, *, off: int = 0, hidden: tuple[int, ...] = (), labels: bool = True, **of: Any
) -> list[tuple[str, Any]]:
    messages: list[tuple[str, Any]] = []
    for number in numbers:
        found = square(number, off) * (number not in hidden)
        messages.append(("/tracker/objects", published(number, found, **of)))
        if labels:
            image = raw(found.astype(np.uint16), stamp_ns(number), "16UC1")
            messages.append(("/tracker/label_image", image))
    return messages


def bag(path: Path, messages: list[tuple[str, Any]], plugin: Any = MCAP) -> Path:
    return write_bag(path, messages, plugin, store=known_types())


@pytest.mark.parametrize("plugin", [MCAP, SQLITE], ids=["mcap", "sqlite3"])
def test_the_same_run_twice_agrees(tmp_path: Path, plugin: Any) -> None:
    first = bag(tmp_path / "recorded", results(range(8)), plugin)
    second = bag(tmp_path / "rerun", results(range(8)), plugin)
    found = compare_recorded(first, second)
    assert (found.shared, found.alone, found.strangers) == (8, (0, 0), ())
    (series,) = found.objects
    assert (series.object_id, series.label, series.frames, series.j, series.f) == (
        1,
        "cup",
        8,
        1,
        1,
    )
    assert found.timing[0].rate_hz == pytest.approx(10.0)
    assert (found.timing[0].dropped, found.timing[0].latency_p50_ms) == (3, 13.5)


def test_what_differs_is_told(tmp_path: Path) -> None:
    first = bag(tmp_path / "recorded", results(range(8), hidden=(3,)))
    second = bag(tmp_path / "rerun", results((0, 2, 3, 4, 9), off=10))
    found = compare_recorded(first, second)
    assert (found.shared, found.alone) == (4, (4, 1))
    (series,) = found.objects
    assert [each.j for each in series.judged] == pytest.approx([30 / 50, 30 / 50, 0, 30 / 50])
    assert [each.expected for each in series.judged] == [True, True, False, True]
    assert series.judged[0].centroid_px == pytest.approx(10)


def test_without_label_images_masks_are_enough(tmp_path: Path) -> None:
    first = bag(tmp_path / "recorded", results(range(3), labels=False))
    second = bag(tmp_path / "rerun", results(range(3), off=10, labels=False))
    (series,) = compare_recorded(first, second).objects
    assert series.j == pytest.approx(30 / 50)
    assert series.f is None


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        (results(range(20, 22)), "no results with the same stamp"),
        (results(range(3), object_id=7), "no object in common, .* ids that only one has: 1, 7"),
        (pictures(3), "holds no results of a tracker"),
    ],
)
def test_runs_that_have_nothing_in_common(
    tmp_path: Path, messages: list[tuple[str, Any]], words: str
) -> None:
    first = bag(tmp_path / "recorded", results(range(3)))
    with pytest.raises(SourceError, match=words):
        compare_recorded(first, bag(tmp_path / "rerun", messages))


def test_timing_of_one_run(tmp_path: Path) -> None:
    found = recorded_timing(bag(tmp_path / "recorded", results((0, 1, 2, 6))))
    assert (found.results, found.longest_gap_s, found.dropped) == (4, pytest.approx(0.4), 3)


def labelled(count: int = 6) -> list[tuple[str, Any]]:
    """A camera of which every second frame is labelled."""
    messages: list[tuple[str, Any]] = []
    for number, picture in enumerate(pictures(count)):
        messages.append(picture)
        if number % 2 == 0:
            labels = raw(square(number), stamp_ns(number), "16UC1")
            messages.append(("/truth/label_image", labels))
    return messages


def test_label_images_of_a_bag_are_the_truth(tmp_path: Path) -> None:
    (video,) = open_videos(str(bag(tmp_path / "drive", labelled())))
    assert video.name == "drive"
    pairs = list(video)
    assert [truth is not None for _, truth in pairs] == [True, False] * 3
    truth = pairs[2][1]
    assert isinstance(truth, MaskTruth)
    np.testing.assert_array_equal(truth.labels, square(2))
    again = replace(video, name="other")
    assert again.fingerprint() == video.fingerprint()
    assert len(list(again)) == 6


def test_a_folder_of_bags_is_many_videos(tmp_path: Path) -> None:
    for name in ("monday", "tuesday"):
        bag(tmp_path / "drives" / name, labelled(2))
    assert [video.name for video in open_videos(str(tmp_path / "drives"))] == ["monday", "tuesday"]


def test_what_a_tracker_published_is_no_truth_unless_it_is_named(tmp_path: Path) -> None:
    path = bag(tmp_path / "drive", [*pictures(3), *results(range(3))])
    (video,) = open_videos(str(path))
    with pytest.raises(SourceError, match=r"by --against BAG, or .* by --truth /tracker/label_im"):
        list(video)
    (video,) = open_videos(str(path), "/tracker/label_image")
    assert all(truth is not None for _, truth in video)


@pytest.mark.parametrize("with_results", [True, False])
@pytest.mark.parametrize("kind", ["overlay", "overlay/compressed"])
def test_overlays_are_no_camera_unless_they_are_named(
    tmp_path: Path, kind: str, with_results: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = f"/tracker/{kind}"
    drawn = [
        (topic, (jpeg if "/" in kind else raw)(shade(number), stamp_ns(number)))
        for number in range(4)
    ]
    labels = [each for each in results(range(4)) if each[0].endswith("label_image")]
    path = bag(tmp_path / "rerun", [*(results(range(4)) if with_results else labels), *drawn])
    command = ["eval", str(path), "--no-model", "--baseline", "copy"]
    command += ["--truth", "/tracker/label_image"]
    assert run(command) == 2
    said = capsys.readouterr().err
    assert f"looked at nothing: in {topic} masks are drawn over it" in said
    assert run([*command, "--topic", topic]) == 0
    note = f"note: rerun: {topic} has a tracker's masks drawn into it, which a camera has not"
    assert note in capsys.readouterr().err
    with pytest.raises(SourceError, match="holds no images of a camera"):
        open_source(path)


def test_a_camera_that_is_not_there_is_said(tmp_path: Path) -> None:
    (video,) = open_videos(str(bag(tmp_path / "drive", labelled())), bags=BagConfig("/left"))
    with pytest.raises(SourceError, match=r"topic is '/left', bag .* has no such topic"):
        list(video)


def test_the_topic_of_the_truth_may_be_named_for_many_bags(tmp_path: Path) -> None:
    for name in ("monday", "tuesday"):
        bag(tmp_path / "drives" / name, [*pictures(2), *results(range(2))])
    videos = open_videos(str(tmp_path / "drives"), "/tracker/label_image")
    assert [len([truth for _, truth in video if truth]) for video in videos] == [2, 2]


def test_label_images_beside_those_of_a_tracker_are_the_truth(tmp_path: Path) -> None:
    labels = [("/truth/ids", raw(square(1).astype(np.uint8), stamp_ns(1), "8UC1"))]
    path = bag(tmp_path / "drive", [*pictures(3), *results(range(3)), *labels])
    (video,) = open_videos(str(path))
    assert [truth is not None for _, truth in video] == [False, True, False]
    more = [("/more/ids", raw(square(1), stamp_ns(1), "16UC1"))]
    (video,) = open_videos(str(bag(tmp_path / "two", [*pictures(3), *labels, *more])))
    with pytest.raises(
        SourceError, match=r"2 topics .* /more/ids .* say which with --truth TOPIC"
    ):
        list(video)


def test_what_is_odd_about_bags_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drive = bag(tmp_path / "drive", labelled(12))
    for path in (drive, bag(tmp_path / "run", results(range(12)))):
        (path / "metadata.yaml").unlink()
        (file,) = path.glob("*.mcap")
        file.write_bytes(file.read_bytes()[: -file.stat().st_size // 3])
    report = tmp_path / "report"
    command = ["eval", str(drive), "--no-model", "--baseline", "copy", "--report", str(report)]
    for _ in range(2):  # also of what was judged before
        assert run(command) == 0
        said = capsys.readouterr().err
        assert said.startswith("note: drive: drive.mcap: it ends after")
        assert len(said.splitlines()) == 1
    assert "note: drive.mcap: it ends after" in (report / "index.html").read_text()
    assert run(["eval", str(tmp_path / "run"), "--against", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().err.startswith("note: run.mcap: it ends after")


def test_boxes_by_stamp_are_the_truth_of_a_bag(tmp_path: Path) -> None:
    path = bag(tmp_path / "drive", pictures(3))
    table = tmp_path / "boxes.csv"
    table.write_text(f"stamp_ns,id,x0,y0,x1,y1\n{stamp_ns(1)},1,5,10,25,30\n")
    (video,) = open_videos(str(path), str(table))
    assert [truth is not None for _, truth in video] == [False, True, False]


@pytest.mark.parametrize("first", [0, 1])
def test_boxes_by_number_are_of_the_frames_of_a_bag(tmp_path: Path, first: int) -> None:
    path = bag(tmp_path / "drive", pictures(3))
    table = tmp_path / "boxes.csv"
    rows = [f"{number + first},1,{5 + number},10,25,30\n" for number in range(3)]
    table.write_text("frame,id,x0,y0,x1,y1\n" + "".join(rows))
    (video,) = open_videos(str(path), str(table))
    assert [truth.boxes[1][0] for _, truth in video] == [5, 6, 7]
    assert len(video.notes) == first


def test_the_command_compares_and_judges_bags(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    first = bag(tmp_path / "recorded", results(range(8)))
    second = bag(tmp_path / "rerun", results(range(8), off=10))
    assert run(["eval", str(first), "--against", str(second), "--fail-under", "50"]) == 0
    said = capsys.readouterr().out
    assert "1 cup" in said
    assert "60.0" in said
    assert "8 results, 10.0 a second, longest gap 0.10 s" in said
    assert run(["eval", str(first), "--against", str(second), "--fail-under", "90"]) == 3
    drive = bag(tmp_path / "drive", labelled())
    assert run(["eval", str(drive), "--no-model", "--baseline", "copy"]) == 0
    assert "drive" in capsys.readouterr().out


def test_one_bag_that_is_damaged_does_not_keep_others_from_being_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("monday", "tuesday"):
        bag(tmp_path / "drives" / name, labelled())
    (file,) = (tmp_path / "drives" / "tuesday").glob("*.mcap")
    file.write_bytes(file.read_bytes()[:2000])
    assert run(["eval", str(tmp_path / "drives"), "--no-model", "--baseline", "copy"]) == 2
    said = capsys.readouterr()
    assert "monday" in said.out
    assert "tuesday could not be evaluated, the rest is complete" in said.err


def test_an_interrupted_run_says_how_it_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    drive = str(bag(tmp_path / "drive", labelled()))
    report = str(tmp_path / "report")
    monkeypatch.setattr("etam_ros.evaluation.runs.run.judge_here", interrupted)
    assert run(["eval", drive, "--no-model", "--baseline", "copy", "--report", report]) == 130
    assert f"stopped: the same command goes on in {report}" in capsys.readouterr().err
