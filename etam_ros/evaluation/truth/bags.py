"""Bags with label images as ground truth: a camera, and object ids with the same stamps."""

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
        labels: their topic; empty for the only one.
        topic: topic of the camera; empty for the one with the same stamps.
        recover: read a damaged bag as far as possible.
    """

    bag: Path
    labels: str = ""
    topic: str = ""
    recover: bool = False
    has_masks = True

    def files(self) -> Sequence[Path]:
        """The files of the bag."""
        if self.bag.is_file():
            return [self.bag]
        return sorted(path for path in self.bag.iterdir() if path.is_file())

    def at(self, index: int, frame: Frame) -> FrameTruth | None:
        """Never called: `LabelledBag` reads label images together with the frames.

        Raises:
            TypeError: always.
        """
        raise TypeError("label images of a bag come with its frames: iterate over LabelledBag")


class LabelledBag(LabelledVideo):
    """A bag that contains its own truth; frames and label images are read in parallel.

    It is opened on iteration, so that a damaged one does not prevent the evaluation of others.
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
        """None: unknown before the bag is read."""
        return None

    def fingerprint(self) -> str:
        """A fingerprint of names, sizes and ends of the bag's files."""
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
    """The topic of label images: the requested one, or the only one not published by a tracker.

    Raises:
        SourceError: the bag has no label images, only those of a tracker, or several topics.
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
        labels: topic of the label images; empty for the only one not published by a tracker.
        topic: topic of the camera; empty for the one with the same stamps.
        recover: read a damaged bag as far as possible.
    """
    return LabelledBag(path.resolve().stem, str(path), LabelTopic(path, labels, topic, recover))
