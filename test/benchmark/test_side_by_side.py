"""Ways to run a model, side by side: what is measured, and what becomes of one that fails."""

from __future__ import annotations

import math

import pytest
import torch

from etam_ros.benchmark.floor import (
    PROFILED_FRAMES,
    count_flops,
    counted,
    fewest_bytes,
    measure_ceilings,
)
from etam_ros.benchmark.frame_clock import MASKS, PARTS, STEP
from etam_ros.benchmark.peak_memory import Load, peak_memory_mib
from etam_ros.benchmark.side_by_side import EAGER, GRAPHS, measure_side_by_side, open_way
from etam_ros.benchmark.workload import Workload, synthetic_pictures
from etam_ros.errors import StageError
from etam_ros.records import Frame
from etam_ros.runtime import Stages

WORK = Workload(objects=2, frames=2, source_hw=(48, 64))


@pytest.fixture
def eager():
    with open_way("tiny_test", "random:0", EAGER, "fp32", "cpu") as stages:
        yield stages


@pytest.fixture
def graphs():
    with open_way("tiny_test", "random:0", GRAPHS, "fp32", "cpu") as stages:
        yield stages


def test_the_same_network_in_fixed_shapes_gives_the_same_masks(eager, graphs) -> None:
    ways = {EAGER: eager, GRAPHS: graphs}
    first, second = measure_side_by_side(ways, dict.fromkeys(ways, EAGER), WORK)
    assert (first.name, second.name) == (EAGER, GRAPHS)
    assert first.ratio == first.agreement == 1.0
    assert second.agreement > 0.99
    assert set(first.timings) == {*PARTS, MASKS, STEP}
    for each in (first, second):
        parts_ms = sum(each.timings[part].mean_ms for part in PARTS)
        assert parts_ms == pytest.approx(each.step.mean_ms, rel=0.05)
        assert each.timings[MASKS].p50_ms <= each.step.p50_ms <= each.step.p99_ms
        assert each.device_use is None


class Broken(Stages):
    """Stages that fail at the first memory."""

    def __init__(self, stages: Stages) -> None:
        self.name, self.sizes, self.constants = stages.name, stages.sizes, stages.constants
        self.device = stages.device
        if hasattr(stages, "traits"):
            self.traits = stages.traits
        self._encode_image = stages._encode_image  # type: ignore[method-assign]
        self._decode_mask = stages._decode_mask  # type: ignore[method-assign]
        self._encode_memory = stages._encode_memory  # type: ignore[method-assign]

    def _encode_image(self, image): ...
    def _decode_mask(self, feature, points, labels, mask_logits, skips): ...
    def _encode_memory(self, feature, mask_logits, binarize): ...

    def _attend_memory(self, feature, bank):
        raise StageError("no memory is here")


def test_a_way_that_fails_is_told_and_leaves_the_others(eager) -> None:
    failed, ended = [], []
    ways = {"broken": Broken(eager), EAGER: eager}
    measured = measure_side_by_side(
        ways, {"broken": EAGER, EAGER: "broken"}, WORK, parts=False,
        on_failure=lambda name, error: failed.append((name, str(error))),
        on_end=lambda name, clock: ended.append((name, clock.tracker.object_ids)),
    )  # fmt: skip
    assert failed == [("broken", "no memory is here")]
    assert [each.name for each in measured] == [EAGER]
    assert math.isnan(measured[0].ratio)
    assert math.isnan(measured[0].agreement)
    assert set(measured[0].timings) == {MASKS, STEP}
    assert ended == [(EAGER, (1, 2))]
    with pytest.raises(StageError, match="no memory is here"):
        measure_side_by_side(ways, dict.fromkeys(ways, EAGER), WORK)


def test_the_floor_counts_what_more_objects_take(eager) -> None:
    picture = [Frame(synthetic_pictures((48, 64), count)[0]) for count in (1, 3)]
    alone = count_flops(eager, picture[0], 1, 2)
    three = count_flops(eager, picture[1], 3, 2)
    shared = (3 * alone - three) / 2  # what does not grow with the objects
    assert 0 < shared < alone < three
    sizes = eager.sizes
    memory = sizes.memory_frames * sizes.memory_dim * sizes.grid**2 * 4
    assert fewest_bytes(sizes, 1000, "fp16", 3, (48, 64)) == 2000 + 3 * memory + 48 * 64 * 5


@pytest.mark.parametrize("way", [EAGER, GRAPHS])
def test_the_peak_memory_of_every_way_is_measured(way) -> None:
    load = Load("tiny_test", "random:0", way, "fp32", "cpu", 2, (48, 64))
    assert 100 < peak_memory_mib(load) < 4000


def test_rates_are_measured_in_the_precisions_of_a_cpu() -> None:
    ceilings = measure_ceilings(torch.device("cpu"))
    assert set(ceilings.flops) == {"fp32", "bf16"}
    assert all(rate > 1e8 for rate in (*ceilings.flops.values(), ceilings.bytes_per_s))
    assert 0 < ceilings.launch_s < 0.1


def test_the_wait_of_the_profiler_itself_is_not_counted() -> None:
    calls = {"cudaGraphLaunch": 4 * PROFILED_FRAMES, "cudaEventSynchronize": PROFILED_FRAMES,
             "cudaDeviceSynchronize": 1, "aten::mm": 7}  # fmt: skip
    assert counted(calls).launches == 4
    assert counted(calls).waits == 1
    assert counted({}).waits == 0
