"""`etam track` of bags and into bags, run as a user runs it; real bags, written with rosbags."""

from __future__ import annotations

import json
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from etam_ros.cli.main import run
from etam_ros.media.bags import messages
from etam_ros.media.bags.definitions import known_types
from etam_ros.media.bags.results import RecordedRun
from etam_ros.media.label_png import read_mask_values
from etam_ros.media.sources import open_source
from etam_ros.records import FOREGROUND, Prompt

rosbags = pytest.importorskip("rosbags")
from rosbags.highlevel import AnyReader  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from bag_files import MCAP, SQLITE, part_of, raw, stamp_ns, write_bag  # noqa: E402
from track_runs import start  # noqa: E402

MODEL = ("--model", "tiny_test", "--weights", "random:0", "--no-overlay")
BEFORE = 40
"""Frames that a run has written when it is interrupted."""


def picture(number: int) -> np.ndarray:
    """90x120 with a bright square that moves."""
    image = np.random.default_rng(0).integers(0, 80, (90, 120, 3), np.uint8)
    image[30:60, 20 + 8 * number : 50 + 8 * number] = (230, 200, 40)
    return image


def camera(count: int = 6) -> list[tuple[str, Any]]:
    return [("/camera/image", raw(picture(n), stamp_ns(n))) for n in range(count)]


def said(number: int, prompt: Prompt, topic: str = "/tracker/applied_prompts") -> tuple[str, Any]:
    return topic, messages.prompt_message(prompt, messages.header(stamp_ns(number), "camera"))


def gone(number: int, object_id: int) -> tuple[str, Any]:
    head = messages.header(stamp_ns(number), "camera")
    return "/tracker/events", messages.removal(object_id, head)


def click(object_id: int, x: float, y: float, **more: Any) -> Prompt:
    return Prompt(object_id, points=[(x, y)], point_labels=[FOREGROUND], **more)


def bag_of(path: Path, *items: tuple[str, Any], plugin: Any = MCAP) -> Path:
    """A bag of these messages, in the order of their stamps."""
    ordered = sorted(items, key=lambda item: (item[1].header.stamp.nanosec, item[0] != "/camera"))
    return write_bag(path, ordered, plugin, store=known_types())


def etam_track(*arguments: object) -> int:
    return run(["track", *map(str, arguments), *MODEL])


def masks_of(out: Path) -> list[np.ndarray]:
    return [read_mask_values(path) for path in sorted((out / "masks").iterdir())]


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_results_as_a_bag_are_those_of_the_files(tmp_path, storage):
    source = bag_of(tmp_path / "source", *camera())
    bag, out = tmp_path / "bags" / "results", tmp_path / "out"
    clicks = ("--click", "35,45", "--box", "300:60,20,110,80@2")
    code = etam_track(source, "--out", out, "--out-bag", bag, *clicks)
    assert code == 2  # ids over 255 are for bags alone
    clicks = ("--click", "35,45", "--box", "7:60,20,110,80@2")
    more = ("--bag-overlay", "--bag-storage", storage)
    assert etam_track(source, "--out", out, "--out-bag", bag, *clicks, *more) == 0
    assert not list(bag.parent.glob(".*"))
    recorded = RecordedRun(bag)
    frames = list(recorded.frames())
    assert recorded.prompted() == {(stamp_ns(0), 1), (stamp_ns(2), 7)}
    assert [frame.stamp_ns for frame in frames] == [stamp_ns(n) for n in range(6)]
    assert {frame.frame_id for frame in frames} == {"camera"}
    for frame, mask in zip(frames, masks_of(out), strict=True):
        np.testing.assert_array_equal(frame.label_image, mask)
        for item in frame.objects:
            assert (mask == item.object_id).sum() == item.area
            assert (mask[item.mask_in(mask.shape)] == item.object_id).all()
            assert item.mask.any() or item.occluded
    assert {item.object_id for item in frames[2].objects} == {1, 7}
    with AnyReader([bag]) as reader:  # by the definitions in the bag alone
        kinds: dict[str, int] = {}
        for connection, time_ns, data in reader.messages():
            message: Any = reader.deserialize(data, connection.msgtype)
            assert message.header.stamp.nanosec == time_ns % 10**9
            kinds[connection.topic] = kinds.get(connection.topic, 0) + 1
    assert kinds == {
        "/tracker/objects": 6, "/tracker/label_image": 6, "/tracker/applied_prompts": 2,
        "/tracker/overlay/compressed": 6,
    }  # fmt: skip


