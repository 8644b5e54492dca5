"""Graphs that exports in several precisions and layouts share: what is copied is the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from etam_ros.model.checkpoint import load_network
from etam_ros.model.config import model_config
from etam_ros.runtime.export import OPSET
from etam_ros.runtime.export_parts import Graph, graphs, is_same_graph
from etam_ros.runtime.exported import BY_LENGTH, PADDED, ExportKey

KEY = ExportKey("tiny_test", "0" * 64, "fp32", OPSET, BY_LENGTH)
IN_FLOAT32 = {"decode_mask", "encode_memory"}


def graphs_of(model: str, precision: str, layout: str) -> dict[str, Graph]:
    network = load_network(model_config(model), "random:0").eval()
    return {graph.name: graph for graph in graphs(network, precision, layout)}


def answer(graph: Graph) -> list[torch.Tensor]:
    """What it makes of some numbers, of which each input gets its own."""
    random = torch.Generator().manual_seed(1)
    inputs = {
        name: torch.randn(value.shape, generator=random)
        if value.is_floating_point()
        else torch.randint(0, 2, value.shape, generator=random).to(value.dtype)
        for name, value in graph.inputs.items()
    }
    with torch.inference_mode():
        answered = graph.module(**inputs)
    return [answered] if isinstance(answered, torch.Tensor) else list(answered)


@pytest.mark.parametrize("model", ["tiny_test", "tiny_hiera_test", "etam_nano"])
@pytest.mark.parametrize(
    ("precision", "layout", "same"),
    [
        ("fp32", PADDED, {"encode_image", "self_attend", *IN_FLOAT32}),
        ("bf16", BY_LENGTH, IN_FLOAT32),
        ("fp16", PADDED, IN_FLOAT32),
    ],
)
def test_what_is_said_to_be_the_same_computes_the_same_bit_for_bit(
    model: str, precision: str, layout: str, same: set[str]
) -> None:
    ours, theirs = graphs_of(model, "fp32", BY_LENGTH), graphs_of(model, precision, layout)
    other = replace(KEY, precision=precision, layout=layout)
    assert {name for name in ours if is_same_graph(name, KEY, other)} == same
    assert {name for name in ours if is_same_graph(name, other, KEY)} == same
    for name in same:
        graph, twin = ours[name], theirs[name]
        assert (graph.outputs, graph.free) == (twin.outputs, twin.free)
        assert list(graph.inputs) == list(twin.inputs)
        for value, other_value in zip(answer(graph), answer(twin), strict=True):
            assert torch.equal(value, other_value)


@pytest.mark.parametrize(
    "changed",
    [{"model": "etam_nano"}, {"weights_hash": "1" * 64}, {"opset": OPSET + 1}, {"format": 0}],
)
def test_graphs_of_other_models_weights_and_versions_are_others(
    changed: dict[str, object],
) -> None:
    other = replace(KEY, **changed)
    assert not any(
        is_same_graph(name, KEY, other) for name in graphs_of("tiny_test", "fp32", BY_LENGTH)
    )
