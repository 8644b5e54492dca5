"""What `--data` may name, and the clips that training gets from it.

    source = open_clips([Path("DAVIS"), Path("photographs"), Path("labelled_bag")])
    clip = source.clip(7, frames=4, size=128)

| a path to | becomes |
|---|---|
| sequences in DAVIS layout, as `etam eval` reads them | crops of its frames |
| a folder with `images/` and `masks/` | photographs under a moving camera |
| a bag with images and a label image | as sequences |
| a packed `.npz` | generated clips of what was packed |
| videos or photographs without masks | generated clips before and of them |
| a folder of folders of these | all of them |
| nothing | generated clips of drawn things |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import SourceError
from etam_ros.synthetic.samples import ClipSource, MixedSource
from etam_ros.training.data.labelled_clips import Image, LabelledClips

if TYPE_CHECKING:
    # Read with PyAV, which a machine that trains from packed data does without.
    from etam_ros.evaluation.image_folders import LabelledImage
    from etam_ros.evaluation.sequences import VideoSequence

_VIDEO_SUFFIXES: Final = (".mp4", ".mov", ".mkv", ".avi", ".webm")
_EXPECTED: Final = (
    "sequences in DAVIS layout, images/ with masks/, a bag with a label image, a packed .npz, "
    "videos or photographs"
)


class SequenceFrames:
    """The annotated frames of a sequence as LabelledFrames.

    Args:
        sequence: video and ground truth.
    """

    def __init__(self, sequence: VideoSequence) -> None:
        from etam_ros.media.sources import images_in

        images = images_in(sequence.frames)
        self._sequence = sequence
        self._annotated = [(index, images[index]) for index in sequence.truths]

    @property
    def name(self) -> str:
        """Of the sequence."""
        return self._sequence.name

    def __len__(self) -> int:
        return len(self._annotated)

    def read(self, index: int) -> tuple[Image, NDArray[np.integer]]:
        """An annotated frame and its ids, the index counting annotated frames alone."""
        from etam_ros.media.sources import read_image

        frame_index, path = self._annotated[index]
        truth = self._sequence.truth(frame_index)
        if truth is None:
            raise SourceError(f"sequence {self.name} has no mask for {path.name}")
        return read_image(path), truth


@dataclass(frozen=True)
class PhotographFrame:
    """A photograph with masks as LabelledFrames of one."""

    photograph: LabelledImage

    @property
    def name(self) -> str:
        """Of its file."""
        return self.photograph.name

    def __len__(self) -> int:
        return 1

    def read(self, index: int) -> tuple[Image, NDArray[np.integer]]:
        """The photograph and its ids."""
        return self.photograph.image(), self.photograph.truth()


def open_clips(paths: Sequence[Path | str]) -> ClipSource:
    """Open everything that training shall use.

    Args:
        paths: each in one of the forms above. Each is drawn equally often.

    Returns:
        a source of clips: a pure function of the seed, as `ClipSource` says.

    Raises:
        SourceError: a path holds nothing of that kind, or its files cannot be read.
    """
    sources = [pair for path in paths for pair in _open(Path(path))] or _drawn()
    return sources[0][0] if len(sources) == 1 else MixedSource(sources)


def _drawn() -> list[tuple[ClipSource, float]]:
    """Clips that need no data: collages of procedural pictures, and scenes."""
    from etam_ros.synthetic.collage import CollageSource
    from etam_ros.synthetic.collage.scene_source import SceneSource

    return [(CollageSource(None), 0.9), (SceneSource(), 0.1)]


def _open(path: Path) -> list[tuple[ClipSource, float]]:
    """One path, or all the folders in it that hold something, with weights that add up to 1."""
    if not path.exists():
        raise SourceError(f"{path} does not exist, expected {_EXPECTED}")
    source = _open_one(path)
    if source is not None:
        return [(source, 1.0)]
    found = [_open_one(child) for child in sorted(path.iterdir())] if path.is_dir() else []
    children = [child for child in found if child is not None]
    if not children:
        raise SourceError(f"{path} holds nothing to train on, expected {_EXPECTED}")
    return [(child, 1 / len(children)) for child in children]


def _open_one(path: Path) -> ClipSource | None:
    """One path, or None where it is nothing that training can use."""
    if path.is_file() and path.suffix.lower() == ".npz":
        return _packed(path)
    from etam_ros.training.data.labelled_bags import is_bag, read_labelled_bag

    if is_bag(path):
        return LabelledClips([read_labelled_bag(path)], str(path))
    if path.is_file():
        return _material(path) if path.suffix.lower() in _VIDEO_SUFFIXES else None
    return _labelled(path) or _unlabelled(path)


def _labelled(folder: Path) -> ClipSource | None:
    from etam_ros.evaluation.image_folders import find_labelled_images, is_image_folder
    from etam_ros.evaluation.sequences import find_sequences

    if is_image_folder(folder):
        photographs = [PhotographFrame(image) for image in find_labelled_images(folder)]
        return LabelledClips(photographs, str(folder))
    try:
        sequences = find_sequences(folder)
    except SourceError:
        return None
    return LabelledClips([SequenceFrames(sequence) for sequence in sequences], str(folder))


def _unlabelled(folder: Path) -> ClipSource | None:
    from etam_ros.media.sources import IMAGE_SUFFIXES

    wanted = (*IMAGE_SUFFIXES, *_VIDEO_SUFFIXES)
    holds = any(path.suffix.lower() in wanted for path in folder.iterdir() if path.is_file())
    return _material(folder) if holds else None


def _packed(path: Path) -> ClipSource:
    from etam_ros.synthetic.collage import CollageSource
    from etam_ros.synthetic.material.archive import read_pack

    return CollageSource(read_pack(path))


def _material(path: Path) -> ClipSource:
    from etam_ros.synthetic.collage import CollageSource
    from etam_ros.synthetic.material.loading import load_material

    return CollageSource(load_material([path]))
