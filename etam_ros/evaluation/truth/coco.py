"""Ground truth in COCO-style JSON, for videos and for photographs.

Videos are given in one of two ways: as `videos` with `segmentations` per frame, as in YouTube-VIS;
or as `images` whose annotations have a `track_id` (or `instance_id`, `object_id`, also within
`attributes`, as CVAT writes it), with one video per folder or `video_id`. Annotations without such
an id are objects of photographs. Regions marked `iscrowd` are ignored.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import SourceError
from etam_ros.evaluation.truth.annotations import BoxTruth, is_box
from etam_ros.evaluation.truth.coco_truths import Annotation, CocoTruths, truth_of
from etam_ros.evaluation.truth.videos import LabelledVideo
from etam_ros.media.files import read_json
from etam_ros.media.sources import read_image
from etam_ros.records import MAX_OBJECT_ID

_TRACK_KEYS: Final = ("track_id", "instance_id", "object_id")
_FOLDERS: Final = ("", "images", "JPEGImages", "frames")
Record = Mapping[str, Any]


@dataclass(frozen=True)
class CocoPhotograph:
    """One photograph whose objects are annotated in a COCO file; see LabelledImage."""

    name: str
    image_path: Path
    file: Path
    annotations: tuple[Annotation, ...]

    def image(self) -> NDArray[np.uint8]:
        """The photograph: (H, W, 3) uint8 RGB."""
        return read_image(self.image_path)

    def truth(self) -> NDArray[np.integer[Any]]:
        """Object ids (H, W), 0 where there is none or nothing is judged."""
        height, width = self.image().shape[:2]
        truth = truth_of(self.annotations, (height, width))
        if isinstance(truth, BoxTruth):
            raise SourceError(
                f"{self.file} has only boxes for {self.name}, expected segmentations"
            )
        return truth.labels


@dataclass(frozen=True)
class CocoVideo:
    """One video as described in the file.

    Attributes:
        name: of the video.
        pictures: names of its pictures, in order.
        annotations: by index into these.
        object_names: by object id.
        frame_ids: of the pictures, as given in the file; empty if not given.
        notes: messages about anything unusual.
    """

    name: str
    pictures: tuple[str, ...]
    annotations: Mapping[int, Sequence[Annotation]]
    object_names: Mapping[int, str]
    frame_ids: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


class CocoFile:
    """A COCO-style JSON file.

    Args:
        path: of the file; pictures are searched for in its folder, and in `images`, `JPEGImages`
            and `frames` there.

    Raises:
        SourceError: it cannot be read, or has another layout.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            content = read_json(path)
        except (OSError, ValueError) as error:
            raise SourceError(f"annotations {path} cannot be read: {error}") from None
        lists = isinstance(content, dict) and isinstance(content.get("annotations"), list)
        if not lists or not ("images" in content or "videos" in content):
            raise SourceError(
                f"{path} is not a COCO-style file, expected an object with annotations, and "
                "images or videos"
            )
        self._content: dict[str, Any] = content
        with self._as_coco_has_it():
            self._names = {
                each["id"]: str(each["name"]) for each in content.get("categories") or ()
            }

    @property
    def is_of_videos(self) -> bool:
        """Whether annotations identify objects across pictures."""
        with self._as_coco_has_it():
            return "segmentations" in self._first or _track_of(self._first) is not None

    @property
    def _first(self) -> Record:
        annotations = self._content["annotations"]
        return annotations[0] if annotations and isinstance(annotations[0], dict) else {}

    def videos(self) -> list[LabelledVideo]:
        """All videos, by name.

        Raises:
            SourceError: pictures are missing, or entries are damaged.
        """
        return [
            LabelledVideo(
                video.name,
                tuple(str(self._picture(each)) for each in video.pictures),
                CocoTruths(self._path, video.annotations),
                video.object_names,
                notes=list(video.notes),
            )
            for video in self.listed_videos()
        ]

    def listed_videos(self) -> list[CocoVideo]:
        """All videos, by name, whether or not their pictures exist.

        Raises:
            SourceError: entries are damaged, or do not identify an object.
        """
        with self._as_coco_has_it():
            per_frame = "segmentations" in self._first
            found = self._per_frame_videos() if per_frame else self._tracked_videos()
            return sorted(found, key=lambda video: video.name)

    def photographs(self) -> list[CocoPhotograph]:
        """All pictures with objects, in the order of the file.

        Raises:
            SourceError: pictures are missing, or entries are damaged.
        """
        with self._as_coco_has_it():
            by_image: dict[Any, list[Record]] = defaultdict(list)
            for each in self._content["annotations"]:
                by_image[each["image_id"]].append(each)
            return [
                CocoPhotograph(
                    PurePosixPath(image["file_name"]).stem,
                    self._picture(image["file_name"]),
                    self._path,
                    tuple(_numbered(by_image[image["id"]])),
                )
                for image in self._content["images"]
                if by_image[image["id"]]
            ]

    def _per_frame_videos(self) -> Iterable[CocoVideo]:
        """Videos as in YouTube-VIS: an annotation contains an object's masks on all frames."""
        for video in self._content["videos"]:
            names = [str(name) for name in video["file_names"]]
            objects = [
                each for each in self._content["annotations"] if each["video_id"] == video["id"]
            ]
            by_frame: dict[int, list[Annotation]] = {index: [] for index in range(len(names))}
            for object_id, each in enumerate(objects, 1):
                for index, segmentation in enumerate(each["segmentations"]):
                    if segmentation:
                        by_frame[index].append(Annotation(object_id, segmentation, None))
            labels = {number: self._label(each) for number, each in enumerate(objects, 1)}
            name = PurePosixPath(names[0]).parent.name or f"video {video['id']}"
            yield CocoVideo(name, tuple(names), by_frame, labels)

    def _tracked_videos(self) -> Iterable[CocoVideo]:
        """Videos of pictures whose annotations name a track."""
        by_image: dict[Any, list[Record]] = defaultdict(list)
        for each in self._content["annotations"]:
            by_image[each["image_id"]].append(each)
        groups: dict[str, list[Record]] = defaultdict(list)
        for image in self._content["images"]:
            folder = str(PurePosixPath(image["file_name"]).parent)
            groups[str(image.get("video_id", folder))].append(image)
        for group in groups.values():
            images = sorted(group, key=lambda each: each.get("frame_id", each["file_name"]))
            every = [each for image in images for each in by_image[image["id"]]]
            self._check_tracked(every)
            tracks, notes = _object_ids(every)
            by_frame = {
                index: [_annotation(tracks.get(_track_of(each), 0), each) for each in found]
                for index, image in enumerate(images)
                if (found := by_image[image["id"]]) or "frame_id" in image
            }
            labels = {
                tracks[track]: self._label(each)
                for each in every
                if (track := _track_of(each)) in tracks
            }
            names = tuple(str(image["file_name"]) for image in images)
            name = PurePosixPath(names[0]).parent.name or self._path.stem
            yield CocoVideo(name, names, by_frame, labels, _frame_ids(images), notes)

    def _check_tracked(self, annotations: Iterable[Record]) -> None:
        for each in annotations:
            if _track_of(each) is None and not each.get("iscrowd"):
                raise SourceError(
                    f"{self._path} has annotations without a track_id, expected one in each, to "
                    "identify the object of the video"
                )

    def _label(self, annotation: Record) -> str:
        return self._names.get(annotation.get("category_id"), "")

    def _picture(self, name: str) -> Path:
        for folder in _FOLDERS:
            place = self._path.parent / folder / name
            if place.is_file():
                return place
        raise SourceError(
            f"{self._path} names the picture {name}, which does not exist: expected it at "
            f"{self._path.parent / name} or below images, JPEGImages or frames there"
        )

    @contextmanager
    def _as_coco_has_it(self) -> Iterator[None]:
        """Raise SourceError, in one line, for entries that COCO does not have."""
        try:
            yield
        except (LookupError, TypeError, AttributeError, ValueError, OSError) as error:
            said = " ".join(str(error).split())[:80]
            raise SourceError(
                f"{self._path} has an entry that is not in COCO format ({type(error).__name__}: "
                f"{said}), expected images with id and file_name, annotations with image_id and "
                "segmentation, or videos as YouTube-VIS has them"
            ) from None


