"""Sources of frames: video files, folders of images, cameras, bags. Needs no ROS.

    with open_source("clip.mp4") as source:
        for frame in source:
            ...

Frames are decoded on demand, one at a time.
"""

from __future__ import annotations

import math
import re
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import ImageError, SourceError
from etam_ros.media.files import bag_files_in, is_bag, read_ordinary
from etam_ros.media.frame_source import DEFAULT_FPS, FrameSource
from etam_ros.media.image_decoding import Remark, decode_quietly, ignore, remark_on_darkness
from etam_ros.media.image_header import PNG_START, check_contents, is_jpeg_or_png, read_header
from etam_ros.media.videos import EXPECTED, VideoSource, reason_of
from etam_ros.records import Frame

IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
_CAMERA: Final = re.compile(r"(?:/dev/video)?([0-9]+)", re.ASCII)
_NS_PER_S: Final = 1_000_000_000
_AS_IT_IS: Final = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR
_MAY_BE_DEEP: Final = (PNG_START, b"II*\0", b"MM\0*")
"""First bytes of PNG and TIFF files, whose samples may have 16 bits."""


class FolderSource(FrameSource):
    """The images of a folder, or one image, in natural order: img2 before img10."""

    def __init__(self, path: Path, fps: float | None) -> None:
        self._paths = [path] if path.is_file() else images_in(path)
        super().__init__(path.name or str(path), fps or DEFAULT_FPS, len(self._paths))

    def peek(self, index: int) -> Frame | None:
        if not 0 <= index < len(self._paths):
            return None
        return Frame(read_image(self._paths[index]))  # they may differ in size

    def _read(self) -> Generator[Frame, None, None]:
        for number, path in enumerate(self._paths):
            remark = ignore if number else self._remark
            yield Frame(read_image(path, remark), round(number * _NS_PER_S / self.fps))


