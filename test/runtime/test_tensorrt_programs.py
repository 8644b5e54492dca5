"""Plans as stages: contexts are given all they need, and what was compiled is kept."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from etam_ros.errors import BackendError, StageError
from etam_ros.model.checkpoint import load_network
from etam_ros.model.config import TINY_TEST
from etam_ros.runtime.export_parts import graphs
from etam_ros.runtime.exported import PADDED
from etam_ros.runtime.fixed_stages import FixedStages
from etam_ros.runtime.parity import check_parity
from etam_ros.runtime.stages import MemoryBatch
from etam_ros.runtime.tensorrt_plans import Plans
from etam_ros.runtime.tensorrt_programs import KERNEL_CACHE, TensorRTPrograms
from etam_ros.runtime.torch_stages import TorchStages, constants_of, sizes_of

sys.path.insert(0, str(Path(__file__).parent))
from fake_tensorrt import fake_library

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _no_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = SimpleNamespace(cuda_stream=0, synchronize=lambda: None)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)


def open_fake(folder: Path, flavour: str, pooling: str = "none") -> FixedStages:
    network = load_network(replace(TINY_TEST, memory_pooling=pooling), "random:0")
    made = graphs(network, "fp32", PADDED)
    for graph in made:
        (folder / f"{graph.name}.plan").write_bytes(graph.name.encode())
    plans = Plans(folder, tuple(graph.name for graph in made))
    programs = TensorRTPrograms(fake_library(flavour, made), plans, CPU)
    return FixedStages(programs, sizes_of(network), constants_of(network), "fake")


@pytest.mark.parametrize("flavour", ["tensorrt", "tensorrt_rtx"])
@pytest.mark.parametrize("pooling", ["none", "logits"])
def test_plans_give_what_their_graphs_give(tmp_path: Path, flavour: str, pooling: str) -> None:
    config = replace(TINY_TEST, memory_pooling=pooling)
    reference = TorchStages(load_network(config, "random:0"), device=CPU)
    with open_fake(tmp_path, flavour, pooling) as stages:
        report = check_parity(stages, reference, "fp32", judges_masks=False)
    assert report.failures == []
    assert max(each.relative for each in report.stages) < 1e-5
    assert report.agreement > 0.999


def test_plans_take_banks_and_points_of_their_profiles(tmp_path: Path) -> None:
    stages = open_fake(tmp_path, "tensorrt")
    bank = MemoryBatch(
        torch.zeros(1, 11, 16, 8, 8), torch.zeros(1, 11).long(), torch.zeros(1, 3, 64),
        torch.tensor([3]), ((11, 3),),
    )  # fmt: skip
    with pytest.raises(StageError, match="at most 10 memories of an object, got 11"):
        stages.attend_memory(torch.zeros(1, 64, 8, 8), bank)


def test_compiled_kernels_are_kept_and_read_again(tmp_path: Path) -> None:
    kept = tmp_path / KERNEL_CACHE
    for expected in (b"k", b"kk"):
        stages = open_fake(tmp_path, "tensorrt_rtx")
        stages.encode_image(torch.zeros(1, 3, 128, 128))
        stages.close()
        assert kept.read_bytes() == expected
    kept.write_bytes(b"of another GPU")
    with open_fake(tmp_path, "tensorrt_rtx") as stages:
        stages.encode_image(torch.zeros(1, 3, 128, 128))
    assert kept.read_bytes() == b"k"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("kernels")] == [
        KERNEL_CACHE
    ]


def test_a_plan_that_cannot_be_loaded_is_said(tmp_path: Path) -> None:
    plans = Plans(tmp_path, ("look",))
    (tmp_path / "look.plan").write_bytes(b"of another GPU")
    with pytest.raises(BackendError, match=r"look.plan cannot be loaded, .* to build it again"):
        TensorRTPrograms(fake_library("tensorrt", []), plans, CPU)
