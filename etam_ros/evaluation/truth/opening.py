"""Opening the sources of an evaluation: videos with ground truth, or photographs."""

from __future__ import annotations

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
from etam_ros.evaluation.truth.coco import CocoFile
from etam_ros.evaluation.truth.elsewhere import video_with_truth
from etam_ros.evaluation.truth.numbering import AUTO
from etam_ros.evaluation.truth.videos import LabelledVideo, video_of
from etam_ros.media.files import is_bag, read_json

_EXPECTED = (
    "sequences (frames with masks, or JPEGImages with Annotations), photographs (images with "
    "masks), a COCO-style JSON file, a bag with label images, or frames with --truth"
)


def open_photographs(source: str, truth: str) -> list[LabelledPhotograph] | None:
    """Photographs with masks of a source; None if it is something else.

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


def check_exists(path: Path) -> None:
    """Raise SourceError if a source does not exist."""
    if not path.exists():
        raise SourceError(f"{path} does not exist, expected {_EXPECTED}")


def open_videos(
    source: str, truth: str = "", bags: BagConfig | None = None, *, truth_from: str = AUTO
) -> list[LabelledVideo]:
    """Videos with ground truth of a source.

    Args:
        source: a folder of sequences, a COCO-style file, or only frames.
        truth: for frames: a folder of masks, a CSV file of boxes, or a COCO-style file; for a
            bag, also a topic of label images; for a folder of bags, only the latter.
        bags: how bags are read.
        truth_from: the number of the first frame in `truth`, one of FIRST_NUMBERS.

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
        return [video_with_truth(source, Path(truth), bags, truth_from=truth_from)]
    check_exists(path)
    if path.suffix.lower() == ".json":
        return CocoFile(path).videos()
    if path.is_dir():
        names = _object_names(path)
        return [video_of(each, names.get(each.name, {})) for each in find_sequences(path)]
    raise SourceError(f"{path} holds frames without ground truth, expected {_EXPECTED}")


def _object_names(folder: Path) -> dict[str, dict[int, str]]:
    """Names of the objects of each sequence, if there is a meta.json of YouTube-VOS."""
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
        return {}  # names are only for display, so a damaged file is no reason to stop
