"""Training clips from recordings with ground truth: videos, and photographs under a moving camera.

Letters: H, W height and width of a source picture in pixels; T frames; K objects; S side of a
clip in pixels.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import SourceError
from etam_ros.synthetic.samples import TrainingClip
from etam_ros.training.data.views import (
    Box,
    View,
    close_up,
    jitter_colours,
    random_views,
    render_mask,
    render_view,
)

Image = NDArray[np.uint8]
Labels = NDArray[np.uint16]

MAX_OBJECTS: Final = 6
_STREAM: Final = 0xDA7A  # makes these random numbers differ from those of other sources
_TRIES: Final = 6
_FASTEST: Final = 8  # distance between frames of a clip, in frames of the recording
_CACHE_BYTES: Final = 256 << 20
_LONGEST_PX: Final = 512  # smallest side of cached pictures, or twice the clip's side if larger
_ENOUGH: Final = 0.0005  # of the view, for the object around which it was chosen


class LabelledFrames(Protocol):
    """Pictures in order of time, each with its object ids; a photograph is a single one."""

    @property
    def name(self) -> str:
        """Name for messages."""
        ...

    def __len__(self) -> int: ...

    def read(self, index: int) -> tuple[Image, NDArray[np.integer]]:
        """A picture (H, W, 3) uint8 RGB and its object ids (H, W), 0 for the background.

        Raises:
            EtamError: it cannot be read.
        """
        ...


class LabelledClips:
    """A ClipSource of recordings.

    A clip is a random crop of frames at a random distance from each other, forwards or
    backwards; a recording with too few frames is played back and forth. Photographs, and some
    videos, are seen by a moving camera. At least one object is visible on the first frame;
    objects that appear later are not used.

    Args:
        recordings: at least one of them shows an object.
        what: a name for all of them, for messages.

    Raises:
        SourceError: no recording shows an object.
        EtamError: a recording cannot be read.
    """

    def __init__(self, recordings: Sequence[LabelledFrames], what: str) -> None:
        self._recordings = list(recordings)
        self._kept: OrderedDict[tuple[int, int, int], tuple[Image, Labels]] = OrderedDict()
        self._bytes = 0
        lengths = [max(len(recording), 1) for recording in self._recordings]
        self._bounds = np.cumsum(np.sqrt(lengths))
        if not any(self._shows_object(index) for index in range(len(self._recordings))):
            raise SourceError(
                f"{what} shows no object in any of its masks, expected ids above 0 (255 is "
                "ignored): check the masks, or omit it"
            )

    def __getstate__(self) -> dict[str, object]:
        """The state for worker processes, without cached pictures."""
        return {**self.__dict__, "_kept": OrderedDict(), "_bytes": 0}

    def clip(self, seed: int, *, frames: int, size: int) -> TrainingClip:
        """The clip of a seed; see `ClipSource`.

        Raises:
            EtamError: a file cannot be read; the message names it.
        """
        rng = np.random.default_rng([_STREAM, seed])
        draw = rng.random() * self._bounds[-1]
        first = int(np.searchsorted(self._bounds, draw, side="right"))
        count = len(self._recordings)
        for number in (min(first, count - 1) + step for step in range(count)):
            clip = self._from_recording(rng, number % count, frames, size)
            if clip is not None:
                return clip
        raise SourceError(
            "no recording shows an object any more, expected unchanged files: "
            "check the files given by --data"
        )

    def _from_recording(
        self, rng: np.random.Generator, number: int, frames: int, size: int
    ) -> TrainingClip | None:
        """A clip of one recording, or None if it shows no object at all."""
        length = len(self._recordings[number])
        for _ in range(_TRIES):
            clip = self._view(rng, number, _times(rng, length, frames), size)
            if clip is not None:
                return clip
        start = int(rng.integers(length))
        for step in range(length):  # objects are rare or tiny, so search for one
            index = (start + step) % length
            _, labels = self._read(number, index, size)
            ids = np.unique(labels[labels > 0])
            if len(ids):
                view = close_up(_box(labels == rng.choice(ids)))
                times = _bounce(index + np.arange(frames), length)
                return self._clip(rng, number, times, [view] * frames, size)
        return None

    def _view(
        self, rng: np.random.Generator, number: int, indices: NDArray[np.intp], size: int
    ) -> TrainingClip | None:
        """A clip around a random object of the first frame, or None if there is none in view."""
        _, labels = self._read(number, int(indices[0]), size)
        ids = np.unique(labels[labels > 0])
        if not len(ids):
            return None
        target = labels == rng.choice(ids)
        moving = len(self._recordings[number]) == 1 or rng.random() < 0.3
        hw = labels.shape[0], labels.shape[1]
        views = random_views(rng, hw, _box(target), frames=len(indices), moving=moving)
        if np.count_nonzero(render_mask(target, views[0], size)) < _ENOUGH * size * size:
            return None
        return self._clip(rng, number, indices, views, size)

    def _clip(
        self,
        rng: np.random.Generator,
        number: int,
        indices: NDArray[np.intp],
        views: list[View],
        size: int,
    ) -> TrainingClip | None:
        pictures, every_labels = zip(*(self._read(number, i, size) for i in indices), strict=True)
        colour = (rng.integers(0, 256, 3) * (rng.random() < 0.5)).tolist()
        images = [
            render_view(image, view, size, colour)
            for image, view in zip(pictures, views, strict=True)
        ]
        masks: list[list[NDArray[np.bool_]]] = []
        for object_id in rng.permutation(np.unique(every_labels[0][every_labels[0] > 0])):
            first = render_mask(every_labels[0] == object_id, views[0], size)
            if len(masks) < MAX_OBJECTS and first.any():
                pairs = zip(every_labels, views, strict=True)
                masks.append([render_mask(ids == object_id, view, size) for ids, view in pairs])
        if not masks:
            return None
        return TrainingClip(jitter_colours(rng, np.stack(images)), np.array(masks))

    def _shows_object(self, number: int) -> bool:
        recording = self._recordings[number]
        return any(recording.read(index)[1].any() for index in range(len(recording)))

    def _read(self, number: int, index: int, size: int) -> tuple[Image, Labels]:
        """A picture and its object ids, large enough for a view of S x S; the last are cached."""
        longest = max(_LONGEST_PX, 2 * size)
        key = number, index, longest
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        image, labels = self._recordings[number].read(index)
        name = f"{self._recordings[number].name}, frame {index}"
        pair = self._kept[key] = _modest(image, labels, longest, name)
        self._bytes += pair[0].nbytes + pair[1].nbytes
        while self._bytes > _CACHE_BYTES and len(self._kept) > 1:
            _, (old, old_labels) = self._kept.popitem(last=False)
            self._bytes -= old.nbytes + old_labels.nbytes
        return pair


def _modest(
    image: Image, labels: NDArray[np.integer], longest: int, name: str
) -> tuple[Image, Labels]:
    if image.shape[:2] != labels.shape:
        raise SourceError(
            f"{name}: the mask is {labels.shape[1]}x{labels.shape[0]}, its picture "
            f"{image.shape[1]}x{image.shape[0]}, expected the same size"
        )
    scale = longest / max(labels.shape)
    ids = labels.astype(np.uint16)
    if scale >= 1:
        return image, ids
    width, height = (max(1, round(side * scale)) for side in labels.shape[::-1])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    few = cv2.resize(ids, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(small, np.uint8), np.asarray(few, np.uint16)


def _times(rng: np.random.Generator, length: int, frames: int) -> NDArray[np.intp]:
    """Indices of T frames of a recording, evenly spaced."""
    most = max(1, min(_FASTEST, (length - 1) // max(1, frames - 1)))
    stride = int(np.exp(rng.uniform(0, np.log(most + 1))))
    span = min(stride * (frames - 1), length - 1)
    start = int(rng.integers(length - span))
    indices = _bounce(start + stride * np.arange(frames), length)
    if span < stride * (frames - 1) or rng.random() < 0.5:
        return indices
    return indices[::-1]


def _bounce(indices: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Reverse the direction at both ends of a recording."""
    period = max(1, 2 * (length - 1))
    phase = indices % period
    return np.asarray(np.minimum(phase, period - phase) if length > 1 else 0 * phase, np.intp)


def _box(mask: NDArray[np.bool_]) -> Box:
    ys, xs = np.nonzero(mask)
    return float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1)
