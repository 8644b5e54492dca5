"""Finding the topics of a bag: cameras, label images, prompts, results of a tracker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from etam_ros.errors import SourceError
from etam_ros.media.bags.definitions import (
    COMPRESSED_VIDEO,
    FFMPEG_PACKET,
    PROMPT,
    TRACK_EVENT,
    TRACKED_OBJECT_ARRAY,
)
from etam_ros.media.bags.parts import BagTopic
from etam_ros.media.bags.reader import Bag
from etam_ros.media.bags.stamps import first_moments, shared_moments

IMAGE: Final = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE: Final = "sensor_msgs/msg/CompressedImage"
PICTURES: Final = (IMAGE, COMPRESSED_IMAGE, FFMPEG_PACKET, COMPRESSED_VIDEO)
"""Types of camera images, the most faithful first."""
CAMERA_INFO: Final = "sensor_msgs/msg/CameraInfo"
LABEL_IMAGE: Final = "label_image"
OVERLAY: Final = "overlay"
LABEL_ENCODINGS: Final = ("16UC1", "8UC1", "mono16", "mono8")
"""Encodings of label images; a camera may have the last two as well."""
APPLIED_PROMPTS: Final = "applied_prompts"
_DEPTH_ENCODINGS: Final = ("16UC1", "32FC1")
_TRANSPORTS: Final = ("compressed", "ffmpeg", "foxglove", "theora", "video")
"""Suffixes that image_transport appends to the name of a camera's topic."""
_SHOWN: Final = 12


def camera_topic(bag: Bag, wanted: str = "") -> BagTopic:
    """The topic of the camera's images.

    Args:
        wanted: its name, regardless of its content; empty finds it, if there is only one camera,
            or one that a recorded tracker has used. If a camera was recorded in several forms,
            the most faithful one is chosen.

    Raises:
        SourceError: there is no such topic, it has no pictures, or there are several cameras.
    """
    pictures = _with_pictures(bag)
    if wanted:
        named = _named(bag, wanted, pictures)
        if named.name in overlays(bag):
            bag.note(f"{named.name} has a tracker's masks drawn into it, which a camera has not")
        return named
    cameras = _cameras(bag, pictures)
    if not cameras:
        raise SourceError(
            f"bag {bag.path} holds no images of a camera, expected a topic of "
            f"{', '.join(kind.rpartition('/')[2] for kind in PICTURES)}; it holds "
            f"{_listed(list(bag.topics.values()))}"
        )
    if len(cameras) > 1 and (followed := _followed(bag, cameras)):
        return followed
    if len(cameras) > 1:
        raise SourceError(
            f"bag {bag.path} holds {len(cameras)} cameras, expected one: choose with --topic "
            f"one of {_listed(cameras)}"
        )
    return cameras[0]


def camera_candidates(bag: Bag, *, beside: str = "") -> list[BagTopic]:
    """Topics that may be a camera's, the most faithful first.

    Args:
        beside: a topic of label images, which is not a camera; topics in its namespace are used
            only if there are no others, and overlays never.
    """
    own, drawn = beside.rpartition("/")[0] + "/", overlays(bag)
    pictures = [topic for topic in _with_pictures(bag) if topic.name not in (beside, *drawn)]
    coloured = [topic for topic in pictures if not _is_depth(bag, topic)] or pictures
    theirs = [topic for topic in coloured if own == "/" or not topic.name.startswith(own)]
    return sorted(theirs or coloured, key=lambda topic: PICTURES.index(topic.type))


def label_topic(bag: Bag, wanted: str = "", *, option: str = "") -> BagTopic:
    """The topic of label images, which are not depth images.

    Args:
        wanted: its name; empty finds it: topics of a tracker are used only if there are no others,
            and a topic named label_image is preferred.
        option: the option that selects it, for error messages.

    Raises:
        SourceError: there is none, or there are several.
    """
    raw = [topic for topic in _with_pictures(bag) if topic.type == IMAGE]
    if wanted:
        return _named(bag, wanted, raw)
    published = published_labels(bag)
    found = [topic for topic in raw if _may_be_labels(bag, topic)]
    others = [topic for topic in found if topic.name not in published] or found
    topics = [topic for topic in others if _is_called_labels(topic)] or others
    if len(topics) == 1:
        return topics[0]
    if not topics:
        raise SourceError(
            f"bag {bag.path} holds no label images, expected a topic of 16UC1 or 8UC1 images "
            "with object ids, such as the tracker's ~/label_image: record it together with the "
            "camera"
        )
    raise SourceError(
        f"bag {bag.path} holds {len(topics)} topics that may be label images, "
        f"{_listed(topics)}, expected one, or only one called "
        f"{LABEL_IMAGE}{option and f': say which with {option}'}"
    )


def overlays(bag: Bag) -> set[str]:
    """Names of the topics with pictures in which a tracker has drawn its masks.

    They are in the namespace of its label images or other results, raw or compressed.
    """
    nodes = {topic.name.rpartition("/")[0] for topic in bag.topics.values()
             if _is_called_labels(topic)}  # fmt: skip
    places = {f"{node}/{OVERLAY}" for node in nodes.union(tracker_names(bag))}
    return {topic.name for topic in _with_pictures(bag) if _without_transport(topic) in places}


