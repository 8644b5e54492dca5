"""Pictures, points and masks on their way to the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from etam_ros.transforms import (
    IMAGE_MEAN,
    IMAGE_STD,
    image_to_tensor,
    logits_to_source,
    mask_to_network,
    one_thread,
    points_to_network,
)

CPU = torch.device("cpu")


def test_a_picture_of_the_right_size_is_only_normalised() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    tensor = image_to_tensor(image, 32, CPU)
    expected = (image / 255.0 - IMAGE_MEAN) / IMAGE_STD
    assert tensor.shape == (1, 3, 32, 32)
    assert np.allclose(tensor[0].permute(1, 2, 0).numpy(), expected, atol=1e-5)


def test_resizing_is_bilinear_with_antialiasing() -> None:
    image = np.random.default_rng(1).integers(0, 256, (90, 160, 3), np.uint8)
    tensor = image_to_tensor(image, 32, CPU)
    expected = functional.interpolate(
        torch.from_numpy(image).permute(2, 0, 1)[None].float(),
        size=(32, 32),
        mode="bilinear",
        antialias=True,
    )
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGE_MEAN, IMAGE_STD))
    assert ((tensor * std + mean) * 255 - expected).abs().max() <= 1.0


def test_a_view_with_gaps_is_read_right() -> None:
    wide = np.random.default_rng(2).integers(0, 256, (20, 40, 3), np.uint8)
    view = wide[:, 3:23, ::-1]
    assert torch.equal(image_to_tensor(view, 16, CPU), image_to_tensor(view.copy(), 16, CPU))


@given(x=st.floats(-0.5, 639), y=st.floats(-0.5, 479))
def test_points_scale_with_the_frame(x: float, y: float) -> None:
    ((u, v),) = points_to_network([(x, y)], (480, 640), 512)
    assert (u, v) == pytest.approx((x * 512 / 640, y * 512 / 480))


def test_masks_keep_half_covered_cells() -> None:
    mask = np.zeros((64, 64), bool)
    mask[:, :33] = True
    small = mask_to_network(mask, 32, CPU)[0, 0]
    assert set(small.unique().tolist()) <= {0.0, 1.0}
    assert small[:, :16].all()
    assert not small[:, 18:].any()
    assert torch.equal(mask_to_network(mask, 64, CPU)[0, 0].bool(), torch.from_numpy(mask))


def test_logits_go_directly_to_the_source_size() -> None:
    logits = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    expected = functional.interpolate(logits[None, None], size=(30, 50), mode="bilinear")
    out = np.empty((30, 50), np.float32)
    logits_to_source(logits, out)
    assert np.allclose(out, expected[0, 0].numpy(), atol=1e-4)
    out = np.empty((8, 8), np.float32)
    logits_to_source(logits, out)
    assert np.array_equal(out, logits.numpy())


def test_small_operations_leave_the_number_of_threads_as_it_was() -> None:
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
