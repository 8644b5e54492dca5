"""Videos with separate ground truth (`--truth`), and how it is matched to frames."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from etam_ros.config import BagConfig
from etam_ros.errors import SourceError
from etam_ros.evaluation.truth.boxes import BoxTable
from etam_ros.evaluation.truth.coco import CocoFile, CocoVideo
from etam_ros.evaluation.truth.coco_truths import CocoTruths
from etam_ros.evaluation.truth.numbering import first_number
from etam_ros.evaluation.truth.videos import LabelledVideo, MaskFiles, Truths
from etam_ros.media.files import is_bag
from etam_ros.media.sources import images_in, open_source


@dataclass(frozen=True)
class _Found:
    """Ground truth, and how its frames are numbered.

    Attributes:
        truths: by number of the frame.
        counted: numbers of all listed frames; empty if pictures are identified by name, or frames
            by stamp.
        object_names, notes: as in LabelledVideo.
    """

    truths: Truths
    counted: Collection[int] = ()
    object_names: Mapping[int, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def video_with_truth(
    source: str, truth: Path, bags: BagConfig, *, truth_from: str
) -> LabelledVideo:
    """A video whose truth is separate from its frames.

    Args:
        source: a video, a folder of pictures or a bag.
        truth: a folder of masks, a CSV file of boxes, or a COCO-style file.
        bags: how bags are read.
        truth_from: the number of the first frame in `truth`, one of FIRST_NUMBERS.

    Raises:
        SourceError: it cannot be read, or belongs to other frames.
    """
    if not truth.exists():
        raise SourceError(
            f"--truth {truth} does not exist, expected a folder of masks, a CSV file of boxes, or "
            "a COCO-style JSON file"
        )
    with open_source(source, topic=bags.topic, recover=bags.recover) as opened:
        if opened.live:
            raise SourceError(f"{source} is a camera, expected a recording")
        frames = opened.frame_count
    path = Path(source)
    if truth.is_dir():
        found = _masks(path, truth)
    elif truth.suffix.lower() == ".json":
        found = _coco(path, truth)
    else:
        table = BoxTable(truth)
        found = _Found(table, table.numbers, table.object_names)
    first, notes = 0, list(found.notes)
    if found.counted:
        first, said = first_number(found.counted, frames, truth_from, f"--truth {truth.name}")
        notes += said
    return LabelledVideo(
        path.resolve().stem, source, found.truths, found.object_names, bags.topic, bags.recover,
        first, notes,
    )  # fmt: skip


def _masks(source: Path, truth: Path) -> _Found:
    masks = {mask.name: mask for mask in sorted(truth.glob("*.png"))}
    frame_of = _frames_named(source, list(masks), truth)
    truths = MaskFiles({number: masks[name] for name, number in frame_of.items()})
    return _Found(truths, () if _has_names(source) else list(frame_of.values()))


def _coco(source: Path, truth: Path) -> _Found:
    """Ground truth from a COCO-style file, for frames in any place."""
    videos = CocoFile(truth).listed_videos()
    if len(videos) != 1:
        raise SourceError(
            f"--truth {truth} describes {len(videos)} videos, expected one: give the file "
            "itself as SOURCE"
        )
    video, named = videos[0], _has_names(source)
    frame_of = {} if named else _frames_by_id(video)
    frame_of = frame_of or _frames_named(source, video.pictures, truth)
    annotations = {
        frame_of[video.pictures[place]]: found
        for place, found in video.annotations.items()
        if video.pictures[place] in frame_of
    }
    counted = () if named else list(frame_of.values())
    return _Found(CocoTruths(truth, annotations), counted, video.object_names, video.notes)


def _frames_by_id(video: CocoVideo) -> dict[str, int]:
    """Frame of each picture by the file's `frame_id`; empty if names are more reliable.

    Every picture must have one. If names end with numbers, too, and these do not differ from the
    ids by a constant, pictures were left out before the ids were assigned, and only the names
    have the original numbers.
    """
    if len(set(video.frame_ids)) < len(video.pictures):
        return {}
    frame_of = dict(zip(video.pictures, video.frame_ids, strict=True))
    by_name = _numbers_at_end(video.pictures)
    apart = {by_name[name] - frame_of[name] for name in by_name}
    return frame_of if len(by_name) < len(frame_of) or len(apart) == 1 else {}


def _has_names(source: Path) -> bool:
    """Whether its frames are files, which a truth can identify by name."""
    return source.is_dir() and not is_bag(source)


def _numbers_at_end(names: Sequence[str]) -> dict[str, int]:
    """The number at the end of each name that has one."""
    found = {name: re.search("[0-9]+$", PurePosixPath(name).stem) for name in names}
    return {name: int(number[0]) for name, number in found.items() if number}


def _frames_named(source: Path, names: Sequence[str], truth: Path) -> dict[str, int]:
    """The frame of each name; names without a frame are left out.

    In a folder, it is the picture of the same name; in a video or bag, the number that ends the
    name.

    Raises:
        SourceError: no name belongs to a frame, or two belong to the same one.
    """
    if _has_names(source):
        index_of = {image.stem: index for index, image in enumerate(images_in(source))}
        stems = {name: PurePosixPath(name).stem for name in names}
        found = {name: index_of[stem] for name, stem in stems.items() if stem in index_of}
    else:
        found = _numbers_at_end(names)
    if not found:
        raise SourceError(
            f"--truth {truth} holds nothing for any frame of {source}, expected the names of "
            "its pictures, or numbers of frames such as 00000.png"
        )
    if len(set(found.values())) < len(found):
        raise SourceError(
            f"--truth {truth} has two names for the same frame of {source}, expected one for each"
        )
    return found
