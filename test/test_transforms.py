"""Pictures, points and masks on their way to the network."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.nn import functional

from etam_ros.transforms import (
    IMAGE_MEAN,
    IMAGE_STD,
    ImageLoader,
    logits_to_source,
    mask_to_network,
    one_thread,
    pixels_of,
    points_to_network,
    reduce_as_bytes,
    reduced,
)

CPU = torch.device("cpu")
DEADLINE_S = 60.0


def loaded(image: NDArray[np.uint8], size: int) -> torch.Tensor:
    return ImageLoader(size, CPU, in_float=False).load(image)


def test_a_picture_of_the_right_size_is_only_normalised() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    tensor = loaded(image, 32)
    expected = (image / 255.0 - IMAGE_MEAN) / IMAGE_STD
    assert tensor.shape == (1, 3, 32, 32)
    assert np.allclose(tensor[0].permute(1, 2, 0).numpy(), expected, atol=1e-5)


def test_resizing_is_bilinear_with_antialiasing() -> None:
    image = np.random.default_rng(1).integers(0, 256, (90, 160, 3), np.uint8)
    tensor = loaded(image, 32)
    expected = functional.interpolate(
        torch.from_numpy(image).permute(2, 0, 1)[None].float(),
        size=(32, 32),
        mode="bilinear",
        antialias=True,
    )
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGE_MEAN, IMAGE_STD))
    assert ((tensor * std + mean) * 255 - expected).abs().max() <= 1.0


@pytest.mark.parametrize(("hw", "size"), [((480, 854), 224), ((513, 640), 512), ((90, 60), 128)])
def test_what_resizes_floats_gives_what_resizing_bytes_would(
    hw: tuple[int, int], size: int
) -> None:
    rng = np.random.default_rng(4)
    coarse = rng.integers(0, 256, (hw[0] // 6, hw[1] // 6, 3), np.uint8)
    image = cv2.resize(coarse, hw[::-1], interpolation=cv2.INTER_CUBIC)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None]
    expected = functional.interpolate(pixels, size=(size, size), mode="bilinear", antialias=True)
    given = reduce_as_bytes(pixels, size)
    assert given.dtype == torch.float32
    assert (given != expected).float().mean() < 0.05
    assert (given - expected.float()).abs().max() <= 2.0


@pytest.mark.parametrize("hw", [(90, 160), (64, 64)])
def test_the_bytes_of_a_picture_come_back(hw: tuple[int, int]) -> None:
    image = np.random.default_rng(3).integers(0, 256, (*hw, 3), np.uint8)
    assert np.array_equal(pixels_of(loaded(image, 64)), reduced(image, 64))


def test_a_view_with_gaps_is_read_right() -> None:
    wide = np.random.default_rng(2).integers(0, 256, (20, 40, 3), np.uint8)
    view = wide[:, 3:23, ::-1]
    assert torch.equal(loaded(view, 16), loaded(view.copy(), 16))


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


THREADS = 3


@pytest.fixture
def several_threads() -> Iterator[None]:
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(THREADS)
    cv2.setNumThreads(THREADS)
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def thread_counts() -> tuple[int, int]:
    return torch.get_num_threads(), cv2.getNumThreads()


@pytest.mark.usefixtures("several_threads")
def test_small_operations_leave_the_numbers_of_threads_as_they_were() -> None:
    with one_thread():
        assert thread_counts() == (1, 1)
        with one_thread():
            assert thread_counts() == (1, 1)
        assert thread_counts() == (1, 1)
    assert thread_counts() == (THREADS, THREADS)
    with pytest.raises(ValueError, match="inside"), one_thread():
        raise ValueError("inside")
    assert thread_counts() == (THREADS, THREADS)


@pytest.mark.usefixtures("several_threads")
def test_of_two_threads_the_last_to_leave_puts_the_numbers_back() -> None:
    """The first to enter leaves first, which once left OpenCV at one thread for good."""
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))

    def first() -> int:
        with one_thread():
            first_is_in.set()
            assert second_is_in.wait(DEADLINE_S)
        first_is_out.set()
        return torch.get_num_threads()

    def second() -> list[tuple[int, int]]:
        assert first_is_in.wait(DEADLINE_S)
        with one_thread():
            second_is_in.set()
            assert first_is_out.wait(DEADLINE_S)
            inside = thread_counts()
        return [inside, thread_counts()]

    with ThreadPoolExecutor(2) as pool:
        left_first, left_last = pool.submit(first), pool.submit(second)
        assert left_first.result(DEADLINE_S) == THREADS
        assert left_last.result(DEADLINE_S) == [(1, 1), (THREADS, THREADS)]
    assert thread_counts() == (THREADS, THREADS)


@pytest.mark.usefixtures("several_threads")
def test_many_threads_come_and_go_and_each_has_one_while_inside() -> None:
    start = threading.Barrier(8)

    def come_and_go() -> set[tuple[int, int]]:
        start.wait(DEADLINE_S)
        seen = set()
        for _ in range(200):
            with one_thread():
                seen.add(thread_counts())
        return seen

    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(come_and_go) for _ in range(8)]
        assert [future.result(DEADLINE_S) for future in futures] == [{(1, 1)}] * 8
        left = [pool.submit(torch.get_num_threads) for _ in range(8)]
        assert {future.result(DEADLINE_S) for future in left} == {THREADS}
    assert thread_counts() == (THREADS, THREADS)