def published_labels(bag: Bag) -> set[str]:
    """Names of the topics on which tracker nodes publish label images."""
    return {f"{name}/{LABEL_IMAGE}" for name in tracker_names(bag)}


def _may_be_labels(bag: Bag, topic: BagTopic) -> bool:
    encoding = first_encoding(bag, topic)
    if _is_called_labels(topic):
        return encoding in LABEL_ENCODINGS
    return encoding in LABEL_ENCODINGS[:2] and "depth" not in topic.name


def _is_called_labels(topic: BagTopic) -> bool:
    return topic.name.rpartition("/")[2] == LABEL_IMAGE


def tracker_names(bag: Bag) -> list[str]:
    """Full names of tracker nodes with recorded results or prompts, such as /tracker."""
    suffixes = {TRACKED_OBJECT_ARRAY: "objects", PROMPT: APPLIED_PROMPTS, TRACK_EVENT: "events"}
    found = {
        topic.name.rpartition("/")[0]
        for topic in bag.topics.values()
        if topic.name.rpartition("/")[2] == suffixes.get(topic.type)
    }
    return sorted(found)


def tracker_name(bag: Bag, wanted: str = "") -> str | None:
    """The tracker node whose recorded prompts and results are used; None if there is none.

    Raises:
        SourceError: the requested one does not exist, or there are several.
    """
    names = tracker_names(bag)
    if wanted and wanted not in names:
        raise SourceError(
            f"bag {bag.path} holds nothing from a tracker {wanted!r}, expected one of "
            f"{', '.join(names) or 'none'}"
        )
    if not wanted and len(names) > 1:
        raise SourceError(
            f"bag {bag.path} holds {len(names)} trackers, expected one: choose with --tracker "
            f"one of {', '.join(names)}"
        )
    return wanted or (names[0] if names else None)


def first_encoding(bag: Bag, topic: BagTopic) -> str:
    """The encoding of the first image of a topic of raw images; empty if there is none."""
    for _, fields in bag.fields([topic.name], peek=True):
        return str(fields.encoding)
    return ""


def _with_pictures(bag: Bag) -> list[BagTopic]:
    """Topics with messages that may contain pictures, by name."""
    return [
        topic
        for name, topic in sorted(bag.topics.items())
        if topic.type in PICTURES and topic.count != 0 and "compressedDepth" not in name
    ]


def _cameras(bag: Bag, pictures: Sequence[BagTopic]) -> list[BagTopic]:
    """One topic for each camera, without depth, label images and a tracker's own pictures."""
    own = tuple(f"{name}/" for name in tracker_names(bag) if name)
    drawn = overlays(bag)
    cameras: dict[str, BagTopic] = {}
    for topic in sorted(pictures, key=lambda each: PICTURES.index(each.type)):
        if topic.name.startswith(own) or topic.name in drawn or _is_called_labels(topic):
            continue
        if not _is_depth(bag, topic):
            cameras.setdefault(_without_transport(topic), topic)
    return sorted(cameras.values(), key=lambda each: each.name)


def _followed(bag: Bag, cameras: Sequence[BagTopic]) -> BagTopic | None:
    """The only camera with the stamps and the coordinate frame of a tracker's results."""
    names = tracker_names(bag)
    objects = bag.topics.get(f"{names[0]}/objects") if len(names) == 1 else None
    if objects is None:
        return None
    moments = first_moments(bag, objects.name)
    shared = {each.name: shared_moments(bag, each.name, moments) for each in cameras}
    best = max(shared.values())
    found = [each for each in cameras if shared[each.name] == best]
    return found[0] if best[0] and len(found) == 1 else None


def _without_transport(topic: BagTopic) -> str:
    base, _, last = topic.name.rpartition("/")
    return base if topic.type != IMAGE and last in _TRANSPORTS else topic.name


def _is_depth(bag: Bag, topic: BagTopic) -> bool:
    return topic.type == IMAGE and first_encoding(bag, topic) in _DEPTH_ENCODINGS


def _named(bag: Bag, wanted: str, pictures: Sequence[BagTopic]) -> BagTopic:
    for topic in pictures:
        if topic.name in (wanted, f"/{wanted}"):
            return topic
    there = bag.topics.get(wanted)
    what = f"has {there.count} messages of {there.type} there" if there else "has no such topic"
    raise SourceError(
        f"topic is {wanted!r}, bag {bag.path} {what}, expected one of "
        f"{_listed(pictures) or 'its topics with images, of which it has none'}"
    )


def _listed(topics: Sequence[BagTopic]) -> str:
    """Topics as one line of limited length, for messages."""
    if not topics:
        return "no topics at all"
    words = [
        f"{topic.name} ({'' if topic.count is None else f'{topic.count} '}"
        f"{topic.type.rpartition('/')[2]})"
        for topic in topics[:_SHOWN]
    ]
    left = len(topics) - len(words)
    return ", ".join(words) + (f" and {left} more" if left else "")
