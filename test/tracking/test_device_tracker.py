"""A tracker whose pixels stay on the device, against the ordinary one, and what it waits for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from etam_ros import Frame, FrameResult, Prompt, Tracker, TrackerConfig, open_stages
from etam_ros.runtime import (
    DecodedMasks,
    EncodedImage,
    MemoryBatch,
    ModelTraits,
    StageConstants,
    Stages,
    StageSizes,
)
from etam_ros.tracking import cuda_postprocessor
from etam_ros.tracking.cuda_postprocessor import CudaPostprocessor
from etam_ros.tracking.masks.holes import LARGEST_ON_DEVICE
from etam_ros.tracking.masks.measures import EMPTY_MASK, measure
from etam_ros.tracking.publishing import CpuPostprocessor, Drawing

sys.path.insert(0, str(Path(__file__).parent))
from fake_stages import SIZE, FakeStages, square

CPU = torch.device("cpu")
SIZES_HW = [(64, 64), (96, 128), (37, 53)]
FRAMES = 12


class SameInput(CudaPostprocessor):
    """Loads pictures in bytes, as the host does, so that both trackers see the same."""

    def __init__(self, image_size: int) -> None:
        super().__init__(image_size, CPU)
        self.load = CpuPostprocessor(image_size).load


def frames() -> Iterator[Frame]:
    """Noise that changes its size, once with a stamp that goes back."""
    rng = np.random.default_rng(5)
    for index in range(FRAMES):
        height, width = SIZES_HW[index // 3 % len(SIZES_HW)]
        stamp_s = 5 if index == 8 else 10 + index
        picture = rng.integers(0, 255, (height, width, 3), np.uint8)
        yield Frame(picture, stamp_s * 1_000_000_000, "camera")


def act(tracker: Tracker, index: int, hw: tuple[int, int]) -> None:
    """Up to five objects come, are refined, and go."""
    height, width = hw
    region = np.zeros(hw, bool)
    region[height // 4 : height // 2, width // 3 :] = True
    clicked = {"points": [(0.6 * width, 0.5 * height)], "point_labels": [1]}
    actions: dict[int, list[Callable[[], object]]] = {
        1: [lambda: tracker.add_prompt(Prompt(label="cup", **clicked))],
        2: [
            lambda: tracker.add_prompt(Prompt(box=(2, 3, 0.7 * width, 0.8 * height))),
            lambda: tracker.add_prompt(Prompt(object_id=65535, mask=region)),
        ],
        4: [
            lambda: tracker.add_prompt(Prompt(object_id=2, **clicked)),
            lambda: tracker.add_prompt(Prompt(object_id=7, **clicked)),
            lambda: tracker.add_prompt(Prompt(object_id=9, mask=~region)),
        ],
        6: [lambda: tracker.remove(1)],
        10: [tracker.reset, lambda: tracker.add_prompt(Prompt(**clicked))],
    }
    for action in actions.get(index, []):
        action()


def follow(tracker: Tracker) -> Iterator[FrameResult]:
    """Results as stepped, and with the prompts and removals since."""
    for index, frame in enumerate(frames()):
        yield tracker.step(frame)
        act(tracker, index, frame.hw)
        assert tracker.result is not None
        yield tracker.result


def assert_same(result: FrameResult, expected: FrameResult) -> int:
    """Everything but the pixels where rounding decides; returns how many pixels differ."""
    for name in ("frame_number", "stamp_ns", "frame_id", "image_hw", "time_went_back"):
        assert getattr(result, name) == getattr(expected, name)
    assert result.forgotten_ids == expected.forgotten_ids
    different = int((result.label_image != expected.label_image).sum())
    assert len(result.objects) == len(expected.objects)
    for state, other in zip(result.objects, expected.objects, strict=True):
        for name in ("object_id", "label", "occluded", "visibility", "iou_score"):
            assert getattr(state, name) == getattr(other, name)
        assert state.object_score_logit == other.object_score_logit
        assert state.time_since_seen_ns == other.time_since_seen_ns
        assert torch.equal(state.mask_logits, other.mask_logits)
        assert torch.equal(state.pointer, other.pointer)
        again = measure(state.mask)
        assert state.area == again.area
        if not different and state.area == other.area:
            assert state.box == other.box
            assert state.centroid == pytest.approx(other.centroid, nan_ok=True)
            assert np.array_equal(state.mask, other.mask)
        else:
            different += abs(state.area - other.area)
    return different


def scripted() -> FakeStages:
    """Overlapping squares with holes, of which one hides and one vanishes for a while."""
    stages = FakeStages()

    def mask_for(frame: int, row: int) -> Tensor:
        logits = square(2 + row, 9 + row, 3.0 + (7 * row) % 4)
        logits[4 + row, 4 + row : 6 + row] = -2.0
        return square(0, 0) if frame == 7 and row == 1 else logits

    stages.mask_for = mask_for
    stages.score_for = lambda frame, row: -2.0 if frame in (4, 5) and row == 0 else 3.0
    return stages


@pytest.mark.parametrize("overlap", ["settle", "keep"])
def test_on_scripted_stages_the_results_are_the_same(overlap: str) -> None:
    config = TrackerConfig(overlap=overlap, forget_after_s=20.0)
    host = Tracker(scripted(), config)
    device = Tracker(scripted(), config, postprocessor=CudaPostprocessor(SIZE, CPU))
    differing = [
        assert_same(result, expected)
        for result, expected in zip(follow(device), follow(host), strict=True)
    ]
    assert max(differing) <= 2


@pytest.mark.parametrize("overlap", ["settle", "keep"])
def test_on_a_network_the_results_are_the_same(overlap: str) -> None:
    config = TrackerConfig(overlap=overlap)
    with open_stages("tiny_test", weights="random:3", device="cpu") as stages:
        host = Tracker(stages, config)
        device = Tracker(stages, config, postprocessor=SameInput(stages.sizes.image_size))
        differing = [
            assert_same(result, expected)
            for result, expected in zip(follow(device), follow(host), strict=True)
        ]
    assert max(differing) <= 2


class SilentStages(Stages):
    """Stages on a device without values, every output being one of its tensors."""

    def __init__(self) -> None:
        self.name = "silent"
        self.device = torch.device("meta")
        self.sizes = StageSizes(
            image_size=64,
            grid=4,
            hidden_dim=4,
            memory_dim=2,
            memory_frames=7,
        )
        self.traits = ModelTraits(carries_masks=True)
        self.constants = StageConstants(
            self.zeros(1, 4, 1, 1), self.zeros(1, 1, 4, 4), self.zeros(1)
        )

    def zeros(self, *shape: int) -> Tensor:
        return torch.zeros(shape, device=self.device)

    def _encode_image(self, image: Tensor) -> EncodedImage:
        return EncodedImage(self.zeros(1, 4, 4, 4))

    def _attend_memory(self, feature: Tensor, bank: MemoryBatch) -> Tensor:
        return self.zeros(len(bank.memories), 4, 4, 4)

    def _decode_mask(
        self,
        feature: Tensor,
        points: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None,
        skips: tuple[Tensor, ...],
    ) -> DecodedMasks:
        batch = len(feature)
        return DecodedMasks(
            self.zeros(batch, 4, 16, 16),
            self.zeros(batch, 4),
            self.zeros(batch, 4, 4),
            self.zeros(batch, 1),
        )

    def _encode_memory(self, feature: Tensor, mask_logits: Tensor, binarize: Tensor) -> Tensor:
        return self.zeros(len(mask_logits), 2, 4, 4)


@pytest.fixture
def no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device whose tensors have no values, so that to look at one is an error."""

    class Unread:
        def __init__(self, tensors: list[Tensor]) -> None:
            assert all(tensor.device.type == "meta" for tensor in tensors)

        def wait(self) -> None:
            pass

    def unread(download: Unread, object_ids: tuple[int, ...]) -> Drawing:
        count = len(object_ids)
        return Drawing(np.zeros((96, 128), np.uint16), [EMPTY_MASK] * count, [(1.0, 1.0)] * count)

    monkeypatch.setattr(cuda_postprocessor, "Download", Unread)
    monkeypatch.setattr(cuda_postprocessor, "_read", unread)
    monkeypatch.setattr(Tensor, "pin_memory", lambda tensor: tensor)
    monkeypatch.setattr(torch, "autocast", lambda device, enabled: nullcontext())


