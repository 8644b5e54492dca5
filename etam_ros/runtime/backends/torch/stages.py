"""The stages on PyTorch, eager, on a CPU or a CUDA device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields
from typing import Any, TypeVar

import torch
from torch import Tensor

from etam_ros.errors import BackendError
from etam_ros.model import EfficientTAM
from etam_ros.model.config import ModelConfig
from etam_ros.runtime.stages import (
    DecodedMasks,
    EncodedImage,
    MemoryBatch,
    ModelTraits,
    StageConstants,
    Stages,
    StageSizes,
)

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
Picked = TypeVar("Picked", StageSizes, ModelTraits)


def choose_device(device: str) -> torch.device:
    """auto is CUDA where there is one.

    Raises:
        BackendError: CUDA is asked for and PyTorch cannot use it.
    """
    usable = torch.cuda.is_available()
    if device == "cuda" and not usable:
        raise BackendError(
            "device is cuda, but PyTorch finds no CUDA device here: use cpu, or install a torch "
            "built for your GPU (`etam doctor` shows what is installed)"
        )
    return torch.device("cuda" if usable and device != "cpu" else "cpu")


def sizes_of(network: EfficientTAM) -> StageSizes:
    """What the tracker has to know of a network."""
    return _picked(StageSizes, network.config)


def traits_of(config: ModelConfig) -> ModelTraits:
    """What a model of a configuration does."""
    return _picked(ModelTraits, config)


def _picked(kind: type[Picked], config: ModelConfig) -> Picked:
    """What a configuration says under the same names."""
    values: dict[str, Any] = {item.name: getattr(config, item.name) for item in fields(kind)}
    return kind(**values)


def constants_of(network: EfficientTAM) -> StageConstants:
    """What the tracker applies of a network, on its device."""
    occluded = network.no_obj_embed_spatial
    return StageConstants(
        no_memory=network.no_mem_embed.detach().float().reshape(1, -1, 1, 1),
        mask_prompt_weight=network.mask_downsample.weight.detach().float(),
        mask_prompt_bias=network.mask_downsample.bias.detach().float(),  # type: ignore[union-attr]
        occluded_memory=None
        if occluded is None
        else occluded.detach().float().reshape(1, -1, 1, 1),
    )


def reduce_precision(network: EfficientTAM, precision: str) -> torch.dtype:
    """Bring the weights of image encoder and memory attention to a precision, in place.

    The mask decoder's choices (best IoU, presence) flip in bf16, and what the memory encoder
    rounds is read in every later frame; both together are few of the operations. Buffers, which
    hold position tables, stay in float32, too.
    """
    dtype = DTYPES[precision]
    for part in (network.image_encoder, network.memory_attention):
        for parameter in part.parameters():
            parameter.data = parameter.data.to(dtype)
    return dtype


class TorchStages(Stages):
    """A network on PyTorch, launched operation by operation.

    Attributes:
        threads: how many compute on a CPU, as many as torch had when the network was opened; the
            caller may have turned to one meanwhile.
    """

    def __init__(
        self,
        network: EfficientTAM,
        *,
        device: torch.device,
        precision: str = "fp32",
    ) -> None:
        self.sizes, self.traits = sizes_of(network), traits_of(network.config)
        torch_is = "eager torch" if device.type == "cuda" else "torch"
        self.name = f"{network.config.name} on {torch_is}, {device.type}, {precision}"
        self.device = device
        self.network = network.fuse().to(device)
        self.threads = torch.get_num_threads()
        self.constants = constants_of(network)
        self.dtype = reduce_precision(network, precision)

    @torch.inference_mode()
    def _encode_image(self, image: Tensor) -> EncodedImage:
        with self._computing():
            feature, *skips = self.network.encode_image(image.to(self.dtype))
            return EncodedImage(feature.float(), tuple(skip.float() for skip in skips))

    @torch.inference_mode()
    def _attend_memory(self, feature: Tensor, bank: MemoryBatch) -> Tensor:
        feature = feature.to(self.dtype)
        conditioned = feature.new_empty(
            (len(bank.temporal_index), *feature.shape[1:]), dtype=torch.float32
        )
        with self._computing():
            seen = self.network.self_attend(feature)
        for rows in self._rows_of_equal_length(bank):
            first = rows[0]
            used = bank.temporal_index[first] >= 0
            pointers, ages = int(bank.pointer_count[first]), bank.pointer_ages
            with self._computing():
                conditioned[rows] = self.network.cross_attend(
                    seen,
                    bank.memories[rows][:, used].to(self.dtype),
                    bank.temporal_index[rows][:, used],
                    bank.pointers[rows, :pointers].to(self.dtype),
                    pointer_ages=None if ages is None else ages[rows, :pointers],
                ).float()
        return conditioned

    def _rows_of_equal_length(self, bank: MemoryBatch) -> list[list[int]]:
        """Which objects run together: exact by length, without padding.

        On a CPU each runs alone: a batch gains nothing there, and rounding that depends on the
        batch would let one object touch another.
        """
        if self.device.type == "cpu":
            return [[row] for row in range(len(bank.temporal_index))]
        groups: dict[tuple[object, ...], list[int]] = {}
        used = (bank.temporal_index >= 0).tolist()
        for row, key in enumerate(zip(map(tuple, used), bank.pointer_count.tolist(), strict=True)):
            groups.setdefault(key, []).append(row)
        return list(groups.values())

    @torch.inference_mode()
    def _decode_mask(
        self,
        feature: Tensor,
        points: Tensor,
        labels: Tensor,
        mask_logits: Tensor | None,
        skips: tuple[Tensor, ...],
    ) -> DecodedMasks:
        with self._computing():
            parts = [
                self.network.decode_mask(
                    feature[rows],
                    points[rows],
                    labels[rows],
                    None if mask_logits is None else mask_logits[rows],
                    skips,
                )
                for rows in self._chunks(len(feature))
            ]
        return DecodedMasks(*(torch.cat(values) for values in zip(*parts, strict=True)))

    @torch.inference_mode()
    def _encode_memory(self, feature: Tensor, mask_logits: Tensor, binarize: Tensor) -> Tensor:
        one_by_one = self.device.type == "cpu"
        with self._computing():
            parts = [
                self.network.encode_memory(
                    feature,
                    mask_logits[rows],
                    bool(binarize[rows]) if one_by_one else binarize[rows],
                )
                for rows in self._chunks(len(mask_logits))
            ]
        return torch.cat(parts)

    def _chunks(self, batch: int) -> list[slice]:
        """As `_rows_of_equal_length`, where every row has the same length."""
        size = 1 if self.device.type == "cpu" else batch
        return [slice(start, start + size) for start in range(0, batch, size)]

    def _computing(self) -> AbstractContextManager[None]:
        return computing(self.device, self.threads)

    def close(self) -> None:
        vars(self).pop("network", None)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


@contextmanager
def computing(device: torch.device, threads: int) -> Iterator[None]:
    """Compute on so many threads, and in float32 what is to be in float32."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with full_float32(device):
            yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def full_float32(device: torch.device) -> Iterator[None]:
    """Compute convolutions in float32 as they are.

    PyTorch lets cuDNN round what it multiplies to TF32, which has float16's mantissa: not what
    mask decoder and memory encoder stay in float32 for.
    """
    if device.type != "cuda":
        yield
        return
    now = torch.backends.cudnn
    with now.flags(
        enabled=now.enabled,
        benchmark=now.benchmark,
        deterministic=now.deterministic,
        allow_tf32=False,
    ):
        yield
