"""From messages with pictures to frames: raw images, JPEG and PNG, and packets of a video.

The stamp is that of the message's header, which is the time of exposure. A stamp of zero is
replaced by the time at which the recorder received the message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from etam_ros.config import ImagesConfig
from etam_ros.errors import ImageError, SourceError
from etam_ros.media.bags.definitions import COMPRESSED_VIDEO, FFMPEG_PACKET
from etam_ros.media.bags.reader import Bag
from etam_ros.media.bags.stamps import frame_id_of, stamp_of
from etam_ros.media.bags.topics import IMAGE
from etam_ros.media.bags.whole_part import StoredMessage
from etam_ros.media.image_decoding import Remark, decode_compressed, decode_raw, ignore
from etam_ros.records import Frame

if TYPE_CHECKING:
    from etam_ros.media.bags.video_packets import VideoPacket

_KEY_FRAME: Final = 1
"""Bit of FFMPEGPacket.flags: AV_PKT_FLAG_KEY."""


def frames_of(
    bag: Bag,
    topic: str,
    on_loss: Callable[[str], None] | None = None,
    remark: Remark = ignore,
) -> Iterator[Frame]:
    """The frames of a topic, in the order of the bag.

    Args:
        topic: its name.
        on_loss: called with a message about each one that is not a picture, which is left out.
            None raises instead.
        remark: called with a message if 16-bit samples use only a part of their range.

    Raises:
        SourceError: a message is not a picture, or the bag is damaged.
    """
    messages = bag.messages([topic])
    kind = bag.topics[topic].type
    if kind in (FFMPEG_PACKET, COMPRESSED_VIDEO):
        yield from _decoded(bag, topic, messages, on_loss)
        return
    for number, message in enumerate(messages):
        try:
            fields = bag.read(message)
            image = _picture(fields, kind, ignore if number else remark)
        except (ImageError, SourceError) as error:
            _lose(bag, topic, number, error, on_loss)
            continue
        yield Frame(_owned(image), stamp_of(fields, message.received_ns), frame_id_of(fields))


def _picture(fields: Any, kind: str, remark: Remark) -> NDArray[np.uint8]:
    largest = ImagesConfig().max_pixels
    if kind == IMAGE:
        return decode_raw(fields, max_pixels=largest, remark=remark)
    return decode_compressed(fields, max_pixels=largest, remark=remark)


def _owned(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A copy of the pixels, if they are a view of the message's bytes."""
    return np.array(image, order="C") if not image.flags.writeable else image


def _decoded(
    bag: Bag,
    topic: str,
    messages: Iterable[StoredMessage],
    on_loss: Callable[[str], None] | None,
) -> Iterator[Frame]:
    from etam_ros.media.bags.video_packets import PacketDecoder  # PyAV is needed only here

    with PacketDecoder(ImagesConfig().max_pixels) as decoder:
        number = -1
        for number, message in enumerate(messages):
            try:
                fields = bag.read(message)
                frames = decoder.decode(_packet(fields, message.received_ns))
            except (ImageError, SourceError) as error:
                _lose(bag, topic, number, error, on_loss)
                decoder.wait_for_key_frame()
                continue
            yield from frames
        try:
            yield from decoder.flush()
        except ImageError as error:
            _lose(bag, topic, number, error, on_loss)
    if decoder.skipped:
        bag.note(f"{topic}: {decoder.skipped} frames before the first key frame cannot be decoded")
    if decoder.corrupt:
        bag.note(f"{topic}: {decoder.corrupt} frames lack packets before them, and show it")


def _packet(fields: Any, received_ns: int) -> VideoPacket:
    from etam_ros.media.bags.video_packets import VideoPacket

    coding = fields.encoding if hasattr(fields, "encoding") else fields.format
    flags = getattr(fields, "flags", None)
    return VideoPacket(
        bytes(fields.data),
        str(coding),
        stamp_of(fields, received_ns),
        frame_id_of(fields),
        None if flags is None else bool(flags & _KEY_FRAME),
    )


def _lose(
    bag: Bag,
    topic: str,
    number: int,
    error: Exception,
    on_loss: Callable[[str], None] | None,
) -> None:
    """Report a message that is not a picture."""
    text = str(error).removeprefix(f"bag {bag.path}, topic {topic}: ")
    if on_loss is None:
        raise SourceError(
            f"bag {bag.path}, message {number} on {topic}: {text}; skip whatever is unreadable "
            "with --recover"
        ) from error
    on_loss(f"message {number} on {topic}: {text}")
