"""The kinds of data that `--data` accepts, and the clips made from them.

    source = open_clips([Path("DAVIS"), Path("photographs"), Path("labelled_bag")])
    clip = source.clip(7, frames=4, size=128)

| a path to | becomes |
|---|---|
| sequences in DAVIS layout, as `etam eval` reads them | crops of their frames |
| a folder with `images/` and `masks/` | photographs under a moving camera |
| a bag with images and label images | the same as sequences |
| a packed `.npz` | generated clips of its material |
| videos or photographs without masks | generated clips that use them as background and material |
| a folder of folders of these | all of them |
| nothing | generated clips of drawn things |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import SourceError
from etam_ros.media.files import is_bag
from etam_ros.synthetic.samples import ClipSource, MixedSource
from etam_ros.training.data.labelled_clips import Image, LabelledClips
from etam_ros.training.named_paths import DATA, check_data

TURNING: Final = 0.3
"""Share of generated clips in which the camera turns steadily, like that of a robot."""
_VIDEO_SUFFIXES: Final = (".mp4", ".mov", ".mkv", ".avi", ".webm")


@dataclass(frozen=True)
class _BagReading:
    """How bags are read; see `open_clips`."""

    recover: bool
    on_note: Callable[[str], None]


@dataclass(frozen=True)
class FrameFiles:
    """LabelledFrames from files, a mask for each picture: those of a video, or one photograph."""

    name: str
    files: tuple[tuple[Path, Path], ...]

    def __len__(self) -> int:
        return len(self.files)

    def read(self, index: int) -> tuple[Image, NDArray[np.integer]]:
        """A picture and its object ids."""
        from etam_ros.evaluation.sequences import read_truth
        from etam_ros.media.sources import read_image

        image, mask = self.files[index]
        return read_image(image), read_truth(mask)


def open_clips(
    paths: Sequence[Path | str],
    *,
    recover: bool = False,
    on_note: Callable[[str], None] = lambda _: None,
) -> ClipSource:
    """Open all training data.

    Args:
        paths: each in one of the forms above; clips are drawn from all equally often.
        recover: read damaged bags as far as possible.
        on_note: called with a message about anything unusual in a bag.

    Returns:
        a source of clips: a pure function of the seed, as `ClipSource` says.

    Raises:
        SourceError: a path contains no usable data, or its files cannot be read.
    """
    how = _BagReading(recover, on_note)
    sources = [pair for path in paths for pair in _open(check_data(str(path)), how)] or _drawn()
    return sources[0][0] if len(sources) == 1 else MixedSource(sources)


def _drawn() -> list[tuple[ClipSource, float]]:
    """Clips without any data: collages of procedural pictures, and rendered scenes."""
    from etam_ros.synthetic.collage import CollageSource
    from etam_ros.synthetic.collage.scene_source import SceneSource

    return [(CollageSource(None, turning=TURNING), 0.9), (SceneSource(), 0.1)]


def _open(path: Path, bags: _BagReading) -> list[tuple[ClipSource, float]]:
    """One path, or all usable folders in it, with weights that add up to 1."""
    source = _open_one(path, bags)
    if source is not None:
        return [(source, 1.0)]
    found = [_open_one(child, bags) for child in sorted(path.iterdir())] if path.is_dir() else []
    children = [child for child in found if child is not None]
    if not children:
        raise SourceError(f"{path} holds nothing to train on, expected {DATA}")
    return [(child, 1 / len(children)) for child in children]


def _open_one(path: Path, bags: _BagReading) -> ClipSource | None:
    """One path, or None if training cannot use it."""
    if path.is_file() and path.suffix.lower() == ".npz":
        return _packed(path)
    if is_bag(path):
        from etam_ros.training.data.labelled_bags import read_labelled_bag

        frames = read_labelled_bag(path, recover=bags.recover, on_note=bags.on_note)
        return LabelledClips([frames], str(path))
    if path.is_file():
        return _material(path) if path.suffix.lower() in _VIDEO_SUFFIXES else None
    return _labelled(path) or _unlabelled(path)


def _labelled(folder: Path) -> ClipSource | None:
    from etam_ros.evaluation.image_folders import find_labelled_images, is_image_folder
    from etam_ros.evaluation.sequences import find_sequences
    from etam_ros.media.sources import images_in

    if is_image_folder(folder):
        photographs = find_labelled_images(folder)
        found = [
            FrameFiles(each.name, ((each.image_path, each.mask_path),)) for each in photographs
        ]
        return LabelledClips(found, str(folder))
    try:
        sequences = find_sequences(folder)
    except SourceError:
        return None
    found = []
    for sequence in sequences:
        images = images_in(sequence.frames)
        files = tuple((images[index], mask) for index, mask in sequence.truths.items())
        found.append(FrameFiles(sequence.name, files))
    return LabelledClips(found, str(folder))


def _unlabelled(folder: Path) -> ClipSource | None:
    from etam_ros.media.sources import IMAGE_SUFFIXES

    wanted = (*IMAGE_SUFFIXES, *_VIDEO_SUFFIXES)
    holds = any(path.suffix.lower() in wanted for path in folder.iterdir() if path.is_file())
    return _material(folder) if holds else None


def _packed(path: Path) -> ClipSource:
    from etam_ros.synthetic.collage import CollageSource
    from etam_ros.synthetic.material.archive import read_pack

    return CollageSource(read_pack(path), turning=TURNING)


def _material(path: Path) -> ClipSource:
    from etam_ros.synthetic.collage import CollageSource
    from etam_ros.synthetic.material.loading import load_material

    return CollageSource(load_material([path]), turning=TURNING)