def _track_of(annotation: Record) -> Any:
    """The id that identifies an object within a video; None if there is none."""
    places = (annotation, annotation.get("attributes") or {})
    return next((each[key] for each in places for key in _TRACK_KEYS if key in each), None)


def _object_ids(annotations: Iterable[Record]) -> tuple[dict[Any, int], tuple[str, ...]]:
    """Object ids by track, and notes on them.

    Tracks with numbers from 1 on keep them; those from 0 on are increased by one, because 0 is the
    background. Others, for example words, are numbered in order of appearance. Regions without a
    track are ignored and have no id.
    """
    tracks = list(dict.fromkeys(map(_track_of, annotations)))
    tracks = [track for track in tracks if track is not None]
    if len(tracks) > MAX_OBJECT_ID:
        raise ValueError(f"{len(tracks)} objects, expected at most {MAX_OBJECT_ID}")
    if all(type(track) is int and 0 <= track <= MAX_OBJECT_ID for track in tracks):
        shift = int(0 in tracks)
        if max(tracks, default=0) + shift <= MAX_OBJECT_ID:
            notes = ("tracks count from 0: object 1 is track 0, and so on",) if shift else ()
            return {track: track + shift for track in tracks}, notes
    return {track: number for number, track in enumerate(tracks, 1)}, ()


def _frame_ids(images: Sequence[Record]) -> tuple[int, ...]:
    """Frame ids, if all pictures have one that is a whole number from 0 on; otherwise empty."""
    found = [image.get("frame_id") for image in images]
    whole = [each for each in found if type(each) is int and each >= 0]
    return tuple(whole) if len(whole) == len(found) else ()


def _numbered(annotations: Iterable[Record]) -> Iterable[Annotation]:
    return (_annotation(number, each) for number, each in enumerate(annotations, 1))


def _annotation(object_id: int, annotation: Record) -> Annotation:
    segmentation = annotation.get("segmentation")
    number = 0 if annotation.get("iscrowd") else object_id
    if segmentation:
        return Annotation(number, segmentation, None)
    x, y, width, height = map(float, annotation["bbox"])
    box = (x, y, x + width, y + height)
    if not (is_box(box) and width > 0 and height > 0):
        raise ValueError(f"bbox is {annotation['bbox']}")
    return Annotation(number, None, box)
