"""Label images in bags: object ids per pixel, with the stamps of the camera's images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from etam_ros.config import ImagesConfig
from etam_ros.errors import ImageError, SourceError
from etam_ros.media.bags.parts import BagTopic
from etam_ros.media.bags.pictures import frames_of
from etam_ros.media.bags.reader import Bag
from etam_ros.media.bags.stamps import first_moments, shared_moments, stamp_of
from etam_ros.media.bags.topics import (
    LABEL_ENCODINGS,
    camera_candidates,
    camera_topic,
    label_topic,
    overlays,
)
from etam_ros.media.image_decoding import raw_samples
from etam_ros.media.image_encodings import checked_layout
from etam_ros.records import Frame


def frames_with_labels(
    path: Path | Bag, *, topic: str = "", labels: str = "", recover: bool = False
) -> Iterator[tuple[Frame, NDArray[np.uint16] | None]]:
    """Every frame of a camera, with the label image that has the same stamp.

    Frames are read one at a time, so memory use does not depend on the length of the bag.

    Args:
        path: path of the bag, or an open bag, which has a setting of its own for `recover`.
        topic: of the camera's images; empty finds the one with the stamps of the label images.
        labels: topic of the label images; empty finds it, see `label_topic`.
        recover: read a damaged bag as far as possible.

    Yields:
        a frame, and object ids (H, W) uint16, 0 for the background, or None if it has none. A
        frame and its label image may differ in size.

    Raises:
        SourceError: the bag cannot be read, or has no such topics or no equal stamps.
    """
    bag = path if isinstance(path, Bag) else Bag(path, recover=recover)
    label = label_topic(bag, labels)
    name = (camera_topic(bag, topic) if topic else camera_of_labels(bag, label)).name
    with_ids = label_images(bag, label.name)
    ahead = next(with_ids, None)
    for frame in frames_of(bag, name, bag.lose if bag.recover else None):
        while ahead is not None and ahead[0] < frame.stamp_ns:
            ahead = next(with_ids, None)
        mine = ahead is not None and ahead[0] == frame.stamp_ns
        yield frame, ahead[1] if ahead is not None and mine else None


def label_images(bag: Bag, topic: str) -> Iterator[tuple[int, NDArray[np.uint16]]]:
    """Stamps in nanoseconds and object ids (H, W) uint16 of a topic, in the order of the bag.

    Raises:
        SourceError: a message is not a label image, or the bag is damaged.
    """
    for message, fields in bag.fields([topic]):
        try:
            labels = label_image_of(fields)
        except ImageError as error:
            if not bag.recover:
                raise SourceError(f"bag {bag.path}, topic {topic}: {error}") from error
            bag.lose(f"a message on {topic}: {error}")
            continue
        yield stamp_of(fields, message.received_ns), labels


def label_image_of(fields: Any) -> NDArray[np.uint16]:
    """Object ids (H, W) of a message with one whole number per pixel.

    Raises:
        ImageError: it is something else, or bytes are missing.
    """
    layout = checked_layout(fields, ImagesConfig().max_pixels)
    if fields.encoding not in LABEL_ENCODINGS:
        raise ImageError(
            f"a label image has encoding {fields.encoding!r:.40}, expected one of "
            f"{', '.join(LABEL_ENCODINGS)}"
        )
    return np.array(raw_samples(fields, layout), np.uint16, order="C")


def camera_of_labels(bag: Bag, label: BagTopic) -> BagTopic:
    """The camera of label images: the one that shares most stamps with the first of them.

    Topics in the same namespace as the label images are used only if there are no others, and
    those in which a tracker has drawn its masks never.

    Raises:
        SourceError: no camera shares a stamp with them.
    """
    moments = first_moments(bag, label.name)
    candidates = camera_candidates(bag, beside=label.name)
    shared = {each.name: shared_moments(bag, each.name, moments) for each in candidates}
    best = max(candidates, key=lambda each: shared[each.name], default=None)
    if best is None or not shared[best.name][0]:
        looked_at = ", ".join(each.name for each in candidates)
        if not looked_at and (drawn := overlays(bag)):
            looked_at = f"nothing: in {', '.join(sorted(drawn))} masks are drawn over it"
        raise SourceError(
            f"bag {bag.path} has no image with the stamp of a message on {label.name}, expected "
            f"the camera that was tracked to be recorded too; looked at "
            f"{looked_at or 'nothing: it holds no images'}"
        )
    return best
