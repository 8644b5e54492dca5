"""What a GPU draws and loads, by the same operations on the CPU, against what the host does."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from etam_ros import TrackerConfig
from etam_ros.tracking import cuda_postprocessor
from etam_ros.tracking.cuda_postprocessor import CudaPostprocessor
from etam_ros.tracking.masks.measures import measure
from etam_ros.tracking.publishing import CpuPostprocessor, Drawing, Postprocessor
from etam_ros.transforms import IMAGE_STD

CPU = torch.device("cpu")
SIDE = 16
ON_HOST = CpuPostprocessor(32)
ON_DEVICE = CudaPostprocessor(32, CPU)


def smooth_logits(seed: int, objects: int) -> list[torch.Tensor]:
    """Blobs of about half the picture; some of them are hidden."""
    generator = torch.Generator().manual_seed(seed)
    coarse = 5 * torch.randn(objects, 1, 4, 4, generator=generator)
    logits = functional.interpolate(coarse, size=(SIDE, SIDE), mode="bicubic")
    hidden = torch.rand(objects, generator=generator) < 0.2
    return list(logits.masked_fill(hidden[:, None, None, None], -1024.0).split(1))


def draw(
    pixels: Postprocessor, logits: list[torch.Tensor], hw: tuple[int, int], config: TrackerConfig
) -> Drawing:
    ids = [65535 - 7 * row for row in range(len(logits))]
    scores = [torch.tensor([row - 0.5, 0.1 * row]) for row in range(len(logits))]
    return pixels.draw(ids, logits, scores, hw, config)()


def undecided(logits: list[torch.Tensor], hw: tuple[int, int], threshold: float) -> np.ndarray:
    """(H, W) where rounding decides: at the threshold, or between the two highest logits."""
    at_source = functional.interpolate(torch.cat(logits), size=hw, mode="bilinear")[:, 0]
    levels = torch.cat((at_source, torch.full((1, *hw), threshold)))
    highest = levels.topk(2, dim=0).values
    close = (highest[0] - highest[1] < 1e-3) | ((at_source - threshold).abs() < 1e-3).any(dim=0)
    return close.numpy()


def pasted(mask, hw: tuple[int, int]) -> np.ndarray:
    whole = np.zeros(hw, bool)
    x0, y0, x1, y1 = mask.box
    whole[y0:y1, x0:x1] = mask.mask
    return whole


@pytest.mark.parametrize("chunk", [1, 2000, 2**24])
@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    objects=st.integers(1, 5),
    hw=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    overlap=st.sampled_from(["settle", "keep"]),
    threshold=st.sampled_from([0.0, -1.5, 2.0]),
)
def test_drawings_agree_where_rounding_does_not_decide(
    chunk: int, seed: int, objects: int, hw: tuple[int, int], overlap: str, threshold: float
) -> None:
    config = TrackerConfig(overlap=overlap, mask_threshold=threshold)
    logits = smooth_logits(seed, objects)
    expected = draw(ON_HOST, logits, hw, config)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda_postprocessor, "LARGEST_CHUNK", chunk)
        drawing = draw(ON_DEVICE, logits, hw, config)
    clear = ~undecided(logits, hw, threshold)
    assert drawing.label_image.dtype == np.uint16
    assert np.array_equal(drawing.label_image[clear], expected.label_image[clear])
    assert drawing.scores == expected.scores
    for mask, other in zip(drawing.masks, expected.masks, strict=True):
        whole = pasted(mask, hw)
        assert np.array_equal(whole[clear], pasted(other, hw)[clear])
        again = measure(whole)
        assert (mask.area, mask.box) == (again.area, again.box)
        assert mask.centroid == pytest.approx(again.centroid, nan_ok=True)
        assert mask.mask.dtype == np.bool_


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), overlap=st.sampled_from(["settle", "keep"]))
def test_without_a_resize_drawings_are_equal(seed: int, overlap: str) -> None:
    config = TrackerConfig(overlap=overlap)
    logits = smooth_logits(seed, 4)
    expected, drawing = (draw(p, logits, (SIDE, SIDE), config) for p in (ON_HOST, ON_DEVICE))
    assert np.array_equal(drawing.label_image, expected.label_image)
    for mask, other in zip(drawing.masks, expected.masks, strict=True):
        assert (mask.area, mask.box) == (other.area, other.box)
        assert mask.centroid == pytest.approx(other.centroid, nan_ok=True)
        assert np.array_equal(mask.mask, other.mask)


def test_of_equal_logits_the_earlier_object_wins() -> None:
    logits = [torch.full((1, 1, SIDE, SIDE), 2.0)] * 3
    for pixels in (ON_HOST, ON_DEVICE):
        drawing = draw(pixels, logits, (20, 30), TrackerConfig())
        assert (drawing.label_image == 65535).all()
        assert [mask.area for mask in drawing.masks] == [600, 0, 0]
        assert math.isnan(drawing.masks[1].centroid[0])


def test_a_frame_without_objects_is_blank() -> None:
    drawing = draw(ON_DEVICE, [], (20, 30), TrackerConfig())
    assert drawing.label_image.shape == (20, 30)
    assert not drawing.label_image.any()
    assert (drawing.masks, drawing.scores) == ([], [])


@pytest.mark.parametrize("overlap", ["settle", "keep"])
def test_a_drawing_outlives_the_next(overlap: str) -> None:
    config = TrackerConfig(overlap=overlap)
    logits = smooth_logits(3, 2)
    drawing = draw(ON_DEVICE, logits, (40, 50), config)
    label_image, mask = drawing.label_image.copy(), drawing.masks[0].mask.copy()
    draw(ON_DEVICE, smooth_logits(4, 2), (40, 50), config)
    assert np.array_equal(drawing.label_image, label_image)
    assert np.array_equal(drawing.masks[0].mask, mask)


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    hw=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    contrast=st.sampled_from([1, 40, 256]),
)
def test_pictures_are_loaded_the_same_to_the_rounding_of_bytes(
    seed: int, hw: tuple[int, int], contrast: int
) -> None:
    """The host rounds twice, once for each direction, with weights of 16 bits."""
    image = np.random.default_rng(seed).integers(0, contrast, (*hw, 3), np.uint8)
    difference = (ON_DEVICE.load(image) - ON_HOST.load(image)).abs()  # (1, 3, S, S)
    assert (difference * torch.tensor(IMAGE_STD).view(1, 3, 1, 1)).max() * 255 <= 1.1


def test_a_picture_of_the_right_size_is_loaded_the_same() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    assert torch.equal(ON_DEVICE.load(image[:, ::-1]), ON_HOST.load(image[:, ::-1]))
