"""The values that are exchanged between cameras, the tracker and consumers of its results.

Letters: H, W height and width of the source frame in pixels; h, w of the feature grid; P points.
Pixel coordinates are (x right, y down); the centre of the top-left pixel is (0, 0), so that a
frame covers -0.5 <= x < W - 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import ImageError, PromptError

if TYPE_CHECKING:
    from torch import Tensor

BACKGROUND: Final = 0
FOREGROUND: Final = 1
NEW_OBJECT: Final = 0
MAX_OBJECT_ID: Final = 65535
MOST_POINTS: Final = 256
"""Clicks on one object on one frame; each costs a few milliseconds, during which nothing else is
done."""
MOST_LETTERS: Final = 1024
"""Of a label, which is published with every frame."""
LONGEST_LABEL: Final = 80
"""Characters of a label that people are shown in a sentence."""


def label_in_words(label: str, longest: int = LONGEST_LABEL) -> str:
    """A label, which may be any text, for people: on one line and not too long."""
    return "".join(c if c.isprintable() else " " for c in label[:longest]).rstrip()


def check_label(label: str) -> None:
    """Raise PromptError for a label that is too long to be published with every frame."""
    if len(label) > MOST_LETTERS:
        raise PromptError(
            f"label has {len(label)} letters, expected up to {MOST_LETTERS}: shorten it"
        )


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of a stream.

    Attributes:
        image: (H, W, 3) uint8, RGB.
        stamp_ns: time of exposure in nanoseconds; 0 if the source has no stamps.
        frame_id: coordinate frame of the camera, copied to everything derived from this frame.

    Raises:
        ImageError: the image is no array of (H, W, 3) uint8 with at least one pixel.
    """

    image: NDArray[np.uint8]
    stamp_ns: int = 0
    frame_id: str = ""

    def __post_init__(self) -> None:
        image: object = self.image  # whatever was given
        if not isinstance(image, np.ndarray):
            raise ImageError(
                f"frame is a {type(image).__name__}, expected an array (H, W, 3) of uint8: read "
                "the picture first; None is what OpenCV returns for a file that it cannot read"
            )
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
            raise ImageError(
                f"frame has shape {tuple(image.shape)} of {image.dtype}, "
                "expected (H, W, 3) of uint8: convert it to RGB with values of 0..255 first"
            )

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image.shape[0], self.image.shape[1]


@dataclass(frozen=True, eq=False)
class Prompt:
    """Clicks, a box or a mask for one object on one frame, in source pixels.

    Attributes:
        object_id: 1..65535; 0 asks for a new object; an unused id adds an object with that id.
        label: name of the object, free text of up to MOST_LETTERS; empty keeps its present name.
        points: P clicks (x, y), up to MOST_POINTS.
        point_labels: P values, FOREGROUND (1) or BACKGROUND (0).
        box: (x_min, y_min, x_max, y_max), or None.
        mask: (H, W) bool of the frame's size, or None; cannot be combined with points or box.
        keep_previous: add to the clicks and box this object already has on that frame.
        stamp_ns: stamp of the frame that the prompt is for, in nanoseconds; 0: the newest.

    Raises:
        PromptError: nothing is prompted, there are too many clicks, counts differ, values are not
            finite numbers, or the label is too long.
    """

    object_id: int = NEW_OBJECT
    label: str = ""
    points: Sequence[tuple[float, float]] = ()
    point_labels: Sequence[int] = ()
    box: tuple[float, float, float, float] | None = None
    mask: NDArray[np.bool_] | None = None
    keep_previous: bool = False
    stamp_ns: int = 0

    def __post_init__(self) -> None:
        check_label(self.label)
        _check_points(self.points, self.point_labels)
        if self.box is not None:
            _check_box(self.box)
        if self.mask is not None:
            if len(self.points) or self.box is not None:
                raise PromptError(
                    "prompt has a mask together with points or a box, expected only a mask: "
                    "send the mask first, then refine it with clicks"
                )
            if not isinstance(self.mask, np.ndarray):
                raise PromptError(
                    f"prompt mask is a {type(self.mask).__name__}, expected an array (H, W) of "
                    "bool"
                )
            if self.mask.ndim != 2 or self.mask.dtype != np.bool_:
                raise PromptError(
                    f"prompt mask has shape {tuple(self.mask.shape)} of {self.mask.dtype}, "
                    "expected (H, W) of bool"
                )
        if self.mask is None and self.box is None and not len(self.points):
            raise PromptError("prompt is empty: give points with labels, a box, or a mask")


