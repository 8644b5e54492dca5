"""Stages in fixed shapes give what the reference gives, whatever is padded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

import pytest
import torch

from etam_ros import Tracker
from etam_ros.config import TrackerConfig
from etam_ros.errors import ConfigError, StageError
from etam_ros.model import EfficientTAM
from etam_ros.model.checkpoint import load_network
from etam_ros.model.config import TINY_TEST, model_config
from etam_ros.runtime import (
    MemoryBatch,
    ModelTraits,
    StageConstants,
    Stages,
    StageSizes,
    TimedStages,
)
from etam_ros.runtime.backends.tensorrt.plans import LENGTHS as LENGTHS_BUILT
from etam_ros.runtime.backends.torch.graphs import TorchGraphs, torch_graphs_stages
from etam_ros.runtime.backends.torch.stages import TorchStages, constants_of, sizes_of, traits_of
from etam_ros.runtime.backends.torch.weights import resolve_weights
from etam_ros.runtime.fixed_stages import BUCKETS, FixedStages, bucket_of
from etam_ros.runtime.static_graphs import GraphCapture
from etam_ros.tracking.bank import BankView, pack

CPU = torch.device("cpu")
MODELS = ["tiny_test", "pooled logits", "pooled keys", "etam_nano", "tiny_hiera_test"]
LENGTHS = [(1, 1), (7, 16), (2, 3), (10, 19), (4, 9), (1, 2)]
"""Memories and pointers of an object: fresh, old, young, corrected, ..."""


def pair(model: str) -> tuple[TorchStages, FixedStages]:
    """The reference and the stages in fixed shapes, of the same weights."""
    kind, _, pooling = model.partition(" ")
    if kind == "pooled":
        config, weights = replace(TINY_TEST, memory_pooling=pooling), "random:0"
    else:
        config = model_config(model)
        weights = resolve_weights(model, "" if model == "etam_nano" else "random:0")
    reference = TorchStages(load_network(config, weights), device=CPU)
    return reference, torch_graphs_stages(load_network(config, weights), "fp32", CPU)


@pytest.fixture(scope="module", params=MODELS)
def stages(request: pytest.FixtureRequest) -> tuple[TorchStages, FixedStages]:
    return pair(request.param)


@pytest.fixture(scope="module")
def tiny() -> tuple[TorchStages, FixedStages]:
    return pair("tiny_test")


def facts_of(network: EfficientTAM) -> tuple[StageSizes, ModelTraits, StageConstants]:
    return sizes_of(network), traits_of(network.config), constants_of(network)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def bank_of(stages: Stages, lengths: list[tuple[int, int]], seed: int = 0) -> MemoryBatch:
    """A bank as the tracker packs it."""
    sizes = stages.sizes
    views = []
    for row, (memories, pointers) in enumerate(lengths):
        features = noise(memories, sizes.memory_dim, sizes.grid, sizes.grid, seed=seed + row)
        recent = min(memories, sizes.memory_frames) - 1
        ages = [*range(recent - 1, -1, -1)]
        views.append(
            BankView(
                list(features),
                [sizes.memory_frames - 1] * (memories - recent) + ages,
                list(noise(pointers, sizes.hidden_dim, seed=seed + row + 99)),
                [7 * age + row for age in range(pointers)],
            )
        )
    return pack(views, sizes, CPU, timed=stages.traits.times_pointers)


def feature_of(stages: Stages, batch: int = 1) -> torch.Tensor:
    sizes = stages.sizes
    return noise(batch, sizes.hidden_dim, sizes.grid, sizes.grid, seed=7)


def close(got: torch.Tensor, expected: torch.Tensor) -> bool:
    return bool(torch.allclose(got, expected, atol=2e-4 * float(expected.abs().max())))


def test_a_bucket_holds_its_objects() -> None:
    assert [bucket_of(count) for count in (1, 2, 3, 5, 8, 9, 16, 17, 40)] == [
        1, 2, 4, 8, 8, 16, 16, 16, 16,
    ]  # fmt: skip


@pytest.mark.parametrize("objects", [1, 3, 5, 17])
def test_banks_of_mixed_lengths_are_read_as_the_reference_reads_them(
    stages: tuple[TorchStages, FixedStages], objects: int
) -> None:
    reference, fixed = stages
    feature = feature_of(fixed)
    for start in range(2):
        lengths = [LENGTHS[(start + row) % len(LENGTHS)] for row in range(objects)]
        bank = bank_of(fixed, lengths, seed=start)
        expected = reference.attend_memory(feature, bank)
        assert close(fixed.attend_memory(feature, bank), expected)
        assert close(fixed.attend_memory(feature, replace(bank, lengths=())), expected)


@pytest.mark.parametrize("lengths", [(1, 1), (1, 4), (6, 16), (7, 16), (10, 19)])
def test_banks_of_equal_length_are_read_as_the_reference_reads_them(
    stages: tuple[TorchStages, FixedStages], lengths: tuple[int, int]
) -> None:
    reference, fixed = stages
    feature = feature_of(fixed)
    bank = bank_of(fixed, [lengths] * 3)
    expected = reference.attend_memory(feature, bank)
    assert close(fixed.attend_memory(feature, bank), expected)


def test_slots_may_be_empty_anywhere(stages: tuple[TorchStages, FixedStages]) -> None:
    reference, fixed = stages
    feature = feature_of(fixed)
    bank = bank_of(fixed, [(5, 4), (5, 4)])
    index = bank.temporal_index.clone()
    index[0, :4] = -1  # one memory is left, in the last slot
    index[1, 1:3] = -1
    holed = replace(bank, temporal_index=index, lengths=((1, 4), (3, 4)))
    assert close(fixed.attend_memory(feature, holed), reference.attend_memory(feature, holed))


def test_longer_banks_than_the_tracker_keeps_are_read(
    tiny: tuple[TorchStages, FixedStages],
) -> None:
    reference, fixed = tiny
    bank = bank_of(fixed, [(24, 30), (2, 2)])
    feature = feature_of(fixed)
    expected = reference.attend_memory(feature, bank)
    assert close(fixed.attend_memory(feature, bank), expected)


@pytest.mark.parametrize("objects", [1, 3, 17])
@pytest.mark.parametrize("points", [1, 2, 5])
@pytest.mark.parametrize("masked", [False, True])
def test_masks_are_decoded_as_the_reference_decodes_them(
    tiny: tuple[TorchStages, FixedStages], objects: int, points: int, masked: bool
) -> None:
    reference, fixed = tiny
    side = fixed.sizes.mask_size
    labels = torch.arange(objects * points).reshape(objects, points) % 5 - 1
    where = 64 + 30 * noise(objects, points, 2)
    previous = noise(objects, 1, side, side) if masked else None
    feature = feature_of(fixed, objects)
    expected = reference.decode_mask(feature, where, labels, previous)
    got = fixed.decode_mask(feature, where, labels, previous)
    for name, value in vars(expected).items():
        assert close(getattr(got, name), value), name


def test_masks_are_decoded_with_the_finer_levels_of_the_frame() -> None:
    reference, fixed = pair("tiny_hiera_test")
    points, labels = torch.full((3, 1, 2), 60.0), torch.ones(3, 1, dtype=torch.int64)
    feature = feature_of(fixed, 3)
    for seed in range(2):
        skips = tuple(noise(*shape, seed=seed) for shape in fixed.sizes.skip_shapes)
        expected = reference.decode_mask(feature, points, labels, None, skips)
        got = fixed.decode_mask(feature, points, labels, None, skips)
        assert close(got.mask_logits, expected.mask_logits)
    with pytest.raises(StageError, match="got 0 skips, expected the 2 that encode_image returned"):
        fixed.decode_mask(feature, points, labels)
    with pytest.raises(StageError, match="decode_mask got skips of shape"):
        fixed.decode_mask(feature, points, labels, None, skips[::-1])


def test_a_bank_without_ages_is_refused_by_a_model_that_reads_them() -> None:
    reference, _ = pair("tiny_hiera_test")
    bank = replace(bank_of(reference, [(2, 3)]), pointer_ages=None)
    with pytest.raises(StageError, match="attend_memory got pointer_ages"):
        reference.attend_memory(feature_of(reference), bank)


@pytest.mark.parametrize("objects", [1, 3, 17])
def test_memories_are_encoded_as_the_reference_encodes_them(
    stages: tuple[TorchStages, FixedStages], objects: int
) -> None:
    reference, fixed = stages
    side = fixed.sizes.mask_size
    logits = 5 * noise(objects, 1, side, side)
    binarize = torch.arange(objects) % 2 == 0
    feature = feature_of(fixed)
    expected = reference.encode_memory(feature, logits, binarize)
    assert close(fixed.encode_memory(feature, logits, binarize), expected)


def test_images_are_encoded_as_the_reference_encodes_them(
    stages: tuple[TorchStages, FixedStages],
) -> None:
    reference, fixed = stages
    side = fixed.sizes.image_size
    image = noise(1, 3, side, side)
    expected, got = reference.encode_image(image), fixed.encode_image(image)
    assert close(got.feature, expected.feature)
    assert len(got.skips) == fixed.sizes.skip_levels
    for skip, same in zip(got.skips, expected.skips, strict=True):
        assert close(skip, same)


def test_outputs_belong_to_the_caller(tiny: tuple[TorchStages, FixedStages]) -> None:
    fixed = tiny[1]
    bank = bank_of(fixed, [(7, 16)] * 2)
    feature, logits = feature_of(fixed), noise(2, 1, 32, 32)
    points, labels = torch.zeros(2, 1, 2), torch.full((2, 1), -1)

    def outputs(scale: float) -> list[torch.Tensor]:
        return [
            fixed.encode_image(scale * noise(1, 3, 128, 128)).feature,
            (conditioned := fixed.attend_memory(scale * feature, bank)),
            *vars(fixed.decode_mask(conditioned, points, labels)).values(),
            fixed.encode_memory(scale * feature, logits, torch.ones(2, dtype=torch.bool)),
        ]

    before = outputs(1.0)
    kept = [value.clone() for value in before]
    outputs(0.3)
    assert all(torch.equal(value, copy) for value, copy in zip(before, kept, strict=True))


def test_what_an_earlier_batch_left_in_a_bucket_touches_nobody(
    tiny: tuple[TorchStages, FixedStages],
) -> None:
    fixed = tiny[1]
    feature = feature_of(fixed)
    bank = bank_of(fixed, [(2, 3)] * 3)
    before = fixed.attend_memory(feature, bank)
    fixed.attend_memory(feature, bank_of(fixed, [(7, 12)] * 4, seed=50))
    assert torch.equal(fixed.attend_memory(feature, bank), before)


def test_a_stream_makes_nothing_new_once_its_buckets_are_warm() -> None:
    network = load_network(TINY_TEST, "random:0")
    prepared: list[str] = []

    class Counted(TorchGraphs):
        def prepare(self, graph, buffers):
            prepared.append(graph)
            return super().prepare(graph, buffers)

    graphs = Counted(network, "fp32", CPU)
    fixed = FixedStages(graphs, *facts_of(network), "counted")
    fixed.warm_up(4)
    assert len(prepared) == 2 + 3 * 4
    feature, points = feature_of(fixed), torch.zeros(4, 1, 2)
    for objects in (1, 2, 3, 4):
        for length in range(1, 8):
            conditioned = fixed.attend_memory(
                feature, bank_of(fixed, [(length, 2 * length)] * objects)
            )
            labels = torch.full((objects, 1), -1)
            fixed.decode_mask(conditioned, points[:objects], labels)
            fixed.encode_memory(feature, torch.zeros(objects, 1, 32, 32), labels[:, 0] > 0)
    assert len(prepared) == 2 + 3 * 4


def test_what_graphs_do_not_take_is_refused() -> None:
    network = load_network(TINY_TEST, "random:0")
    graphs = TorchGraphs(network, "fp32", CPU)
    graphs.longest = {"M": 10, "R": 19, "P": 64}
    fixed = FixedStages(graphs, *facts_of(network), "limited")
    with pytest.raises(StageError, match="limited takes at most 10 memories of an object, got 11"):
        fixed.attend_memory(feature_of(fixed), bank_of(fixed, [(11, 4)]))
    with pytest.raises(StageError, match="at most 64 points, got 65"):
        fixed.decode_mask(feature_of(fixed), torch.zeros(1, 65, 2), torch.zeros(1, 65).long())
    assert BUCKETS[-1] == 16


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (TrackerConfig(), ""),
        (TrackerConfig(conditioning_memories=1, recent_memories=63, recent_pointers=18), ""),
        (
            TrackerConfig(conditioning_memories=5),
            "tracker.conditioning_memories is 5 and tracker.recent_memories 6, but limited takes",
        ),
        (
            TrackerConfig(conditioning_memories=0),
            "is 0, all, and .* at most 10 memories of",
        ),
        (TrackerConfig(recent_pointers=16), "and tracker.recent_pointers 16, but .* 19 pointers"),
    ],
)
def test_a_configuration_that_graphs_cannot_serve_is_refused_when_it_is_set(
    config: TrackerConfig, words: str
) -> None:
    network = load_network(TINY_TEST, "random:0")
    graphs = TorchGraphs(network, "fp32", CPU)
    fixed = FixedStages(graphs, *facts_of(network), "limited")
    Tracker(fixed, replace(config, conditioning_memories=0))  # these graphs take any length
    graphs.longest = {letter: most for letter, (_, _, most) in LENGTHS_BUILT.items()}
    opened = pytest.raises(ConfigError, match=words) if words else nullcontext()
    with opened:
        Tracker(TimedStages(fixed), config)


def test_stages_can_be_closed_twice() -> None:
    for opened in pair("tiny_test"):
        with opened:
            opened.close()


def test_a_capture_that_fails_leaves_the_stream_as_it_was(monkeypatch) -> None:
    """PyTorch stays on the stream of captures where the end of one raises."""
    here = FakeStream("here")
    current = [here]

    @contextmanager
    def on(stream: FakeStream) -> Iterator[None]:
        before, current[0] = current[0], stream
        yield
        current[0] = before

    @contextmanager
    def graph(_graph, _pool, stream: FakeStream, **_mode: str) -> Iterator[None]:
        current[0] = stream
        yield
        raise RuntimeError("operation failed due to a previous error during capture")

    for name, fake in {
        "Stream": lambda _device: FakeStream("captures"),
        "graph_pool_handle": lambda: (0, 1),
        "current_stream": lambda _device: current[0],
        "stream": on,
        "CUDAGraph": object,
        "graph": graph,
        "set_stream": lambda stream: current.__setitem__(0, stream),
    }.items():
        monkeypatch.setattr(torch.cuda, name, fake)

    def launch() -> tuple[torch.Tensor, ...]:
        return ()

    assert GraphCapture(CPU).record(launch, "a graph") is launch
    assert current == [here]


@dataclass(frozen=True)
class FakeStream:
    name: str

    def wait_stream(self, other: FakeStream) -> None: ...
