"""What a source of an evaluation is: videos with ground truth, or photographs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

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
            bag, also a topic of label images.
        bags: how bags are read.

    Raises:
        SourceError: there are none, or they cannot be read; the message says what was expected.
    """
    path, bags = Path(source), bags or BagConfig()
    if is_bag(path) and not (truth and Path(truth).exists()):
        return [labelled_bag(path, truth, bags.topic, bags.recover)]
    if truth:
        return [_with_truth(source, Path(truth), bags)]
    if not path.exists():
        raise SourceError(f"{path} does not exist, expected {_EXPECTED}")
    if path.suffix.lower() == ".json":
        return CocoFile(path).videos()
    if path.is_dir():
        if found := [each for each in sorted(path.iterdir()) if is_bag(each)]:
            return [labelled_bag(each, truth, bags.topic, bags.recover) for each in found]
        names = _object_names(path)
        return [video_of(each, names.get(each.name, {})) for each in find_sequences(path)]
    raise SourceError(f"{path} is frames without ground truth, expected {_EXPECTED}")


def _with_truth(source: str, truth: Path, bags: BagConfig) -> LabelledVideo:
    """Frames whose truth lies elsewhere."""
    with open_source(source, topic=bags.topic, recover=bags.recover) as opened:
        if opened.live:
            raise SourceError(f"{source} is a camera, expected a recording, which can be repeated")
    name = Path(source).resolve().stem
    if not truth.exists():
        raise SourceError(
            f"--truth {truth} does not exist, expected a folder of masks, a CSV file of boxes, or "
            "a COCO-style JSON file"
        )
    names: Mapping[int, str] = {}
    truths: Truths
    if truth.is_dir():
        truths = MaskFiles(_masks_by_index(Path(source), truth))
    elif truth.suffix.lower() == ".json":
        videos = CocoFile(truth).videos()
        if len(videos) != 1:
            raise SourceError(
                f"--truth {truth} is of {len(videos)} videos, expected one: give the file itself "
                "as SOURCE"
            )
        truths, names = videos[0].truths, videos[0].object_names
    else:
        table = BoxTable(truth)
        truths, names = table, table.object_names
    return LabelledVideo(name, source, truths, names, bags.topic, bags.recover)


def _masks_by_index(source: Path, folder: Path) -> dict[int, Path]:
    """Masks by frame index: of the same name as a picture, else by their number from 0."""
    masks = sorted(folder.glob("*.png"))
    if source.is_dir():
        index_of = {image.stem: index for index, image in enumerate(images_in(source))}
        found = {index_of[mask.stem]: mask for mask in masks if mask.stem in index_of}
    else:
        found = {int(mask.stem): mask for mask in masks if re.fullmatch("[0-9]+", mask.stem)}
    if not found:
        raise SourceError(
            f"--truth {folder} holds no mask for a frame of {source}, expected PNGs named as its "
            "pictures, or 00000.png and so on by number of the frame"
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