def step_with_objects(tracker: Tracker, count: int) -> None:
    tracker.step(Frame(np.zeros((96, 128, 3), np.uint8)))
    for _ in range(count):
        tracker.add_prompt(Prompt(points=[(5, 6)], point_labels=[1]))
    for _ in range(3):
        tracker.step(Frame(np.zeros((96, 128, 3), np.uint8)))


@pytest.mark.usefixtures("no_values")
@pytest.mark.parametrize("overlap", ["settle", "keep"])
@pytest.mark.parametrize("count", [1, 3])
def test_a_frame_is_launched_without_a_look_at_any_value(count: int, overlap: str) -> None:
    step_with_objects(Tracker(SilentStages(), TrackerConfig(overlap=overlap)), count)


@pytest.mark.usefixtures("no_values")
def test_a_look_at_a_value_would_be_noticed() -> None:
    sought_on_the_host = TrackerConfig(fill_hole_area=LARGEST_ON_DEVICE + 1)
    with pytest.raises(NotImplementedError, match="meta tensor"):
        step_with_objects(Tracker(SilentStages(), sought_on_the_host), 1)


class Excused(Stages):
    """Other stages, which may wait for the device; whoever calls them may not."""

    def __init__(self, stages: Stages) -> None:
        self.stages = stages
        self.name, self.device, self.traits = stages.name, stages.device, stages.traits
        self.sizes, self.constants = stages.sizes, stages.constants

    def _encode_image(self, image: Tensor) -> EncodedImage:
        with waiting("default"):
            return self.stages.encode_image(image)

    def _attend_memory(self, feature: Tensor, bank: MemoryBatch) -> Tensor:
        with waiting("default"):
            return self.stages.attend_memory(feature, bank)

    def _decode_mask(
        self,
        feature: Tensor,
        points: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None,
        skips: tuple[Tensor, ...],
    ) -> DecodedMasks:
        with waiting("default"):
            return self.stages.decode_mask(feature, points, labels, mask_logits, skips)

    def _encode_memory(self, feature: Tensor, mask_logits: Tensor, binarize: Tensor) -> Tensor:
        with waiting("default"):
            return self.stages.encode_memory(feature, mask_logits, binarize)


