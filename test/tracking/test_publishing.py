"""Measures of masks against independent ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.nn import functional

from etam_ros import TrackerConfig
from etam_ros.tracking.masks.measures import measure
from etam_ros.tracking.publishing import Canvas

masks = arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40)))


@given(mask=masks)
def test_measures_agree_with_the_definition(mask: np.ndarray) -> None:
    measured = measure(mask)
    ys, xs = np.nonzero(mask)
    assert measured.area == len(xs)
    if not len(xs):
        assert measured.box == (0, 0, 0, 0)
        assert math.isnan(measured.centroid[0])
        return
    x0, y0, x1, y1 = measured.box
    assert (x0, y0, x1, y1) == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    assert measured.centroid == pytest.approx((xs.mean(), ys.mean()))
    assert np.array_equal(measured.mask, mask[y0:y1, x0:x1])


def test_masks_are_the_thresholded_bilinear_logits() -> None:
    logits = torch.randn(16, 16, generator=torch.Generator().manual_seed(0))
    label_image, (measured,) = Canvas().publish([9], [logits], (37, 53), TrackerConfig())
    expected = functional.interpolate(logits[None, None], size=(37, 53), mode="bilinear")[0, 0]
    clear = expected.abs().numpy() > 1e-4  # on the outline itself rounding decides
    assert np.array_equal((label_image == 9)[clear], expected.numpy()[clear] > 0)
    assert measured.area == np.count_nonzero(label_image == 9)


def test_three_objects_share_no_pixel_and_the_order_does_not_matter() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = [torch.randn(16, 16, generator=generator) for _ in range(3)]
    ids = [5, 2, 9]
    config = TrackerConfig()
    label_image, settled = Canvas().publish(ids, logits, (64, 48), config)
    again, _ = Canvas().publish(ids[::-1], logits[::-1], (64, 48), config)
    assert np.array_equal(label_image, again)
    for object_id, mask in zip(ids, settled, strict=True):
        x0, y0, x1, y1 = mask.box
        assert mask.area == np.count_nonzero(label_image == object_id)
        assert np.array_equal(mask.mask, label_image[y0:y1, x0:x1] == object_id)
        ys, xs = np.nonzero(label_image == object_id)
        assert mask.centroid == pytest.approx((xs.mean(), ys.mean()))
        assert mask.box == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)


def test_a_threshold_moves_the_outline() -> None:
    ramp = torch.linspace(-4, 4, 16).expand(16, 16)
    areas = [
        Canvas().publish([1], [ramp], (64, 64), TrackerConfig(mask_threshold=value))[1][0].area
        for value in (-2.0, 0.0, 2.0)
    ]
    assert areas[0] > areas[1] > areas[2] > 0
