"""Recordings with ground truth as training clips: what may be named, and what comes of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from etam_ros.errors import SourceError
from etam_ros.media.label_png import encode_label_png
from etam_ros.synthetic.material.archive import pack_material
from etam_ros.synthetic.material.loading import load_material
from etam_ros.synthetic.samples import MixedSource, TrainingClip
from etam_ros.training.data.clip_sources import open_clips
from etam_ros.training.data.labelled_clips import LabelledClips

HW = (60, 90)
RED, BLUE = (220, 20, 20), (20, 20, 220)


def scene(index: int) -> tuple[np.ndarray, np.ndarray]:
    """A red square and a blue one on grey; the blue one leaves; (H, W, 3) and ids (H, W)."""
    labels = np.zeros(HW, np.uint8)
    labels[10:30, 5 + 2 * index : 25 + 2 * index] = 1
    if index < 4:
        labels[35:55, 60 - 3 * index : 80 - 3 * index] = 7
    picture = np.full((*HW, 3), 128, np.uint8)
    picture[labels == 1], picture[labels == 7] = RED, BLUE
    labels[:2] = 255  # not judged
    return picture, labels


def write_pictures(images: Path, masks: Path, count: int, annotated: range | None = None) -> Path:
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    for index in range(count):
        picture, labels = scene(index)
        cv2.imwrite(str(images / f"{index:05d}.png"), picture[..., ::-1])
        if annotated is None or index in annotated:
            (masks / f"{index:05d}.png").write_bytes(encode_label_png(labels))
    return images.parent


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    return write_pictures(
        tmp_path / "davis/JPEGImages/480p/cup", tmp_path / "davis/Annotations/480p/cup", 8
    ).parents[1]


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "photos/images", tmp_path / "photos/masks", 3)


def assert_masks_match_pictures(clip: TrainingClip) -> None:
    """Red pixels are one mask, blue ones another, whatever the colours were made to be."""
    frames = len(clip.images)
    assert clip.masks.shape == (len(clip.masks), frames, *clip.images.shape[1:3])
    assert clip.images.dtype == np.uint8
    assert clip.masks.dtype == np.bool_
    assert clip.masks[:, 0].any(axis=(1, 2)).all(), "every object is visible on the first frame"
    assert not (clip.masks.sum(axis=0) > 1).any()
    for mask in clip.masks:
        inner = cv2.erode(mask[0].view(np.uint8), np.ones((5, 5), np.uint8)).view(bool)
        if inner.sum() > 20:
            colours = clip.images[0][inner].astype(float)
            assert colours.std(axis=0).max() < 40, "one colour inside, so not the background"


@pytest.mark.parametrize("kind", ["davis", "photographs"])
def test_clips_are_a_function_of_the_seed(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    source, other = open_clips([folder]), open_clips([folder])
    other.clip(99, frames=2, size=48)  # what was asked for before does not matter
    seen = []
    for seed in range(12):
        clip, again = (each.clip(seed, frames=4, size=64) for each in (source, other))
        np.testing.assert_array_equal(clip.images, again.images)
        np.testing.assert_array_equal(clip.masks, again.masks)
        assert_masks_match_pictures(clip)
        seen.append(clip.images.tobytes())
    assert len(set(seen)) == 12


def test_another_process_makes_the_same_clip(davis: Path) -> None:
    code = (
        "import sys, zlib; from etam_ros.training.data.clip_sources import open_clips;"
        "clip = open_clips([sys.argv[1]]).clip(5, frames=3, size=48);"
        "print(zlib.crc32(clip.images.tobytes()), zlib.crc32(clip.masks.tobytes()))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code, str(davis)], check=True, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1] != ""


def test_masks_of_a_still_camera_follow_the_objects(davis: Path) -> None:
    """Red is where the mask is, over all frames of clips without loss of quality."""
    source = open_clips([davis])
    overlaps = []
    for seed in range(20):
        clip = source.clip(seed, frames=4, size=64)
        red = clip.images[..., 0].astype(int) - clip.images[..., 2] > 60
        if red[0].any():
            best = max(
                np.count_nonzero(red & mask) / np.count_nonzero(red | mask) for mask in clip.masks
            )
            overlaps.append(best)
    assert np.median(overlaps) > 0.9


def test_long_clips_of_short_recordings_go_to_and_fro(davis: Path, photographs: Path) -> None:
    for folder in (davis, photographs):
        assert open_clips([folder]).clip(3, frames=20, size=32).images.shape == (20, 32, 32, 3)


def test_a_photograph_is_a_clip_of_one_frame(photographs: Path) -> None:
    clip = open_clips([photographs]).clip(1, frames=1, size=40)
    assert clip.images.shape == (1, 40, 40, 3)
    assert clip.masks.any()


def test_sparse_annotations_give_annotated_frames_alone(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "cup/frames", tmp_path / "cup/masks", 8, range(0, 8, 3))
    clip = open_clips([folder]).clip(0, frames=3, size=32)
    assert clip.masks[:, 0].any(axis=(1, 2)).all()


def test_tiny_objects_are_gone_close_to(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    labels = np.zeros((300, 400), np.uint8)
    labels[200, 300] = 5
    cv2.imwrite(str(tmp_path / "images/a.jpg"), np.zeros((300, 400, 3), np.uint8))
    (tmp_path / "masks/a.png").write_bytes(encode_label_png(labels))
    source = open_clips([tmp_path])
    assert all(source.clip(seed, frames=2, size=32).masks[0, 0].any() for seed in range(5))


def length_one(folder: Path, name: str, colour: tuple[int, int, int]) -> Path:
    """A folder of one photograph, all of it one object of one colour."""
    for kind in ("images", "masks"):
        (folder / name / kind).mkdir(parents=True)
    cv2.imwrite(str(folder / name / "images/a.png"), np.full((*HW, 3), colour[::-1], np.uint8))
    mask = encode_label_png(np.ones(HW, np.uint8))
    (folder / name / "masks/a.png").write_bytes(mask)
    return folder / name


def test_all_paths_are_drawn_from_however_deep(tmp_path: Path) -> None:
    """Folders in a folder count as one path, also where the data are part of another mix."""
    for name, colour in (("a", RED), ("b", (20, 220, 20))):
        length_one(tmp_path / "parent", name, colour)
    lone = length_one(tmp_path, "lone", BLUE)
    data = open_clips([tmp_path / "parent", lone])
    for source in (data, MixedSource([(data, 1.0), (data, 1.0)])):
        strongest = [
            int(source.clip(seed, frames=1, size=24).images[0, 12, 12].argmax())
            for seed in range(120)
        ]
        counts = np.bincount(strongest, minlength=3)
        assert counts[2] > 40, "half of the clips are blue"
        assert counts[0] > 12
        assert counts[1] > 12


def write_video(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = HW[1], HW[0], "yuv420p"
        for index in range(6):
            frame = av.VideoFrame.from_ndarray(scene(index)[0], format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def packed(tmp_path: Path, photographs: Path) -> Path:
    pack_material(load_material([photographs]), tmp_path / "material.npz", max_bytes=2**20)
    return tmp_path / "material.npz"


@pytest.mark.parametrize(
    "make",
    [
        packed,
        lambda tmp_path, photographs: photographs / "images",
        lambda tmp_path, photographs: write_video(tmp_path / "clip.mp4"),
    ],
    ids=["packed", "photographs alone", "a video"],
)
def test_what_has_no_masks_becomes_generated_clips(
    tmp_path: Path, photographs: Path, make
) -> None:
    clip = open_clips([make(tmp_path, photographs)]).clip(4, frames=2, size=48)
    assert clip.images.shape == (2, 48, 48, 3)
    assert clip.masks[:, 0].any(axis=(1, 2)).all()


def empty(folder: Path) -> Path:
    return folder


def without_objects(folder: Path) -> Path:
    (folder / "images").mkdir()
    (folder / "masks").mkdir()
    cv2.imwrite(str(folder / "images/a.jpg"), np.zeros((30, 40, 3), np.uint8))
    (folder / "masks/a.png").write_bytes(encode_label_png(np.full((30, 40), 255, np.uint8)))
    return folder


def without_masks(folder: Path) -> Path:
    without_objects(folder)
    (folder / "masks/a.png").unlink()
    return folder


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder / "nowhere", "does not exist, expected sequences in DAVIS layout"),
        (empty, "holds nothing to train on"),
        (without_objects, "shows no object in any of its masks"),
        (without_masks, "has no masks for its images"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, make, words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        open_clips([make(tmp_path)])
    assert "\n" not in str(caught.value)


def test_a_mask_of_another_size_is_named(photographs: Path) -> None:
    for index in range(3):
        mask = photographs / "masks" / f"{index:05d}.png"
        mask.write_bytes(encode_label_png(np.ones((10, 10), np.uint8)))
    with pytest.raises(SourceError, match="the mask is 10x10, its picture 90x60"):
        open_clips([photographs]).clip(0, frames=1, size=32)


def test_where_nothing_is_named_clips_are_drawn() -> None:
    clip = open_clips([]).clip(3, frames=2, size=32)
    assert clip.images.shape == (2, 32, 32, 3)
    assert clip.masks.any()


def test_what_is_kept_in_memory_is_bounded(davis: Path, monkeypatch) -> None:
    monkeypatch.setattr("etam_ros.training.data.labelled_clips._CACHE_BYTES", 60_000)
    source = open_clips([davis])
    assert isinstance(source, LabelledClips)
    first = source.clip(0, frames=4, size=32).images
    for seed in range(5):
        source.clip(seed, frames=8, size=32)
    assert source._bytes <= 60_000
    np.testing.assert_array_equal(source.clip(0, frames=4, size=32).images, first)


def test_training_imports_no_more_than_it_needs() -> None:
    code = (
        "import sys; from etam_ros.training.data import clip_sources, labelled_bags;"
        "print(sorted({'av', 'typer', 'rich', 'rosbags', 'matplotlib', 'safetensors'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
