"""From messages to what the page shows: pictures, labels and objects of one frame.

Letters: H, W height and width of the frame in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from etam_ros.config import ImagesConfig
from etam_ros.console.config import WebConfig
from etam_ros.console.label_runs import LabelRuns, PlacedMask
from etam_ros.console.pictures import Packet, ShownObject, jpeg_of, pack, shrunk
from etam_ros.console.shown import ShownFrame
from etam_ros.errors import ImageError
from etam_ros.media.image_header import is_jpeg_or_png, read_header
from etam_ros.records import LONGEST_LABEL, MAX_OBJECT_ID
from etam_ros.ros.console.packed import COMPRESSED_IMAGE, Packed
from etam_ros.ros.console.pairing import FrameMessages
from etam_ros.ros.image_conversion import image_from_compressed, image_from_message
from etam_ros.ros.messages import NS_PER_S, stamp_ns

IMAGES: Final = ImagesConfig()
LARGEST_JPEG: Final = 4 * 1024 * 1024
"""Bytes of a camera's own JPEG that is passed on as it is."""


@dataclass(frozen=True)
class Look:
    """How pictures are made.

    Attributes:
        width: of pictures at most, in pixels.
        quality: of the JPEGs.
        max_rate_hz: pictures a second at most.
    """

    width: int
    quality: int
    max_rate_hz: float = math.inf

    @classmethod
    def of(cls, config: WebConfig) -> Look:
        """As the server was told."""
        return cls(config.picture_width, config.jpeg_quality, config.max_rate_hz)


@dataclass(frozen=True, eq=False)
class Made:
    """A frame that was made ready for the page.

    Attributes:
        frame: as viewers will see it.
        latency_ms: of the tracker; 0 where there is no result.
        in_pieces: objects alone do not say all that the label image does.
    """

    frame: ShownFrame
    latency_ms: float
    in_pieces: bool


def made_of(messages: FrameMessages, look: Look) -> Made:
    """What viewers will see of a frame.

    Raises:
        ImageError: its picture or its labels cannot be read.
        SourceError: a message is damaged.
    """
    jpeg, hw = _jpeg(messages.picture, look)
    if messages.objects is None:
        return Made(ShownFrame(messages.stamp_ns, hw, None, (), jpeg), 0.0, in_pieces=False)
    result = messages.objects.read()
    items = [each for each in result.objects if 0 < each.id <= MAX_OBJECT_ID]
    labels = None
    if messages.labels is None:
        labels = LabelRuns.of_masks(hw, [_placed(each) for each in items])
    else:
        label_image = _label_image(messages.labels.read())
        if label_image.shape == hw:  # else they are of another camera
            labels = LabelRuns.of(label_image)
    objects = tuple(map(shown_object, items))
    return Made(
        ShownFrame(messages.stamp_ns, hw, labels, objects, jpeg),
        result.latency_ms,
        in_pieces=any(each.pieces > 1 for each in items) or _touch(objects),
    )


def _placed(item: Any) -> PlacedMask:
    return PlacedMask(item.id, item.box.x_offset, item.box.y_offset, mask_in_box(item))


def _touch(objects: Sequence[ShownObject]) -> bool:
    """Whether boxes overlap: then masks may, and who is in front is known to the tracker alone."""
    boxes = [each.box for each in objects if not each.occluded]
    return any(
        one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
        for one, other in combinations(boxes, 2)
    )


def packet_of(frame: ShownFrame, look: Look, number: int, more: dict[str, Any]) -> Packet:
    """A frame as viewers get it.

    Args:
        frame: to be shown.
        look: how wide pictures are.
        number: rises from packet to packet.
        more: fields for its header.
    """
    labels = frame.labels
    if labels is not None and frame.hw[1] > look.width:
        labels = LabelRuns.of(shrunk(labels.label_image(), look.width))
    return pack(
        number,
        frame.stamp_ns,
        jpeg=frame.jpeg,
        hw=frame.hw,
        labels=labels,
        objects=frame.objects,
        more=more,
    )


def shown_object(item: Any) -> ShownObject:
    """An object as the page lists it, from a TrackedObject, whoever read it."""
    x0, y0 = item.box.x_offset, item.box.y_offset
    point = item.position.point
    return ShownObject(
        object_id=item.id,
        label=item.label[:LONGEST_LABEL],
        occluded=item.occluded,
        visibility=item.visibility,
        iou_score=item.iou_score,
        centroid=(item.centroid.x, item.centroid.y),
        box=(x0, y0, x0 + item.box.width, y0 + item.box.height),
        unseen_s=stamp_ns(item.time_since_seen) / NS_PER_S,
        position=(point.x, point.y, point.z) if item.id else (math.nan,) * 3,
    )


def mask_in_box(item: Any) -> NDArray[np.bool_]:
    """The mask of a TrackedObject, of the size of its box; (0, 0) while it is occluded."""
    mask = item.mask
    if not mask.step:
        return np.zeros((0, 0), np.bool_)
    if mask.step < mask.width or len(mask.data) != mask.height * mask.step:
        raise ImageError(
            f"mask of {mask.width}x{mask.height} with step {mask.step} has {len(mask.data)} "
            "bytes, expected step x height"
        )
    rows = np.frombuffer(mask.data, np.uint8).reshape(mask.height, mask.step)
    return np.asarray(rows[:, : mask.width] > 0)


def _jpeg(packed: Packed, look: Look) -> tuple[bytes, tuple[int, int]]:
    """A JPEG of a message's picture, and (H, W) of the source."""
    message = packed.read()
    if packed.kind == COMPRESSED_IMAGE:
        if len(message.data) <= LARGEST_JPEG:
            data = bytes(message.data)
            if is_jpeg_or_png(data):
                header = read_header(data)
                if header.kind == "jpeg" and header.width <= look.width:
                    return data, (header.height, header.width)
        image = image_from_compressed(message, max_pixels=IMAGES.max_pixels)
    else:
        image = image_from_message(message, max_pixels=IMAGES.max_pixels)
    return jpeg_of(image, look.width, look.quality), (image.shape[0], image.shape[1])


def _label_image(message: Any) -> NDArray[np.uint16]:
    """(H, W) uint16 of a 16UC1 message, in this machine's byte order."""
    pixels = message.height * (message.step // 2)
    if (
        message.encoding != "16UC1"
        or message.step < 2 * message.width
        or (len(message.data) < 2 * pixels)
    ):
        raise ImageError(
            f"label image is {message.encoding!r:.40} with {len(message.data)} bytes, expected "
            "16UC1 of step x height bytes"
        )
    order = ">" if message.is_bigendian else "<"
    rows = np.frombuffer(message.data, f"{order}u2", pixels).reshape(message.height, -1)
    return np.ascontiguousarray(rows[:, : message.width], np.uint16)