def test_another_reader_of_mcap_reads_the_bag(tmp_path):
    from mcap.reader import make_reader
    from mcap.stream_reader import StreamReader

    bag = tmp_path / "results"
    source = bag_of(tmp_path / "source", *camera(3))
    clicks = ("--click", "35,45", "--bag-overlay")
    assert etam_track(source, "--out", tmp_path / "out", "--out-bag", bag, *clicks) == 0
    with part_of(bag).open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        found = [(schema.name, channel.topic) for schema, channel, _ in reader.iter_messages()]
        schemas = {each.name: each for each in reader.get_summary().schemas.values()}
    assert found.count(("etam_ros/msg/TrackedObjectArray", "/tracker/objects")) == 3
    definition = schemas["etam_ros/msg/TrackedObjectArray"]
    assert definition.encoding == "ros2msg"
    assert b"MSG: etam_ros/TrackedObject" in definition.data
    said = yaml.safe_load((bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert said["version"] == 8  # of Humble and later
    profiles = [each["topic_metadata"] for each in said["topics_with_message_count"]]
    assert {each["offered_qos_profiles"] for each in profiles} == {""}
    with part_of(bag).open("rb") as file:
        assert sum(1 for _ in StreamReader(file, validate_crcs=True).records)


def test_a_run_that_fails_leaves_nothing_that_looks_like_a_bag(tmp_path, capsys):
    source = bag_of(tmp_path / "source", *camera())
    images = [("/camera/image", raw(picture(n), stamp_ns(n))) for n in range(6)]
    images[3] = ("/camera/image", replace(images[3][1], encoding="999"))
    broken = write_bag(tmp_path / "broken", images)
    bag, out = tmp_path / "results", tmp_path / "out"
    clicks = ("--click", "35,45")
    assert etam_track(broken, "--out", out, "--out-bag", bag, *clicks) == 2
    assert not bag.exists()
    said = json.loads((out / "run.json").read_text())
    assert (said["state"], said["frames"]) == ("failed", 3)
    assert "999" in said["reason"]
    assert etam_track(source, "--out", out, "--out-bag", bag, "--click", "35,45") == 0
    assert len(list(RecordedRun(bag).frames())) == 6
    assert not list(tmp_path.glob(".*"))
    capsys.readouterr()
    assert etam_track(source, "--out", out, "--out-bag", bag, "--click", "35,45") == 2
    assert "already exists" in capsys.readouterr().err


@pytest.fixture(scope="module")
def long_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bag of 600 frames."""
    pictures = [picture(n) for n in range(6)]
    images = [("/camera/image", raw(pictures[n % 6], stamp_ns(n))) for n in range(600)]
    return write_bag(tmp_path_factory.mktemp("long") / "source", images)


def interrupted(
    source: Path, place: Path, *signals: signal.Signals, storage: str = "mcap"
) -> tuple[int, str]:
    """Signal a run after `BEFORE` frames: its exit code, and what it said on stderr."""
    bag, out = place / "results", place / "out"
    ended = start(
        source, "--out", out, "--out-bag", bag, "--bag-storage", storage, "--click", "35,45",
        *MODEL,
    )  # fmt: skip
    assert ended.stderr is not None
    while len(list(out.glob("masks/*"))) < BEFORE:
        assert ended.poll() is None, ended.communicate()
        time.sleep(0.01)
    assert not bag.exists()
    assert state_of(out) == "running"
    said = ""
    for number in signals:
        ended.send_signal(number)
        said += (
            ended.stderr.readline() + ended.stderr.readline() if number == signal.SIGINT else ""
        )
    said += ended.communicate()[1]
    return ended.returncode, said


def state_of(out: Path) -> str:
    return str(json.loads((out / "run.json").read_text())["state"])


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_run_that_is_stopped_leaves_a_whole_bag_that_says_so(long_source, tmp_path, storage):
    code, _ = interrupted(long_source, tmp_path, signal.SIGINT, storage=storage)
    bag, out = RecordedRun(tmp_path / "results"), tmp_path / "out"
    assert code == 130
    written = len(masks_of(out))
    assert len(list(bag.frames())) == written
    assert bag.bag.notes == ["results is of a run that was stopped before its source ended"]
    said = json.loads((out / "run.json").read_text())
    assert (said["state"], said["frames"]) == ("interrupted", written)
    assert said["source"] == str(long_source)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_run_that_is_killed_leaves_what_it_had_done(long_source, tmp_path, storage, capsys):
    code, _ = interrupted(long_source, tmp_path, signal.SIGKILL, storage=storage)
    bag, out = tmp_path / "results", tmp_path / "out"
    assert code == -signal.SIGKILL
    assert not bag.exists()
    assert state_of(out) == "running"
    left = RecordedRun(tmp_path / ".results.part" / "results")
    frames = list(left.frames())
    assert len(list((out / "masks").iterdir())) - len(frames) <= 17
    assert "not finish" in left.bag.notes[0]
    for frame, mask in zip(frames, sorted((out / "masks").iterdir()), strict=False):
        np.testing.assert_array_equal(frame.label_image, read_mask_values(mask))
    short = bag_of(tmp_path / "short", *camera())
    assert etam_track(short, "--out", out, "--out-bag", bag, "--click", "35,45") == 0
    assert f"left unfinished in {tmp_path / '.results.part' / 'results'} is gone" in (
        capsys.readouterr().err
    )
    assert state_of(out) == "complete"
    assert len(list(RecordedRun(bag).frames())) == len(masks_of(out)) == 6
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_run_that_is_broken_off_says_where_its_bag_is(long_source, tmp_path, storage):
    code, said = interrupted(long_source, tmp_path, signal.SIGINT, signal.SIGINT, storage=storage)
    assert code == 130
    bag, left = tmp_path / "results", tmp_path / ".results.part" / "results"
    if bag.exists():  # it was quicker
        assert "was not finished" not in said
        return
    assert f"note: the bag was not finished, {left} can be read" in said
    assert len(list(RecordedRun(left).frames())) >= BEFORE - 4
    assert state_of(tmp_path / "out") == "interrupted"


def test_the_bag_lies_outside_of_the_folder(tmp_path, capsys):
    source, out = bag_of(tmp_path / "source", *camera(1)), tmp_path / "out"
    assert etam_track(source, "--out", out, "--out-bag", out / "bag", "--click", "35,45") == 2
    assert "lies in --out" in capsys.readouterr().err


@pytest.mark.parametrize("plugin", [MCAP, SQLITE], ids=["mcap", "sqlite3"])
def test_recorded_prompts_are_replayed_on_their_own_frames(tmp_path, plugin):
    mask = np.zeros((90, 120), np.bool_)
    mask[30:60, 36:66] = True
    bag = bag_of(
        tmp_path / "bag", *camera(),
        said(1, click(4, 35, 45)),
        said(2, Prompt(9, mask=mask, label="cup")),
        said(3, click(4, 60, 45, keep_previous=True)),
        plugin=plugin,
    )  # fmt: skip
    cv2.imwrite(str(tmp_path / "mask.png"), mask.astype(np.uint8) * 255)
    (tmp_path / "prompts.json").write_text(
        '[{"frame": 1, "object_id": 4, "points": [[35, 45]], "labels": [1]},'
        '{"frame": 2, "object_id": 9, "mask": "mask.png", "label": "cup"},'
        '{"frame": 3, "object_id": 4, "points": [[60, 45]], "labels": [1], "keep": true}]'
    )
    replayed, listed = tmp_path / "replayed", tmp_path / "listed"
    assert etam_track(bag, "--out", replayed) == 0
    assert etam_track(bag, "--out", listed, "--prompts", tmp_path / "prompts.json") == 0
    assert (replayed / "objects.csv").read_bytes() == (listed / "objects.csv").read_bytes()
    for one, other in zip(masks_of(replayed), masks_of(listed), strict=True):
        np.testing.assert_array_equal(one, other)


def test_prompts_that_were_sent_find_the_frame_a_tracker_would_choose(tmp_path):
    sent = "/tracker/prompt"
    newest = said(0, click(0, 35, 45), sent)
    newest[1].header = messages.header(0, "")
    near = said(3, click(0, 60, 45), sent)
    near[1].header = messages.header(stamp_ns(3) + 9_000_000, "")
    early = said(0, click(0, 35, 45), sent)
    early[1].header = messages.header(0, "")
    items = [early, *camera()[:3], newest, *camera()[3:], near]
    received = [stamp_ns(0) - 5, *(stamp_ns(n) + 5 for n in range(3)), stamp_ns(2) + 9]
    received += [*(stamp_ns(n) + 5 for n in range(3, 6)), stamp_ns(6)]
    bag = write_bag(tmp_path / "bag", items, store=known_types(), received_ns=received)
    assert etam_track(bag, "--out", tmp_path / "out", "--out-bag", tmp_path / "results") == 0
    assert RecordedRun(tmp_path / "results").prompted() == {(stamp_ns(2), 1), (stamp_ns(3), 2)}


def test_removals_and_a_reset_are_replayed(tmp_path, capsys):
    bag = bag_of(
        tmp_path / "bag", *camera(),
        said(0, click(1, 35, 45)), said(0, click(2, 60, 45)),
        gone(2, 1), gone(3, 2), said(4, click(1, 60, 45)),
    )  # fmt: skip
    assert etam_track(bag, "--out", tmp_path / "out", "--out-bag", tmp_path / "results") == 0
    told = capsys.readouterr().out
    assert told.startswith("3 prompts and 2 removals replayed from bag:")
    assert f"results in {tmp_path / 'out'} and {tmp_path / 'results'}" in told
    run_again = RecordedRun(tmp_path / "results")
    ids = [[item.object_id for item in frame.objects] for frame in run_again.frames()]
    assert ids == [[1, 2], [1, 2], [2], [], [1], [1]]


def test_only_the_frames_that_were_processed_are_followed(tmp_path):
    source = bag_of(tmp_path / "source", *camera())
    every = tmp_path / "every"
    made = ("--out", tmp_path / "out", "--out-bag", every, "--click", "35,45")
    assert etam_track(source, *made) == 0
    processed = [frame for frame in RecordedRun(every).frames() if frame.frame_number % 2]
    assert [frame.stamp_ns for frame in processed] == [stamp_ns(0), stamp_ns(2), stamp_ns(4)]
    with AnyReader([every]) as reader:
        results = [
            (connection.topic, reader.deserialize(data, connection.msgtype))
            for connection, _, data in reader.messages()
        ]
    kept = [
        (topic, known_types().deserialize_cdr(
            known_types().serialize_cdr(message, message.__msgtype__), message.__msgtype__
        ))
        for topic, message in results
        if message.header.stamp.nanosec % 200_000_000 == 0
    ]  # fmt: skip
    recording = bag_of(tmp_path / "recording", *camera(), *kept)
    again = tmp_path / "again"
    assert etam_track(recording, "--out", again, "--frames", "processed") == 0
    with (again / "objects.csv").open() as table:
        stamps = [int(line.split(",")[1]) for line in list(table)[1:]]
    assert stamps == [stamp_ns(0), stamp_ns(2), stamp_ns(4)]


def test_what_cannot_be_replayed_is_one_line(tmp_path, capsys):
    bag = bag_of(tmp_path / "bag", *camera(2))
    assert etam_track(bag, "--out", tmp_path / "out") == 2
    assert "holds none: add --click" in capsys.readouterr().err
    removed = bag_of(tmp_path / "removed", *camera(2), gone(0, 1))
    assert etam_track(removed, "--out", tmp_path / "out") == 2
    assert "holds none: add --click" in capsys.readouterr().err
    options = ("--click", "35,45", "--frames", "processed")
    assert etam_track(bag, "--out", tmp_path / "out", *options) == 2
    assert "holds no results of a tracker" in capsys.readouterr().err
    (tmp_path / "frames").mkdir()
    cv2.imwrite(str(tmp_path / "frames" / "0.png"), picture(0))
    assert etam_track(tmp_path / "frames", "--out", tmp_path / "out", *options) == 2
    assert "needs a bag" in capsys.readouterr().err


def test_what_is_lost_of_a_damaged_bag_is_told(tmp_path, capsys):
    bag = bag_of(tmp_path / "bag", *camera(60))
    with part_of(bag).open("r+b") as file:
        file.truncate(part_of(bag).stat().st_size * 8 // 10)
    click_ = ("--click", "35,45")
    assert etam_track(bag, "--out", tmp_path / "out", *click_) == 2
    assert "--recover" in capsys.readouterr().err
    assert etam_track(bag, "--out", tmp_path / "out", *click_, "--recover") == 0
    said_ = capsys.readouterr().err
    assert said_.startswith("note: lost: bag.mcap: it ends after")
    with open_source(bag, recover=True) as source:
        assert len(masks_of(tmp_path / "out")) == sum(1 for _ in source)
