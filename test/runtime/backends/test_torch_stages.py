"""The stages on torch: shapes, precisions, batches, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from etam_ros import open_stages
from etam_ros.errors import BackendError, ConfigError, StageError, WeightsError
from etam_ros.model import EfficientTAM
from etam_ros.model.checkpoint import load_network
from etam_ros.model.config import TINY_TEST
from etam_ros.runtime import STAGE_NAMES, MemoryBatch, Stages, TimedStages
from etam_ros.runtime.backends.torch.stages import TorchStages, full_float32
from etam_ros.transforms import one_thread


@pytest.fixture(scope="module")
def stages() -> Iterator[Stages]:
    with open_stages("tiny_test", weights="random:0", device="cpu") as opened:
        yield opened


def full_bank(objects: int = 2) -> MemoryBatch:
    generator = torch.Generator().manual_seed(2)
    return MemoryBatch(
        memories=torch.randn(objects, 7, 16, 8, 8, generator=generator),
        temporal_index=torch.tensor([[6, 5, 4, 3, 2, 1, 0]]).repeat(objects, 1),
        pointers=torch.randn(objects, 16, 64, generator=generator),
        pointer_count=torch.full((objects,), 16),
    )


def feature() -> torch.Tensor:
    return torch.randn(1, 64, 8, 8, generator=torch.Generator().manual_seed(1))


def test_the_name_says_what_runs(stages: Stages) -> None:
    assert stages.name == "tiny_test on torch, cpu, fp32"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda s: s.encode_image(torch.zeros(1, 3, 64, 128)),
            r"encode_image got image of shape \(1, 3, 64, 128\), expected \(1, 3, 128, 128\)",
        ),
        (lambda s: s.attend_memory(feature()[:, :8], full_bank()), "attend_memory got feature"),
        (
            lambda s: s.attend_memory(
                feature(), replace(full_bank(), memories=torch.zeros(2, 7, 16, 8, 4))
            ),
            "attend_memory got memories",
        ),
        (
            lambda s: s.decode_mask(feature(), torch.zeros(1, 2, 3), torch.zeros(1, 2)),
            "decode_mask got points",
        ),
        (
            lambda s: s.decode_mask(feature(), torch.zeros(1, 2, 2), torch.zeros(1, 3)),
            "decode_mask got labels",
        ),
        (
            lambda s: s.encode_memory(feature(), torch.zeros(2, 1, 8, 8), torch.zeros(2)),
            "encode_memory got mask_logits",
        ),
    ],
)
def test_a_wrong_shape_is_refused_with_both_shapes(stages: Stages, call, words: str) -> None:
    with pytest.raises(StageError, match=words):
        call(stages)


def test_an_empty_slot_is_as_if_it_were_not_there(stages: Stages) -> None:
    bank = full_bank(1)
    index = bank.temporal_index.clone()
    index[0, 2:5] = -1
    padded = MemoryBatch(bank.memories, index, bank.pointers, torch.tensor([3]))
    keep = index[0] >= 0
    short = MemoryBatch(
        bank.memories[:, keep], index[:, keep], bank.pointers[:, :3], torch.tensor([3])
    )
    assert torch.equal(
        stages.attend_memory(feature(), padded), stages.attend_memory(feature(), short)
    )


@pytest.mark.parametrize("pooling", ["none", "logits", "keys"])
def test_batching_as_a_gpu_does_gives_what_single_objects_give(pooling: str) -> None:
    config = replace(TINY_TEST, memory_pooling=pooling)
    network = load_network(config, "random:0")
    alone = TorchStages(network, device=torch.device("cpu"))

    class Batched(TorchStages):
        """Groups of equal length run together, as on CUDA."""

        def _rows_of_equal_length(self, bank: MemoryBatch) -> list[list[int]]:
            self.device = torch.device("cuda")
            try:
                return super()._rows_of_equal_length(bank)
            finally:
                self.device = torch.device("cpu")

    batched = Batched(network, device=torch.device("cpu"))
    bank = full_bank(4)
    index, counts = bank.temporal_index.clone(), bank.pointer_count.clone()
    index[1, 1:], counts[1] = -1, 1
    index[2, 1:], counts[2] = -1, 1
    bank = replace(bank, temporal_index=index, pointer_count=counts)
    assert batched._rows_of_equal_length(bank) == [[0, 3], [1, 2]]
    difference = batched.attend_memory(feature(), bank) - alone.attend_memory(feature(), bank)
    assert difference.abs().max() < 1e-5


@pytest.mark.parametrize("model", ["tiny_test", "tiny_hiera_test"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_reduced_precision_stays_close_and_gives_float32(model: str, precision: str) -> None:
    image = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with (
        open_stages(model, weights="random:0", device="cpu") as exact,
        open_stages(model, weights="random:0", device="cpu", precision=precision) as other,
    ):
        encoded, skips = other.encode_image(image), exact.encode_image(image).skips
        expected, got = exact.encode_image(image).feature, encoded.feature
        assert got.dtype == torch.float32
        tolerance = 0.0 if precision == "fp32" else 0.2
        assert (got - expected).abs().max() <= tolerance
        for skip, same in zip(encoded.skips, skips, strict=True):
            assert skip.dtype == torch.float32
            assert (skip - same).abs().max() <= tolerance
        bank = replace(full_bank(), pointer_ages=torch.arange(16.0).repeat(2, 1))
        conditioned = other.attend_memory(got, bank)
        decoded = other.decode_mask(
            conditioned, torch.zeros(2, 1, 2), torch.full((2, 1), -1), None, encoded.skips
        )
        assert decoded.iou_scores.dtype == torch.float32
        memories = other.encode_memory(got, decoded.mask_logits[:, :1], torch.ones(2).bool())
        assert memories.dtype == torch.float32
        assert torch.isfinite(memories).all()


def test_outputs_belong_to_the_caller(stages: Stages) -> None:
    first = stages.attend_memory(feature(), full_bank())
    before = first.clone()
    stages.attend_memory(feature() + 1, full_bank())
    assert torch.equal(first, before)


def test_timed_stages_add_up_and_start_again(stages: Stages) -> None:
    timed = TimedStages(stages)
    expected = stages.attend_memory(feature(), full_bank())
    assert torch.equal(timed.attend_memory(feature(), full_bank()), expected)
    spent = timed.take()
    assert tuple(spent) == STAGE_NAMES
    assert spent["attend_memory"] > 0 == spent["encode_image"]
    assert not any(timed.take().values())


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"backend": "caffe"}, ConfigError, "expected one of auto, torch"),
        ({"backend": "tensorrt"}, BackendError, "is not installed|needs an NVIDIA GPU"),
        ({"precision": "int8"}, ConfigError, "expected one of auto, fp32"),
        ({"precision": "fp16", "device": "cpu"}, BackendError, "use fp32 or bf16"),
        ({"device": "tpu"}, ConfigError, "expected one of auto, cpu, cuda"),
        ({"weights": "nowhere.pt"}, WeightsError, "does not exist"),
    ],
)
def test_what_cannot_run_is_refused(
    arguments: dict[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        open_stages("tiny_test", **{"weights": "random:0", **arguments})


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_is_refused_where_there_is_none() -> None:
    with pytest.raises(BackendError, match="no CUDA device"):
        open_stages("tiny_test", weights="random:0", device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_gpu_gives_what_the_cpu_gives(precision: str) -> None:
    network: EfficientTAM = load_network(TINY_TEST, "random:0")
    image = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    (expected,) = network.encode_image(image)
    with open_stages(
        "tiny_test", weights="random:0", device="cuda", precision=precision
    ) as stages:
        got = stages.encode_image(image.cuda()).feature.cpu()
    assert (got - expected).abs().max() < (1e-3 if precision == "fp32" else 0.2)


def test_stages_compute_on_all_threads_while_the_tracker_keeps_to_one(stages: Stages) -> None:
    assert isinstance(stages, TorchStages)
    seen = []
    hook = stages.network.image_encoder.register_forward_pre_hook(
        lambda *_: seen.append(torch.get_num_threads())
    )
    size = stages.sizes.image_size
    with one_thread():
        stages.encode_image(torch.zeros(1, 3, size, size))
        assert torch.get_num_threads() == 1
    hook.remove()
    assert seen == [stages.threads]


def test_float32_is_not_rounded_on_a_gpu_and_other_settings_stay(monkeypatch) -> None:
    cudnn = torch.backends.cudnn
    monkeypatch.setattr(cudnn, "allow_tf32", True)
    monkeypatch.setattr(cudnn, "deterministic", True)
    with full_float32(torch.device("cuda")):
        assert (cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark) == (False, True, False)
    assert (cudnn.allow_tf32, cudnn.deterministic) == (True, True)
    with full_float32(torch.device("cpu")):
        assert cudnn.allow_tf32