def images_in(folder: Path) -> list[Path]:
    """The images of a folder in natural order.

    Raises:
        SourceError: there are none, or the folder cannot be read.
    """
    try:
        paths = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise SourceError(f"folder {folder} cannot be listed: {reason_of(error)}") from error
    images = [path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        raise SourceError(
            f"folder {folder} holds no images, expected files of "
            f"{', '.join(suffix[1:] for suffix in IMAGE_SUFFIXES)} in it: give the folder that "
            f"holds them{_bags_inside(paths)}"
        )
    return sorted(images, key=_natural_order)


def _bags_inside(paths: list[Path]) -> str:
    """A hint for the case that a folder of bags was given."""
    bags = sorted(path for path in paths if path.is_dir() and is_bag(path))
    return f", or the bag in it: {bags[0]}" if bags else ""


def _natural_order(path: Path) -> tuple[list[tuple[str, int]], str]:
    parts = re.findall(r"([^0-9]*)([0-9]*)", path.name.lower())
    return [(text, int(digits or -1)) for text, digits in parts], path.name


def read_image(path: Path, remark: Remark = ignore) -> NDArray[np.uint8]:
    """Read an image file, turned upright by its metadata.

    Args:
        path: of the file.
        remark: called with a message if 16-bit samples use only a part of their range.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        SourceError: it cannot be read.
    """
    decoded = None
    reason = "no picture that OpenCV can decode"
    try:
        data = read_ordinary(path)
        if is_jpeg_or_png(data):
            read_header(data)  # some versions of OpenCV return half a picture for half a file
        check_contents(data)
        if data:
            decoded = decode_quietly(data, cv2.IMREAD_COLOR)
            if remark is not ignore and data.startswith(_MAY_BE_DEEP):
                stored = decode_quietly(data, _AS_IT_IS)
                if stored is not None:
                    remark_on_darkness("16-bit", stored, remark)
    except OSError as error:
        reason = reason_of(error)
    except ImageError as error:
        reason = str(error).partition(", expected")[0].strip()
    if decoded is None:
        raise SourceError(
            f"image {path} cannot be read: {' '.join(reason.split())}: replace or remove it"
        )
    return _rgb(decoded)


def _rgb(bgr: NDArray[Any]) -> NDArray[np.uint8]:
    rgb: NDArray[Any] = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return rgb


class CameraSource(FrameSource):
    """A camera of this computer, through OpenCV. Stamps are wall-clock time."""

    def __init__(self, index: int, fps: float | None) -> None:
        device = Path(f"/dev/video{index}")
        known = not sys.platform.startswith("linux") or device.exists()
        self._capture = cv2.VideoCapture(index) if known else None
        if self._capture is None or not self._capture.isOpened():
            raise SourceError(
                f"camera {index} cannot be opened, expected {device} to be a camera that no "
                "other program uses: plug it in, or list the cameras with `ls /dev/video*`"
            )
        if fps:
            self._capture.set(cv2.CAP_PROP_FPS, fps)
        told = self._capture.get(cv2.CAP_PROP_FPS)
        usable = math.isfinite(told) and told > 0
        super().__init__(
            f"camera {index}", told if usable else fps or DEFAULT_FPS, None, live=True
        )

    def _read(self) -> Generator[Frame, None, None]:
        while self._capture is not None:
            done, bgr = self._capture.read()
            stamp_ns = time.time_ns()
            if not done:
                raise SourceError(
                    f"{self.name} delivers no more frames: check that it is still plugged in"
                )
            yield Frame(_rgb(bgr), stamp_ns)

    def close(self) -> None:
        super().close()
        if self._capture is not None:
            self._capture.release()
            self._capture = None


def open_source(
    source: str | int | Path, *, fps: float | None = None, topic: str = "", recover: bool = False
) -> FrameSource:
    """Open a source of frames.

    Args:
        source: a video file; a folder of images, or one image; a rosbag2 folder, or a .mcap,
            .db3 or .bag file; the index of a camera, as a number, as digits, or as /dev/videoN.
        fps: frames per second, above 0: used for the stamps of a folder, requested from a camera,
            and reported instead of the rate of a video file or bag. None for the source's own
            rate; 30 for a folder.
        topic: of the images of a bag; empty finds the camera, if there is only one.
        recover: read a damaged bag as far as possible.

    Returns:
        The source, to be closed or used in a `with` statement.

    Raises:
        SourceError: it does not exist, or cannot be read.
    """
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise SourceError(f"rate is {fps} frames a second, expected a number above 0")
    path = Path(source if isinstance(source, Path) else str(source))
    if not str(source).strip() or (isinstance(source, int) and source < 0):
        raise SourceError(f"source is {source!r}, expected {EXPECTED}")
    try:
        is_there, is_ordinary = path.exists(), path.is_file() or path.is_dir()
    except (OSError, ValueError) as error:  # not permitted, too long, or a zero byte
        raise SourceError(f"{str(path)!r} cannot be opened: {reason_of(error)}") from error
    camera = _CAMERA.fullmatch(str(source))
    if camera and (isinstance(source, int) or not is_ordinary):
        _check_no_topic(topic, f"camera {camera[1]}")
        return CameraSource(int(camera[1]), fps)
    if not is_there:
        raise SourceError(f"{path} does not exist, expected {EXPECTED}")
    if not is_ordinary:
        raise SourceError(f"{path} is a pipe or a device, expected {EXPECTED}")
    if is_bag(path):
        from etam_ros.media.bags.source import BagSource

        return BagSource(path, topic=topic, fps=fps, recover=recover)
    _check_no_topic(topic, str(path))
    if path.is_dir() and (bags := bag_files_in(path)):
        raise SourceError(
            f"folder {path} holds {len(bags)} bags, expected one: give one of "
            f"{', '.join(each.name for each in bags[:10])}"
        )
    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        return FolderSource(path, fps)
    return VideoSource(path, fps)


def _check_no_topic(topic: str, source: str) -> None:
    if topic:
        raise SourceError(
            f"topic is {topic!r}, but {source} is not a bag and has no topics: omit --topic"
        )
