"""Results as messages for a bag, made from the definitions in `msg/`; needs no ROS.

Letters: H, W height and width of the frame in pixels; h, w of an object's box.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.media.bags.definitions import (
    PROMPT,
    TRACK_EVENT,
    TRACKED_OBJECT,
    TRACKED_OBJECT_ARRAY,
    known_types,
)
from etam_ros.records import FrameResult, ObjectState, Prompt

_NS_PER_S: Final = 1_000_000_000
_NAN: Final = math.nan
REMOVED: Final = 6
"""Value of TrackEvent.kind."""

Place = tuple[tuple[int, int, int, int], tuple[float, float]]
"""Box (x0, y0, x1, y1) and centroid (x, y) of an object."""
NOWHERE: Final[Place] = ((0, 0, 0, 0), (_NAN, _NAN))


def header(stamp_ns: int, frame_id: str) -> Any:
    """std_msgs/Header of a frame."""
    seconds, nanoseconds = divmod(stamp_ns, _NS_PER_S)
    time = _make("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds)
    return _make("std_msgs/msg/Header", stamp=time, frame_id=frame_id)


def image(pixels: NDArray[Any], encoding: str, head: Any) -> Any:
    """sensor_msgs/Image of (H, W) or (H, W, 3), without padding."""
    pixels = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<"))
    return _make(
        "sensor_msgs/msg/Image",
        header=head,
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=pixels.nbytes // max(1, pixels.shape[0]),
        data=pixels.reshape(-1).view(np.uint8),
    )


def jpeg(picture: NDArray[np.uint8], head: Any, quality: int) -> Any:
    """sensor_msgs/CompressedImage of (H, W, 3) uint8 RGB; its format is image_transport's."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    text = "rgb8; jpeg compressed bgr8"
    return _make(
        "sensor_msgs/msg/CompressedImage", header=head, format=text, data=data.reshape(-1)
    )


def objects(result: FrameResult, head: Any, last_seen: Mapping[int, Place]) -> Any:
    """etam_ros/TrackedObjectArray of a result, without latency and dropped frames.

    Args:
        last_seen: by id, the place at which each object was last seen.
    """
    return _make(
        TRACKED_OBJECT_ARRAY,
        header=head,
        objects=[
            _tracked_object(state, head, last_seen.get(state.object_id, NOWHERE))
            for state in result.objects
        ],
        frame_number=result.frame_number,
        latency_ms=0.0,
        dropped_frames=0,
    )


def prompt_message(prompt: Prompt, head: Any) -> Any:
    """etam_ros/Prompt."""
    mask = np.zeros((0, 0), np.uint8) if prompt.mask is None else prompt.mask.view(np.uint8) * 255
    return _make(
        PROMPT,
        header=head,
        object_id=prompt.object_id,
        label=prompt.label,
        points=[
            _make("geometry_msgs/msg/Point32", x=float(x), y=float(y), z=0.0)
            for x, y in prompt.points
        ],
        point_labels=np.array(prompt.point_labels, np.uint8),
        box=np.array(prompt.box or (), np.float32),
        mask=image(mask.astype(np.uint8), "mono8", head),
        keep_previous=prompt.keep_previous,
    )


def removal(object_id: int, head: Any) -> Any:
    """etam_ros/TrackEvent for an object that is no longer tracked."""
    return _make(
        TRACK_EVENT, header=head, object_id=object_id, label="", kind=REMOVED, reason="replayed"
    )


def _tracked_object(state: ObjectState, head: Any, last: Place) -> Any:
    seconds, nanoseconds = divmod(min(state.time_since_seen_ns, 2**31 * _NS_PER_S - 1), _NS_PER_S)
    return _make(
        TRACKED_OBJECT,
        id=state.object_id,
        label=state.label,
        occluded=state.occluded,
        visibility=state.visibility,
        iou_score=state.iou_score,
        area=state.area,
        pieces=state.pieces,
        main_piece_share=state.main_piece_share,
        box=_region(state.box),
        mask=image(state.mask_in_box.astype(np.uint8) * np.uint8(255), "mono8", head),
        centroid=_pixel(state.centroid),
        bearing=_make("geometry_msgs/msg/Vector3", x=_NAN, y=_NAN, z=_NAN),
        position=_make(
            "geometry_msgs/msg/PointStamped",
            header=head,
            point=_make("geometry_msgs/msg/Point", x=_NAN, y=_NAN, z=_NAN),
        ),
        position_spread=_NAN,
        time_since_seen=_make("builtin_interfaces/msg/Duration", sec=seconds, nanosec=nanoseconds),
        last_box=_region(last[0]),
        last_centroid=_pixel(last[1]),
    )


def _region(box: tuple[int, int, int, int]) -> Any:
    x0, y0, x1, y1 = box
    return _make(
        "sensor_msgs/msg/RegionOfInterest",
        x_offset=x0, y_offset=y0, height=y1 - y0, width=x1 - x0, do_rectify=False,
    )  # fmt: skip


def _pixel(point: tuple[float, float]) -> Any:
    x, y = point
    return _make("geometry_msgs/msg/Point", x=x, y=y, z=_NAN if math.isnan(x) else 0.0)


def _make(message_type: str, **fields: Any) -> Any:
    return known_types().types[message_type](**fields)
