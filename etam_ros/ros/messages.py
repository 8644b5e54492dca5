"""Between our records and the messages of etam_ros.

Letters: H, W height and width of the source frame in pixels; h, w of an object's box.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point, Point32, PointStamped, Vector3
from numpy.typing import NDArray
from sensor_msgs.msg import Image, RegionOfInterest
from std_msgs.msg import Header

from etam_ros.errors import ImageError, PromptError
from etam_ros.media.prompt_messages import prompt_of_message
from etam_ros.msg import Prompt as PromptMessage
from etam_ros.msg import TrackedObject, TrackedObjectArray
from etam_ros.records import FrameResult, ObjectState, Prompt
from etam_ros.ros.image_conversion import image_message, take_plain_data

NS_PER_S: Final = 1_000_000_000
LONGEST_NS: Final = 2**31 * NS_PER_S - 1
"""The longest duration that a message holds, 68 years; stamps can lie twice as far apart."""


def stamp_ns(stamp: Time) -> int:
    """A ROS time in nanoseconds."""
    return stamp.sec * NS_PER_S + stamp.nanosec


@dataclass(frozen=True)
class LastSeen:
    """Where an object was on the last frame on which it was visible.

    Attributes:
        box: tight (x0, y0, x1, y1) in pixels, x1 and y1 exclusive; zero if it was never seen.
        centroid: mean (x, y) of its pixels; NaN if it was never seen.
    """

    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    centroid: tuple[float, float] = (math.nan, math.nan)


NO_DIRECTION: Final = (math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class ObjectPosition:
    """Where an object is in the camera's optical frame; NaN what is unknown.

    Attributes:
        bearing: (x, y, z) of length 1, towards its centroid.
        point: (x, y, z) in metres.
        spread_m: scatter of the depths behind it.
    """

    bearing: tuple[float, float, float] = NO_DIRECTION
    point: tuple[float, float, float] = NO_DIRECTION
    spread_m: float = math.nan

    @property
    def known(self) -> bool:
        """Whether the point is finite."""
        return all(math.isfinite(value) for value in self.point)


NO_POSITION: Final = ObjectPosition()


def objects_message(
    result: FrameResult,
    header: Header,
    *,
    last_seen: Mapping[int, LastSeen],
    positions: Mapping[int, ObjectPosition],
    dropped_frames: int,
) -> TrackedObjectArray:
    """Every object of one frame; `latency_ms` is left to whoever publishes it.

    Args:
        result: of that frame.
        header: the frame's own.
        last_seen: by the id of each object.
        positions: by the ids of those of which anything is known.
        dropped_frames: since activation.
    """
    return TrackedObjectArray(
        header=header,
        objects=[
            tracked_object(
                state,
                header,
                last_seen[state.object_id],
                positions.get(state.object_id, NO_POSITION),
            )
            for state in result.objects
        ],
        frame_number=result.frame_number,
        dropped_frames=dropped_frames,
    )


def tracked_object(
    state: ObjectState,
    header: Header,
    last_seen: LastSeen,
    position: ObjectPosition = NO_POSITION,
) -> TrackedObject:
    """One object as a message; its mask is what lies inside its box, and empty while occluded."""
    (x, y, z), (ahead_x, ahead_y, ahead_z) = position.point, position.bearing
    seconds, nanoseconds = divmod(min(state.time_since_seen_ns, LONGEST_NS), NS_PER_S)
    return TrackedObject(
        id=state.object_id,
        label=state.label,
        occluded=state.occluded,
        visibility=state.visibility,
        iou_score=state.iou_score,
        area=state.area,
        pieces=state.pieces,
        main_piece_share=state.main_piece_share,
        box=_region(state.box),
        mask=_mask_message(state.mask_in_box, header),
        centroid=_pixel(state.centroid),
        bearing=Vector3(x=ahead_x, y=ahead_y, z=ahead_z),
        position=PointStamped(header=header, point=Point(x=x, y=y, z=z)),
        position_spread=position.spread_m,
        time_since_seen=Duration(sec=seconds, nanosec=nanoseconds),
        last_box=_region(last_seen.box),
        last_centroid=_pixel(last_seen.centroid),
    )


def _region(box: tuple[int, int, int, int]) -> RegionOfInterest:
    x0, y0, x1, y1 = box
    return RegionOfInterest(x_offset=x0, y_offset=y0, width=x1 - x0, height=y1 - y0)


def _pixel(point: tuple[float, float]) -> Point:
    x, y = point
    return Point(x=x, y=y, z=math.nan if math.isnan(x) else 0.0)


def _mask_message(mask: NDArray[np.bool_], header: Header) -> Image:
    """(h, w) bool -> mono8 of 0 and 255."""
    if mask.size == 0:
        return Image(header=header, encoding="mono8")
    message = image_message(mask.view(np.uint8), "mono8", header)
    values = np.frombuffer(message.data, np.uint8)
    np.multiply(values, 255, out=values, casting="unsafe")
    return message


def prompt_from_message(message: PromptMessage) -> Prompt:
    """Read a prompt.

    Raises:
        PromptError: it says nothing, contradicts itself, or its mask cannot be read.
    """
    try:
        take_plain_data(message.mask)
    except ImageError as error:
        raise PromptError(f"prompt mask: {error}") from error
    return prompt_of_message(message, stamp_ns(message.header.stamp))


def prompt_message(prompt: Prompt, object_id: int, header: Header) -> PromptMessage:
    """A prompt as it was applied.

    Args:
        prompt: what was said.
        object_id: of the object that it was applied to.
        header: of the frame that it was applied to.
    """
    mask = Image(header=header)
    if prompt.mask is not None:
        mask = _mask_message(prompt.mask, header)
    return PromptMessage(
        header=header,
        object_id=object_id,
        label=prompt.label,
        points=[Point32(x=float(x), y=float(y)) for x, y in prompt.points],
        point_labels=list(prompt.point_labels),
        box=[float(value) for value in prompt.box or ()],
        mask=mask,
        keep_previous=prompt.keep_previous,
    )


def header_of(stamp_ns: int, frame_id: str) -> Header:
    """The header of a frame, from its stamp in nanoseconds."""
    seconds, nanoseconds = divmod(max(-LONGEST_NS, min(stamp_ns, LONGEST_NS)), NS_PER_S)
    return Header(stamp=Time(sec=seconds, nanosec=nanoseconds), frame_id=frame_id)


def check_prompt_frame(header: Header, newest: Header | None) -> Header:
    """Refuse a prompt that was made in another coordinate frame than that of the images.

    Args:
        header: of the prompt: an empty frame_id fits any frame.
        newest: of the newest processed frame, None before the first.

    Returns:
        `newest`.

    Raises:
        PromptError: the coordinate frames differ, or there is no frame yet.
    """
    if newest is None:
        raise PromptError("no image has been processed yet: send the prompt after the first one")
    if header.frame_id and header.frame_id != newest.frame_id:
        raise PromptError(
            f"prompt is in frame {header.frame_id!r:.80}, expected {newest.frame_id!r:.80} like "
            "the image, or an empty frame_id"
        )
    return newest