@contextmanager
def waiting(mode: str) -> Iterator[None]:
    """What torch does when the host waits for CUDA by anything but an event."""
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode(mode)
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("overlap", ["settle", "keep"])
def test_on_a_gpu_the_host_waits_once_per_frame_and_finds_what_a_cpu_finds(overlap: str) -> None:
    config = TrackerConfig(overlap=overlap)
    options = {"model": "tiny_test", "weights": "random:3", "precision": "fp32"}
    with (
        open_stages(device="cpu", **options) as ours,
        open_stages(device="cuda", **options) as gpu,
    ):
        size = ours.sizes.image_size
        host, device = Tracker(ours, config), Tracker(Excused(gpu), config)
        rng = np.random.default_rng(5)
        for index in range(FRAMES):
            frame = Frame(rng.integers(0, 255, (size, size, 3), np.uint8))
            expected = host.step(frame)
            with waiting("error" if index else "default"):
                result = device.step(frame)
            for state, other in zip(result.objects, expected.objects, strict=True):
                difference = (state.mask_logits.cpu() - other.mask_logits).abs().max()
                assert difference < 1e-2 * (1 + other.mask_logits.abs().max())
                assert state.object_score_logit == pytest.approx(other.object_score_logit, abs=0.1)
            differing = (result.label_image != expected.label_image).mean()
            assert differing < 0.05
            if index in (0, 2, 3):
                for tracker in (host, device):
                    tracker.add_prompt(Prompt(box=(20 + 5 * index, 20, 70, 60)))
