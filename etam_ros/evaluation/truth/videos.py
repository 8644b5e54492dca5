"""Videos with ground truth in any form."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from etam_ros.errors import SourceError
from etam_ros.evaluation.sequences import VOID_ID, VideoSequence
from etam_ros.evaluation.truth.annotations import FrameTruth, MaskTruth
from etam_ros.media.files import is_bag
from etam_ros.media.frame_source import FrameSource
from etam_ros.media.label_png import read_mask_values
from etam_ros.media.sources import images_in, open_source, read_image
from etam_ros.records import Frame


class Truths(Protocol):
    """The ground truth of a video by frame; small enough to be sent to a worker."""

    has_masks: bool
    """Whether it consists of masks, rather than boxes."""

    def at(self, index: int, frame: Frame) -> FrameTruth | None:
        """Truth of a frame, given its number in the truth; None if the frame is not annotated.

        Raises:
            ImageError, SourceError: it cannot be read, or does not fit the frame.
        """
        ...

    def files(self) -> Sequence[Path]:
        """The files of the truth."""
        ...


@dataclass(frozen=True)
class LabelledVideo:
    """A video and its ground truth.

    Attributes:
        name: of the video, unique in an evaluation.
        source: a source for `open_source`, or the files of its frames in order.
        truths: the ground truth.
        object_names: by object id, if the truth has them.
        topic, recover: for a bag, as in `open_source`.
        truth_from: number of the first frame in the truth.
        notes: messages about anything unusual found while reading it.
        group: name of a group of videos, for means over the group; empty for none.
    """

    name: str
    source: str | tuple[str, ...]
    truths: Truths
    object_names: Mapping[int, str] = field(default_factory=dict)
    topic: str = ""
    recover: bool = False
    truth_from: int = 0
    notes: list[str] = field(default_factory=list, compare=False)
    group: str = ""

    def note(self, what: Iterable[str]) -> None:
        """Add a note, unless it exists already."""
        self.notes.extend(each for each in what if each not in self.notes)

    def __iter__(self) -> Iterator[tuple[Frame, FrameTruth | None]]:
        for index, frame in enumerate(self._frames()):
            yield frame, self.truths.at(index + self.truth_from, frame)

    def _frames(self) -> Iterator[Frame]:
        if isinstance(self.source, str):
            with self._opened(self.source) as source:
                try:
                    yield from source
                finally:
                    self.note(source.notes)
        else:
            yield from (Frame(read_image(Path(path))) for path in self.source)

    def frame_count(self) -> int | None:
        """Number of frames; None if unknown."""
        if not isinstance(self.source, str):
            return len(self.source)
        with self._opened(self.source) as source:
            return source.frame_count

    def _opened(self, source: str) -> FrameSource:
        return open_source(source, topic=self.topic, recover=self.recover)

    def fingerprint(self) -> str:
        """A fingerprint of the names and sizes of the frames' files, and of the truth."""
        digest = hashlib.sha256()
        for each in self._files():
            digest.update(os.fsencode(each.name) + f" {each.stat().st_size}\n".encode())
        for each in self.truths.files():
            digest.update(os.fsencode(each.name) + each.read_bytes())
        if self.truth_from:
            digest.update(f"from {self.truth_from}".encode())
        return digest.hexdigest()[:16]

    def _files(self) -> list[Path]:
        if not isinstance(self.source, str):
            return [Path(each) for each in self.source]
        path = Path(self.source)
        if is_bag(path) and path.is_dir():
            return sorted(each for each in path.iterdir() if each.is_file())
        return images_in(path) if path.is_dir() else [path]


class MaskFiles:
    """Mask pictures of object ids, one for each annotated frame.

    Pixels of 255 are ignored. But if the first picture contains no id except 255, as in DAVIS 2016
    and other datasets with one object, 255 is object 1.

    Args:
        paths: by frame index.
    """

    has_masks = True

    def __init__(self, paths: Mapping[int, Path]) -> None:
        self._paths = dict(paths)
        first = np.unique(read_mask_values(paths[min(paths)]))
        self._binary = set(first.tolist()) in ({0, VOID_ID}, {VOID_ID})

    def files(self) -> Sequence[Path]:
        return [self._paths[index] for index in sorted(self._paths)]

    def at(self, index: int, frame: Frame) -> MaskTruth | None:
        """The ids of a frame's file."""
        path = self._paths.get(index)
        if path is None:
            return None
        values = read_mask_values(path)
        if values.shape != frame.hw:
            raise SourceError(
                f"mask {path} is {values.shape[1]} x {values.shape[0]} pixels, expected "
                f"{frame.hw[1]} x {frame.hw[0]} like its frame: create it again at that size"
            )
        if self._binary:
            return MaskTruth((values > 0).astype(np.uint8))
        void = values == VOID_ID
        if not void.any():
            return MaskTruth(values)
        return MaskTruth(np.where(void, 0, values), void)


def video_of(sequence: VideoSequence, object_names: Mapping[int, str]) -> LabelledVideo:
    """A sequence on disk as a video to evaluate."""
    truths = MaskFiles(sequence.truths)
    return LabelledVideo(sequence.name, str(sequence.frames), truths, object_names)
