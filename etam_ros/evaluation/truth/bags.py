"""Bags with label images as ground truth: a camera, and object ids on the stamps of its images."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from etam_ros.errors import SourceError
from etam_ros.evaluation.truth.annotations import FrameTruth, MaskTruth
from etam_ros.evaluation.truth.videos import LabelledVideo
from etam_ros.records import Frame

if TYPE_CHECKING:
    from etam_ros.media.bags.reader import Bag

_CHUNK: Final = 2**20


@dataclass(frozen=True)
class LabelTopic:
    """Which label images of a bag are the truth; see Truths.

    Attributes:
        bag: the bag.
        labels: their topic; empty: the only one.
        topic: of the camera; empty: the one of the same stamps.
        recover: read what can be read of a damaged bag.
    """

    bag: Path
    labels: str = ""
    topic: str = ""
    recover: bool = False
    has_masks = True

    def files(self) -> Sequence[Path]:
        """The parts of the bag."""
        if self.bag.is_file():
            return [self.bag]
        return sorted(path for path in self.bag.iterdir() if path.is_file())

    def at(self, index: int, frame: Frame) -> FrameTruth | None:
        """Never called: `LabelledBag` reads label images in step with the frames.

        Raises:
            TypeError: always.
        """
        raise TypeError("label images of a bag come with its frames: iterate over LabelledBag")


class LabelledBag(LabelledVideo):
    """A bag that holds its own truth; frames and label images stream side by side.

    It is opened when it is gone through: one that is damaged does not keep others from being
    judged.
    """

    truths: LabelTopic

    def __iter__(self) -> Iterator[tuple[Frame, FrameTruth | None]]:
        from etam_ros.media.bags.reader import Bag

        truths = self.truths
        bag = Bag(truths.bag, recover=truths.recover)
        try:
            yield from self._in_step(bag, _true_labels(bag, truths.labels))
        finally:
            self.note(bag.notes)

    def _in_step(self, bag: Bag, labels_topic: str) -> Iterator[tuple[Frame, FrameTruth | None]]:
        from etam_ros.media.bags.labels import frames_with_labels

        pairs = frames_with_labels(bag, topic=self.truths.topic, labels=labels_topic)
        for frame, labels in pairs:
            if labels is None:
                yield frame, None
                continue
            if labels.shape != frame.hw:
                raise SourceError(
                    f"bag {bag.path} has a label image of {labels.shape[1]} x {labels.shape[0]} "
                    f"pixels, expected {frame.hw[1]} x {frame.hw[0]} like its frame"
                )
            yield frame, MaskTruth(labels)

    def frame_count(self) -> int | None:
        """Not known before the bag is read."""
        return None

    def fingerprint(self) -> str:
        """Changes with names, sizes and ends of the bag's files."""
        digest = hashlib.sha256(f"{self.truths.labels} {self.truths.topic}".encode())
        for path in self.truths.files():
            size = path.stat().st_size
            digest.update(os.fsencode(path.name) + f" {size}\n".encode())
            with path.open("rb") as file:
                digest.update(file.read(_CHUNK))
                file.seek(max(0, size - _CHUNK))
                digest.update(file.read(_CHUNK))
        return digest.hexdigest()[:16]


def _true_labels(bag: Bag, wanted: str) -> str:
    """The topic of the label images: what is asked for, or the only one that no tracker made.

    Raises:
        SourceError: the bag holds no label images, or only a tracker's, or several topics of them.
    """
    from etam_ros.media.bags.topics import label_topic, published_labels

    found = label_topic(bag, wanted, option="--truth TOPIC").name
    if not wanted and found in published_labels(bag):
        raise SourceError(
            f"bag {bag.path} holds only label images that a tracker published: compare it with "
            f"another run by --against BAG, or use them as ground truth by --truth {found}"
        )
    return found


def labelled_bag(path: Path, labels: str, topic: str, recover: bool) -> LabelledBag:
    """A bag whose label images are the truth.

    Args:
        labels: topic of the label images; empty: the only one, unless a tracker published it.
        topic: of the camera; empty: the one of the same stamps.
        recover: read what can be read of a damaged bag.
    """
    return LabelledBag(path.resolve().stem, str(path), LabelTopic(path, labels, topic, recover))
