"""The stages in fixed shapes: nothing is allocated, chosen or waited for within a frame.

Objects run together in buckets of 1, 2, 4, 8 or 16, padded up. Banks have two lengths. The usual
one holds what an object with one prompted frame ever has, so that a stream keeps one shape from
its first frame on: adding an object or filling a bank makes nothing new. The other holds what
corrections add. On CUDA every graph is captured once and replayed.

Points are exact by their number: one more empty point would change the masks. A tracked frame
has one; other numbers come with prompts, are rare, and are launched without a capture.

Letters as in `stages`; M memory slots, R pointer slots.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import torch
from torch import Tensor

from etam_ros.config import TrackerConfig
from etam_ros.errors import ConfigError, StageError
from etam_ros.runtime.exported import CROSS_ATTEND_FIRST
from etam_ros.runtime.stages import (
    DecodedMasks,
    EncodedImage,
    MemoryBatch,
    ModelTraits,
    StageConstants,
    Stages,
    StageSizes,
)
from etam_ros.runtime.static_graphs import GraphCapture, StaticGraph, StaticGraphs

BUCKETS: Final = (1, 2, 4, 8, 16)
"""Numbers of objects that run together; more run in several passes."""
CROSS_ATTEND_FULL: Final = "cross_attend_full"
"""The graph cross_attend without empty slots, for runtimes that are faster so."""
USUAL_POINTERS: Final = 16
"""Of one prompted frame and the 15 frames before."""
MORE: Final = 3
"""Memories and pointers that further prompted frames add, as far as the tracker keeps them."""
EMPTY_LABEL: Final = -1


def bucket_of(objects: int) -> int:
    """The bucket that holds so many objects, at most the largest."""
    return next((bucket for bucket in BUCKETS if bucket >= objects), BUCKETS[-1])


class FixedStages(Stages):
    """A model's graphs as stages; outputs are copies that belong to the caller.

    Args:
        graphs: of the model; closed with the stages.
        sizes, traits, constants: of the model.
        name: what runs, for people.
    """

    def __init__(
        self,
        graphs: StaticGraphs,
        sizes: StageSizes,
        traits: ModelTraits,
        constants: StageConstants,
        name: str,
    ) -> None:
        self.name, self.sizes, self.traits, self.constants = name, sizes, traits, constants
        self.device = graphs.device
        self._graphs = graphs
        self._made: dict[tuple[object, ...], StaticGraph] = {}
        self._capture = GraphCapture(self.device) if self.device.type == "cuda" else None
        self._rows = torch.arange(BUCKETS[-1], device=self.device)

    def check_serves(self, config: TrackerConfig) -> None:
        """Refuse a configuration whose banks may be longer than the graphs take."""
        conditioning = config.conditioning_memories
        for letter, setting, recent in (
            ("M", "recent_memories", min(config.recent_memories, self.sizes.memory_frames - 1)),
            ("R", "recent_pointers", config.recent_pointers),
        ):
            most = self._graphs.longest.get(letter)
            if most is not None and not 0 < conditioning <= most - recent:
                raise ConfigError(
                    f"tracker.conditioning_memories is {conditioning or '0, all,'} and "
                    f"tracker.{setting} {getattr(config, setting)}, but {self.name} takes at most "
                    f"{most} {_MEANINGS[letter]}: keep fewer, or use backend torch"
                )

    @torch.inference_mode()
    def warm_up(self, objects: int) -> None:
        """Make the graphs of every bucket up to so many objects."""
        for graph in ("encode_image", "self_attend"):
            self._graph_for(graph)
        memories, pointers = self._bank_lengths(1, 1)
        for bucket in reversed([each for each in BUCKETS if each <= bucket_of(objects)]):
            for graph in (CROSS_ATTEND_FULL, "cross_attend"):
                if graph in self._graphs.inputs:
                    self._graph_for(graph, B=bucket, M=memories, R=pointers)
            if CROSS_ATTEND_FIRST in self._graphs.inputs:
                self._graph_for(CROSS_ATTEND_FIRST, B=bucket, R=pointers)
            self._graph_for("decode_mask", B=bucket, P=1)
            self._graph_for("encode_memory", B=bucket)

    @torch.inference_mode()
    def _encode_image(self, image: Tensor) -> EncodedImage:
        graph = self._graph_for("encode_image")
        graph.buffers["image"].copy_(image)
        feature, *skips = (output.clone() for output in graph.run())
        return EncodedImage(feature, tuple(skips))

    @torch.inference_mode()
    def _attend_memory(self, feature: Tensor, bank: MemoryBatch) -> Tensor:
        self_attend = self._graph_for("self_attend")
        self_attend.buffers["feature"].copy_(feature)
        (seen,) = self_attend.run()
        found: dict[int, Tensor] = {}
        for graph, group in self._groups(bank):
            for rows in _passes(group):
                found.update(zip(rows, self._cross_attend(graph, seen, bank, rows), strict=True))
        return torch.stack([found[row] for row in range(len(found))])

    @torch.inference_mode()
    def _decode_mask(
        self,
        feature: Tensor,
        points: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None,
        skips: tuple[Tensor, ...],
    ) -> DecodedMasks:
        parts = []
        self._check_lengths(P=points.shape[1])
        for rows in _passes(range(len(feature))):
            count, part = len(rows), slice(rows[0], rows[-1] + 1)
            graph = self._graph_for("decode_mask", B=bucket_of(count), P=points.shape[1])
            buffers = graph.buffers
            for level, skip in enumerate(skips):
                buffers[f"skip_{level}"].copy_(skip)
            buffers["feature"][:count].copy_(feature[part])
            buffers["points"][:count].copy_(points[part])
            buffers["labels"][:count].copy_(labels[part])
            buffers["has_mask"].fill_(0.0 if mask_logits is None else 1.0)
            if mask_logits is not None:
                buffers["mask_logits"][:count].copy_(mask_logits[part])
            parts.append([output[:count].clone() for output in graph.run()])
        return DecodedMasks(*map(_joined, zip(*parts, strict=True)))

    @torch.inference_mode()
    def _encode_memory(self, feature: Tensor, mask_logits: Tensor, binarize: Tensor) -> Tensor:
        parts = []
        for rows in _passes(range(len(mask_logits))):
            count, part = len(rows), slice(rows[0], rows[-1] + 1)
            graph = self._graph_for("encode_memory", B=bucket_of(count))
            graph.buffers["feature"].copy_(feature)
            graph.buffers["mask_logits"][:count].copy_(mask_logits[part])
            graph.buffers["binarize"][:count].copy_(binarize[part])
            parts.append(graph.run()[0][:count].clone())
        return _joined(parts)

    def _groups(self, bank: MemoryBatch) -> Iterator[tuple[str, list[int]]]:
        """Which graph reads which rows: a model that pools does not pool a single memory."""
        graphs, lengths = self._graphs.inputs, bank.known_lengths()
        first: list[int] = []
        others: list[int] = []
        for row, (memories, _) in enumerate(lengths):
            alone = CROSS_ATTEND_FIRST in graphs and memories == 1
            (first if alone else others).append(row)
        if first:
            yield CROSS_ATTEND_FIRST, first
        if others:
            slots = (bank.temporal_index.shape[1], bank.pointers.shape[1])
            full = self._bank_lengths(*slots) == slots and all(
                lengths[row] == slots for row in others
            )
            yield (
                CROSS_ATTEND_FULL if full and CROSS_ATTEND_FULL in graphs else "cross_attend",
                others,
            )

    def _bank_lengths(self, memories: int, pointers: int) -> tuple[int, int]:
        """M and R of the graphs for banks of so many slots: usual, usual and more, or double."""
        longest = self._graphs.longest
        self._check_lengths(M=memories, R=pointers)
        usual = (self.sizes.memory_frames, USUAL_POINTERS)
        wider = (usual[0] + MORE, usual[1] + MORE)
        for length in (usual, wider):
            if length[0] >= memories and length[1] >= pointers:
                return length
        while wider[0] < memories or wider[1] < pointers:
            wider = (2 * wider[0], 2 * wider[1])
        most = longest.get("M", wider[0]), longest.get("R", wider[1])
        return min(wider[0], most[0]), min(wider[1], most[1])

    def _check_lengths(self, **lengths: int) -> None:
        for letter, length in lengths.items():
            most = self._graphs.longest.get(letter, length)
            if length > most:
                raise StageError(
                    f"{self.name} takes at most {most} {_MEANINGS[letter]}, got {length}: "
                    "use backend torch, or fewer"
                )

    def _cross_attend(
        self, graph: str, seen: Tensor, bank: MemoryBatch, rows: Sequence[int]
    ) -> Iterator[Tensor]:
        """Some rows of a bank through a graph: one (D, h, w) for each."""
        count, slots = len(rows), bank.temporal_index.shape[1]
        held = bank.pointers.shape[1]
        memory_slots, pointer_slots = self._bank_lengths(slots, held)
        lengths = {"B": bucket_of(count), "M": memory_slots, "R": pointer_slots}
        if graph == CROSS_ATTEND_FIRST:
            del lengths["M"]
        buffers = (static := self._graph_for(graph, **lengths)).buffers
        memories, index = _taken(bank.memories, rows), _taken(bank.temporal_index, rows)
        if graph == CROSS_ATTEND_FIRST:
            used = (index >= 0).int().argmax(dim=1)
            memories = memories[self._rows[:count], used][:, None]
            index = index[self._rows[:count], used][:, None]
            slots = 1
        buffers["seen"].copy_(seen)
        buffers["memories"][:count, :slots].copy_(memories)
        buffers["memories"][:count, slots:].zero_()
        buffers["temporal_index"][:count, :slots].copy_(index.clamp(min=0))
        buffers["pointers"][:count, :held].copy_(_taken(bank.pointers, rows))
        if bank.pointer_ages is not None:
            buffers["pointer_ages"][:count, :held].copy_(_taken(bank.pointer_ages, rows))
        if "empty_memories" in buffers:
            in_use = _taken(bank.pointer_count, rows)[:, None]
            places = torch.arange(held, device=self.device)
            buffers["empty_memories"][:count, :slots].copy_(index < 0)
            buffers["empty_memories"][:count, slots:].fill_(True)
            buffers["empty_pointers"][:count, :held].copy_(places >= in_use)
            buffers["empty_pointers"][:count, held:].fill_(True)
        return iter(static.run()[0][:count].clone())

    def _graph_for(self, graph: str, **lengths: int) -> StaticGraph:
        """A graph for these lengths, made, warmed up and captured at first use."""
        key = (graph, *lengths.items())
        static = self._made.get(key)
        if static is None:
            static = self._made[key] = self._make(graph, lengths)
        return static

    def _make(self, graph: str, lengths: dict[str, int]) -> StaticGraph:
        buffers = {
            name: each.buffer(lengths, self.device)
            for name, each in self._graphs.inputs[graph].items()
        }
        if "labels" in buffers:
            buffers["labels"].fill_(EMPTY_LABEL)
        launch = self._graphs.prepare(graph, buffers)
        if self._capture is not None and lengths.get("P", 1) == 1:
            launch = self._capture.record(launch, f"{graph} {lengths or ''}".strip())
        self._graphs.keep_compiled()
        return StaticGraph(buffers, launch)

    def close(self) -> None:
        """Free the graphs and what they run on, once they have ended."""
        self.synchronize()
        self._made.clear()
        self._capture = None
        self._graphs.keep_compiled()
        self._graphs.close()


_MEANINGS: Final = {"M": "memories of an object", "R": "pointers of an object", "P": "points"}


def _passes(rows: Sequence[int]) -> Iterator[Sequence[int]]:
    """Rows in parts that fit the largest bucket."""
    for start in range(0, len(rows), BUCKETS[-1]):
        yield rows[start : start + BUCKETS[-1]]


def _taken(values: Tensor, rows: Sequence[int]) -> Tensor:
    """Some rows, without sending their numbers to the device; a view where they lie together."""
    first, end = rows[0], rows[-1] + 1
    if end - first == len(rows):
        return values[first:end]
    return torch.stack([values[row] for row in rows])


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))