def _check_points(points: Sequence[tuple[float, float]], labels: Sequence[int]) -> None:
    if len(points) != len(labels):
        raise PromptError(
            f"prompt has {len(points)} points and {len(labels)} labels, expected one label per "
            f"point: {FOREGROUND} on the object, {BACKGROUND} off it"
        )
    if len(points) > MOST_POINTS:
        raise PromptError(
            f"prompt has {len(points)} points, expected up to {MOST_POINTS} for one object on one "
            "frame: choose some of them, or give a box or a mask"
        )
    for point in points:
        if len(point) != 2 or not all(math.isfinite(value) for value in point):
            raise PromptError(f"prompt point {tuple(point)} is not a finite (x, y)")
    for label in labels:
        if label not in (BACKGROUND, FOREGROUND):
            raise PromptError(
                f"prompt point label is {label}, expected {FOREGROUND} (on the object) "
                f"or {BACKGROUND} (off it)"
            )


def _check_box(box: Sequence[float]) -> None:
    if len(box) != 4 or not all(math.isfinite(value) for value in box):
        raise PromptError(f"prompt box {tuple(box)} is not four finite x_min y_min x_max y_max")
    x_min, y_min, x_max, y_max = box
    if x_min >= x_max or y_min >= y_max:
        raise PromptError(
            f"prompt box {tuple(box)} has no area, expected x_min < x_max and y_min < y_max"
        )


@dataclass(frozen=True, eq=False)
class ObjectState:
    """One object on one frame.

    While `occluded`, `box` and `extent` are all zero, `mask` and `measured` are (0, 0), `area`,
    `pieces` and `main_piece_share` are 0 and `centroid` is NaN.

    Attributes:
        object_id: 1..65535, permanent.
        label: name given by the prompt.
        occluded: the object is not visible on this frame.
        visibility: sigmoid of the object-score logit, 0..1.
        iou_score: the model's own estimate of the mask's quality, 0..1.
        area: pixels of the whole mask.
        box: tight (x0, y0, x1, y1) around the main piece of the mask, in pixels, x1 and y1
            exclusive; with `tracker.measured` whole_mask, around the whole mask.
        centroid: mean (x, y) of the main piece, or, if that lies off the piece, the pixel of the
            piece nearest to it; with whole_mask the mean of all pixels, wherever it lies.
        mask: the whole mask cropped to `extent`, bool.
        extent: tight box around the whole mask.
        measured: (y1 - y0, x1 - x0) bool, the pixels on which `box` and `centroid` are measured.
        time_since_seen_ns: 0 while visible; by frame stamps.
        object_score_logit: presence before the sigmoid; <= 0 is occluded.
        mask_logits: (4h, 4w) float32 tensor on the tracker's device, before the threshold and
            before overlaps are settled.
        pointer: (C,) float32 tensor on the tracker's device, the object pointer.
        stamp_ns: stamp of the frame that this state belongs to.
        pieces: number of connected pieces of the mask.
        main_piece_share: share of the mask's pixels that belong to the main piece, 0..1.
    """

    object_id: int
    label: str
    occluded: bool
    visibility: float
    iou_score: float
    area: int
    box: tuple[int, int, int, int]
    centroid: tuple[float, float]
    mask: NDArray[np.bool_] = field(repr=False)
    extent: tuple[int, int, int, int]
    measured: NDArray[np.bool_] = field(repr=False)
    time_since_seen_ns: int
    object_score_logit: float
    mask_logits: Tensor = field(repr=False)
    pointer: Tensor = field(repr=False)
    stamp_ns: int = 0
    pieces: int = 1
    main_piece_share: float = 1.0

    @property
    def mask_in_box(self) -> NDArray[np.bool_]:
        """The part of the mask inside the box, (y1 - y0, x1 - x0) bool, as messages hold it."""
        x0, y0, x1, y1 = self.box
        left, top, _, _ = self.extent
        return self.mask[y0 - top : y1 - top, x0 - left : x1 - left]


@dataclass(frozen=True, eq=False)
class FrameResult:
    """Every object of one frame.

    Attributes:
        frame_number: frames processed by this tracker so far; `reset` does not restart it.
        stamp_ns, frame_id: copied from the frame.
        image_hw: height and width of the source frame.
        objects: in the order in which they were added.
        label_image: (H, W) uint16, object id per pixel, 0 background.
        time_went_back: the stamp is older than those of the last frames, and recent memories were
            dropped; frames that merely arrived out of order do not count.
        time_leapt: the stamp is far ahead of the previous one, as from another clock; the time
            between them counts for no object.
        forgotten_ids: objects dropped on this frame by `tracker.forget_after_s`.
    """

    frame_number: int
    stamp_ns: int
    frame_id: str
    image_hw: tuple[int, int]
    objects: tuple[ObjectState, ...]
    label_image: NDArray[np.uint16] = field(repr=False)
    time_went_back: bool = False
    time_leapt: bool = False
    forgotten_ids: tuple[int, ...] = ()

    def object(self, object_id: int) -> ObjectState | None:
        """The object of that id, or None."""
        return next((state for state in self.objects if state.object_id == object_id), None)
