"""Bearings and positions of the objects of a frame, by camera_info and by the depth that fits."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from etam_ros.config import DepthConfig
from etam_ros.depth import UNKNOWN_DEPTH, object_depth
from etam_ros.errors import EtamError, ImageError
from etam_ros.records import ObjectState
from etam_ros.ros.messages import ObjectPosition, stamp_ns
from etam_ros.ros.tracker.camera import Camera
from etam_ros.ros.tracker.positions.depth_picture import DepthPicture
from etam_ros.ros.tracker.positions.depth_ring import DepthRing
from etam_ros.ros.tracker.reports.statistics import NS_PER_MS, percentile

BYTES_PER_MIB: Final = 2**20
REMEMBERED: Final = 300
"""Frames over which the time between image and depth is taken."""


class NoDepthError(EtamError):
    """There is no depth for an image.

    Args:
        reason: in words.
        missed_ns: stamp of an image whose depth may still come; 0 where none will.
    """

    def __init__(self, reason: str, missed_ns: int = 0) -> None:
        super().__init__(reason)
        self.missed_ns = missed_ns


@dataclass(frozen=True)
class PositionsReport:
    """What came of the objects' positions since activation.

    Attributes:
        frames: with a visible object, of which somebody wanted to know positions.
        received: depth messages.
        paired: frames for which there was depth within the limit.
        missing: frames for which there was none when their turn came.
        late: depth that came when its frame was over.
        refused: frames whose depth could not be used.
        last_refusal: why, in words; empty if there was none.
        apart_p50_ms: between the stamps of image and depth; NaN without pairs.
        visible, located: objects on the newest of these frames, and those with a position.
        no_bearing: why there are no bearings, in words; empty where there are.
        no_depth: why the newest of these frames had no depth, in words; empty where it had.
        odd_frame: what is odd about the coordinate frame of `camera_info`; empty if nothing.
    """

    frames: int = 0
    received: int = 0
    paired: int = 0
    missing: int = 0
    late: int = 0
    refused: int = 0
    last_refusal: str = ""
    apart_p50_ms: float = math.nan
    visible: int = 0
    located: int = 0
    no_bearing: str = ""
    no_depth: str = ""
    odd_frame: str = ""


class Positions:
    """Finds where objects are; depth comes in one thread, frames are asked about in another.

    Nothing waits for depth: a frame is given the best that has come by then.

    Args:
        camera: has the calibration.
        config: asked for the present one.
    """

    def __init__(self, camera: Camera, config: Callable[[], DepthConfig]) -> None:
        self._camera = camera
        self._config = config
        self._ring = DepthRing(config().max_mib * BYTES_PER_MIB)
        self._lock = threading.Lock()  # guards all that follows
        self._counts = PositionsReport()
        self._apart_ms: deque[float] = deque(maxlen=REMEMBERED)
        self._waited_for_ns: deque[int] = deque(maxlen=REMEMBERED)

    @property
    def received(self) -> int:
        """Depth messages since activation."""
        return self._counts.received

    def restart(self) -> None:
        """Forget all depth, and count from here."""
        self._ring.clear()
        with self._lock:
            self._counts = PositionsReport()
            self._apart_ms.clear()
            self._waited_for_ns.clear()

    def on_depth(self, message: Image) -> None:
        """Depth came."""
        config, own_ns = self._config(), stamp_ns(message.header.stamp)
        self._ring.max_bytes = config.max_mib * BYTES_PER_MIB
        self._ring.add(message)
        limit_ns = config.stamp_tolerance_ms * NS_PER_MS
        with self._lock:
            too_late = next(
                (each for each in self._waited_for_ns if abs(each - own_ns) <= limit_ns), None
            )
            late = self._counts.late
            if too_late is not None:
                self._waited_for_ns.remove(too_late)
                late += 1
            self._counts = replace(self._counts, received=self._counts.received + 1, late=late)

    def locate(
        self, states: Sequence[ObjectState], image_hw: tuple[int, int], header: Header
    ) -> dict[int, ObjectPosition]:
        """Where the visible objects of a frame are, by their ids; those of which nothing is known
        may be missing.

        Args:
            states: of the frame.
            image_hw: height and width of the image.
            header: the image's own.
        """
        visible = [state for state in states if not state.occluded]
        if not visible:
            return {}
        model = self._camera.model_for(image_hw)
        if not model.calibrated:
            self._note(no_bearing=self._camera.why_not(image_hw), visible=len(visible), located=0)
            return {}
        odd_frame = self._camera.frame_problem(header.frame_id)
        rays = model.rays(np.array([state.centroid for state in visible]))  # (N, 3)
        depth = self._depth_of(image_hw, header)
        config = self._config()
        found = {
            state.object_id: _position(state, ray, depth, image_hw, config)
            for state, ray in zip(visible, rays, strict=True)
        }
        located = sum(each.known for each in found.values())
        self._note(no_bearing="", visible=len(visible), located=located, odd_frame=odd_frame)
        return found

    def report(self) -> PositionsReport:
        """Everything until now."""
        with self._lock:
            return replace(self._counts, apart_p50_ms=percentile(self._apart_ms, 50))

    def _depth_of(self, image_hw: tuple[int, int], header: Header) -> DepthPicture | None:
        """The depth that is nearest to an image in time; None where none is near or of use."""
        try:
            message, apart_ms = self._nearest(stamp_ns(header.stamp))
            picture = DepthPicture(message, image_hw, header.frame_id)
        except NoDepthError as error:
            self._without_depth(str(error), missed_ns=error.missed_ns)
            return None
        except ImageError as error:
            self._without_depth(str(error), refused=True)
            return None
        with self._lock:
            self._apart_ms.append(apart_ms)
            self._counts = replace(self._counts, paired=self._counts.paired + 1, no_depth="")
        return picture

    def _nearest(self, wanted_ns: int) -> tuple[Image, float]:
        """The depth message for an image, and by how many milliseconds their stamps differ."""
        config = self._config()
        if not config.enabled:
            raise NoDepthError("depth.enabled is false")
        if not wanted_ns:
            raise NoDepthError("the images have no stamps, so depth cannot be matched to them")
        nearest = self._ring.nearest(wanted_ns)
        if nearest is None:
            raise NoDepthError("no depth has arrived", wanted_ns)
        apart_ms = abs(nearest[0]) / NS_PER_MS
        if apart_ms > config.stamp_tolerance_ms:
            raise NoDepthError(
                f"the nearest depth is {apart_ms:.0f} ms off, expected at most "
                f"{config.stamp_tolerance_ms:g} ms (depth.stamp_tolerance_ms)",
                wanted_ns,
            )
        return nearest[1], apart_ms

    def _without_depth(self, reason: str, *, missed_ns: int = 0, refused: bool = False) -> None:
        with self._lock:
            counts = replace(self._counts, no_depth=reason)
            if missed_ns:
                self._waited_for_ns.append(missed_ns)
                counts = replace(counts, missing=counts.missing + 1)
            if refused:
                counts = replace(counts, refused=counts.refused + 1, last_refusal=reason)
            self._counts = counts

    def _note(self, *, no_bearing: str, visible: int, located: int, odd_frame: str = "") -> None:
        with self._lock:
            self._counts = replace(
                self._counts,
                frames=self._counts.frames + 1,
                no_bearing=no_bearing,
                odd_frame=odd_frame,
                visible=visible,
                located=located,
            )


def _position(
    state: ObjectState,
    ray: NDArray[np.float64],
    depth: DepthPicture | None,
    image_hw: tuple[int, int],
    config: DepthConfig,
) -> ObjectPosition:
    """Of one object whose centroid is seen along a ray (x, y, 1); NaN where the lens has none."""
    x, y, z = (ray / np.linalg.norm(ray)).tolist()
    found = UNKNOWN_DEPTH
    if depth is not None and math.isfinite(z):
        found = object_depth(depth.read, depth.hw, state.box, state.measured, image_hw, config)
    point_x, point_y, point_z = (ray * found.depth_m).tolist()
    return ObjectPosition((x, y, z), (point_x, point_y, point_z), found.spread_m)
