"""What a source of an evaluation is: videos with ground truth, or photographs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from etam_ros.config import BagConfig
from etam_ros.errors import SourceError
from etam_ros.evaluation.image_folders import (
    LabelledPhotograph,
    find_labelled_images,
    is_image_folder,
)
from etam_ros.evaluation.sequences import find_sequences
from etam_ros.evaluation.truth.bags import labelled_bag
from etam_ros.evaluation.truth.boxes import BoxTable
from etam_ros.evaluation.truth.coco import CocoFile
from etam_ros.evaluation.truth.coco_truths import CocoTruths
from etam_ros.evaluation.truth.videos import LabelledVideo, MaskFiles, Truths, video_of
from etam_ros.media.files import is_bag, read_json
from etam_ros.media.sources import images_in, open_source

_EXPECTED = (
    "sequences (frames with masks, or JPEGImages with Annotations), photographs (images with "
    "masks), a COCO-style JSON file, a bag with label images, or frames with --truth"
)


def open_photographs(source: str, truth: str) -> list[LabelledPhotograph] | None:
    """Photographs with masks of a source; None where it is something else.

    Raises:
        SourceError: they cannot be read.
    """
    path = Path(source)
    if truth:
        return None
    if is_image_folder(path):
        return list(find_labelled_images(path))
    if path.suffix.lower() == ".json" and path.is_file():
        file = CocoFile(path)
        return None if file.is_of_videos else list(file.photographs())
    return None


def open_videos(
    source: str, truth: str = "", bags: BagConfig | None = None
) -> list[LabelledVideo]:
    """Videos with ground truth of a source.

    Args:
        source: a folder of sequences, a COCO-style file, or frames alone.
        truth: of frames alone: a folder of masks, a CSV file of boxes, a COCO-style file; of a
            bag, also a topic of label images, and of a folder of bags that alone.
        bags: how bags are read.

    Raises:
        SourceError: there are none, or they cannot be read; the message says what was expected.
    """
    path, bags = Path(source), bags or BagConfig()
    elsewhere = bool(truth) and Path(truth).exists()
    if is_bag(path) and not elsewhere:
        return [labelled_bag(path, truth, bags.topic, bags.recover)]
    inside = sorted(path.iterdir()) if path.is_dir() and not elsewhere else []
    if found := [each for each in inside if is_bag(each)]:
        return [labelled_bag(each, truth, bags.topic, bags.recover) for each in found]
    if truth:
        return [_with_truth(source, Path(truth), bags)]
    if not path.exists():
        raise SourceError(f"{path} does not exist, expected {_EXPECTED}")
    if path.suffix.lower() == ".json":
        return CocoFile(path).videos()
    if path.is_dir():
        names = _object_names(path)
        return [video_of(each, names.get(each.name, {})) for each in find_sequences(path)]
    raise SourceError(f"{path} is frames without ground truth, expected {_EXPECTED}")


def _with_truth(source: str, truth: Path, bags: BagConfig) -> LabelledVideo:
    """Frames whose truth lies elsewhere."""
    if not truth.exists():
        raise SourceError(
            f"--truth {truth} does not exist, expected a folder of masks, a CSV file of boxes, or "
            "a COCO-style JSON file"
        )
    with open_source(source, topic=bags.topic, recover=bags.recover) as opened:
        if opened.live:
            raise SourceError(f"{source} is a camera, expected a recording, which can be repeated")
    name = Path(source).resolve().stem
    names: Mapping[int, str] = {}
    truths: Truths
    if truth.is_dir():
        masks = sorted(truth.glob("*.png"))
        index_of = _frames_named(Path(source), [mask.name for mask in masks], truth)
        truths = MaskFiles({index_of[mask.name]: mask for mask in masks if mask.name in index_of})
    elif truth.suffix.lower() == ".json":
        truths, names = _coco_of(Path(source), truth)
    else:
        table = BoxTable(truth)
        truths, names = table, table.object_names
    return LabelledVideo(name, source, truths, names, bags.topic, bags.recover)


def _coco_of(source: Path, truth: Path) -> tuple[Truths, Mapping[int, str]]:
    """What a COCO-style file says of frames that need not lie beside it; names of objects."""
    videos = CocoFile(truth).listed_videos()
    if len(videos) != 1:
        raise SourceError(
            f"--truth {truth} is of {len(videos)} videos, expected one: give the file itself as "
            "SOURCE"
        )
    pictures = videos[0].pictures
    index_of = _frames_named(source, pictures, truth)
    annotations = {
        index_of[pictures[place]]: found
        for place, found in videos[0].annotations.items()
        if pictures[place] in index_of
    }
    return CocoTruths(truth, annotations), videos[0].object_names


def _frames_named(source: Path, names: Sequence[str], truth: Path) -> dict[str, int]:
    """Index of the frame to which each name belongs; those that belong to none are left out.

    Of a folder the picture of the same name; of a video or a bag the number at the name's end.

    Raises:
        SourceError: no name belongs to a frame, or two belong to the same.
    """
    stems = {name: PurePosixPath(name).stem for name in names}
    if source.is_dir() and not is_bag(source):
        index_of = {image.stem: index for index, image in enumerate(images_in(source))}
        found = {name: index_of[stem] for name, stem in stems.items() if stem in index_of}
    else:
        numbers = {name: re.search("[0-9]+$", stem) for name, stem in stems.items()}
        found = {name: int(number[0]) for name, number in numbers.items() if number}
    if not found:
        raise SourceError(
            f"--truth {truth} holds nothing for a frame of {source}, expected names as those of "
            "its pictures, or 00000.png and so on by number of the frame"
        )
    if len(set(found.values())) < len(found):
        raise SourceError(
            f"--truth {truth} has two names for the same frame of {source}, expected one for each"
        )
    return found


def _object_names(folder: Path) -> dict[str, dict[int, str]]:
    """What the objects of each sequence are called, where a meta.json of YouTube-VOS says so."""
    try:
        content = read_json(folder / "meta.json")
        return {
            str(name): {
                int(number): str(each.get("category", ""))
                for number, each in video.get("objects", {}).items()
            }
            for name, video in content["videos"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # names are for people; a file that lacks them is no reason to stop
