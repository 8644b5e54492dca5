"""What needs a GPU: captures, memory that stays, and TensorRT for RTX at work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from etam_ros import Frame, Prompt, Tracker, open_stages
from etam_ros.benchmark.workload import FILLING_FRAMES, clicks, synthetic_pictures
from etam_ros.config import TrackerConfig
from etam_ros.runtime import Stages
from etam_ros.runtime.backend import EngineRequest
from etam_ros.runtime.engines import is_installed, open_torch_stages, verify_engine
from etam_ros.runtime.fixed_stages import FixedStages
from etam_ros.runtime.parity import check_parity
from etam_ros.tracking.parity_clip import follow_clip

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
HW = (120, 160)


@pytest.fixture(params=["tiny_test", "tiny_hiera_test", "etam_nano"])
def model(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param, "" if request.param == "etam_nano" else "random:0"


@pytest.fixture
def captured(model: tuple[str, str]) -> Iterator[Stages]:
    name, weights = model
    with open_stages(name, weights=weights, backend="torch", precision="fp16") as stages:
        assert isinstance(stages, FixedStages)
        yield stages


def test_captured_stages_pass_the_gate(model: tuple[str, str], captured: Stages) -> None:
    name, weights = model
    with open_torch_stages(name, weights, "fp32", "cuda", fixed=False) as reference:
        report = check_parity(captured, reference, "fp16", follow_clip, judges_masks=not weights)
    assert report.failures == []


def followed(stages: Stages, objects: int) -> Tracker:
    """A tracker whose banks are full."""
    pictures = synthetic_pictures(HW, objects)
    tracker = Tracker(stages, TrackerConfig(max_objects=16))
    tracker.step(Frame(pictures[0]))
    for point in clicks(HW, objects):
        tracker.add_prompt(Prompt(points=[point], point_labels=[1]))
    for index in range(FILLING_FRAMES):
        tracker.step(Frame(pictures[index % len(pictures)]))
    return tracker


def allocations() -> int:
    return int(torch.cuda.memory_stats()["segment.all.allocated"])


def test_nothing_is_allocated_once_buckets_are_warm(captured: Stages) -> None:
    captured.warm_up(16)
    graphs = len(captured._made)  # type: ignore[attr-defined]
    picture = Frame(synthetic_pictures(HW, 16)[0])
    tracker = followed(captured, 15)
    for last in (False, True):
        before = allocations()
        for _ in range(10):
            tracker.step(picture)
        assert allocations() == before
        if not last:
            tracker.add_prompt(Prompt(points=[clicks(HW, 16)[15]], point_labels=[1]))
            for _ in range(FILLING_FRAMES):
                tracker.step(picture)
    assert len(captured._made) == graphs  # type: ignore[attr-defined]


def test_stages_wait_for_nothing(captured: Stages) -> None:
    captured.warm_up(2)
    sizes = captured.sizes
    feature = torch.zeros(1, sizes.hidden_dim, sizes.grid, sizes.grid, device="cuda")
    image = torch.zeros(1, 3, sizes.image_size, sizes.image_size, device="cuda")
    side = sizes.mask_size
    logits = torch.zeros(2, 1, side, side, device="cuda")
    binarize = torch.zeros(2, dtype=torch.bool, device="cuda")
    points = torch.zeros(2, 1, 2, device="cuda")
    labels = torch.full((2, 1), -1, device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        skips = captured.encode_image(image).skips
        captured.encode_memory(feature, logits, binarize)
        captured.decode_mask(feature.repeat(2, 1, 1, 1), points, labels, None, skips)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.skipif(not is_installed("tensorrt_rtx"), reason="TensorRT for RTX is not installed")
def test_tensorrt_rtx_runs_and_passes(tmp_path: Path) -> None:
    request = EngineRequest("tiny_test", "random:0", "tensorrt_rtx", "fp16", str(tmp_path))
    assert verify_engine(request, follow_clip, build=True).failures == []
    assert list(tmp_path.glob("*/tensorrt_rtx-*/kernels.cache"))
    with open_stages(
        "tiny_test", weights="random:0", backend="tensorrt_rtx", engine_dir=str(tmp_path),
        build_engines=False,
    ) as stages:  # fmt: skip
        result = followed(stages, 3).result
    assert result is not None
    assert result.label_image.dtype == np.uint16
