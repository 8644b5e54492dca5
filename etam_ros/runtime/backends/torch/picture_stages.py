"""What segments single pictures alone: EfficientSAM on PyTorch, on a CPU or a CUDA device.

Letters: Q queries, P points, S image side, h = w feature grid, D hidden dim.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final

import torch
from torch import Tensor

from etam_ros.errors import BackendError
from etam_ros.model import EfficientSAM, any_model_config
from etam_ros.model.config import segments_pictures_alone
from etam_ros.model.efficientsam.prompt_encoder import POINTS
from etam_ros.runtime.backend import EngineRequest
from etam_ros.runtime.backends.torch.backend import TorchBackend
from etam_ros.runtime.backends.torch.stages import DTYPES, choose_device, computing
from etam_ros.runtime.backends.torch.weights import open_picture_network
from etam_ros.runtime.stages import check

QUERIES_AT_ONCE: Final = 16
"""On CUDA; a CPU gains nothing from more than one, and rounds each alike whatever the others."""


class PictureStages:
    """The two stages of a network that remembers nothing; a context manager.

    Args:
        network: in float32 on the CPU; it is taken over.
        device: on which it shall run.
        precision: of the image encoder: fp32, bf16 or fp16. The rest stays in float32.

    Attributes:
        name: what runs, for people.
        image_size: S.
        most_points: of a query; those beyond are left out.
        device: where inputs are expected.
    """

    most_points: int = POINTS

    def __init__(self, network: EfficientSAM, device: torch.device, precision: str) -> None:
        self.name = f"{network.config.name} on torch, {device.type}, {precision}"
        self.image_size = network.config.image_size
        self.device = device
        self._grid, self._dim = network.config.grid, network.config.hidden_dim
        self._dtype = DTYPES[precision]
        self._threads = torch.get_num_threads()
        network.image_encoder.trunk.fuse_position_embedding()
        network.image_encoder.to(self._dtype)
        self._network = network.to(device)

    @torch.inference_mode()
    def encode_image(self, image: Tensor) -> Tensor:
        """(1, 3, S, S) float32, normalised -> (1, D, h, w) float32."""
        check("encode_image", "image", image, (1, 3, self.image_size, self.image_size))
        with self._computing():
            return self._network.encode_image(image.to(self._dtype)).float()

    @torch.inference_mode()
    def answer(self, feature: Tensor, points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Answer queries about a picture, each by itself.

        Args:
            feature: (1, D, h, w), as `encode_image` gave it.
            points: (Q, P, 2) float32 in pixels of the network's input.
            labels: (Q, P) int64, POINT_ constants.

        Returns:
            mask logits (Q, 3, 4h, 4w) and estimates of their IoU (Q, 3), which are not bounded.
        """
        queries = len(points)
        check("answer", "feature", feature, (1, self._dim, self._grid, self._grid))
        check("answer", "points", points, (queries, None, 2))
        check("answer", "labels", labels, (queries, points.shape[1]))
        size = 1 if self.device.type == "cpu" else QUERIES_AT_ONCE
        with self._computing():
            parts = [
                self._network.answer(
                    feature, points[start : start + size], labels[start : start + size]
                )
                for start in range(0, queries, size)
            ]
        mask_logits, iou_scores = zip(*parts, strict=True)
        return torch.cat(mask_logits), torch.cat(iou_scores)

    def _computing(self) -> AbstractContextManager[None]:
        """On as many threads as when it was opened."""
        return computing(self.device, self._threads)

    def close(self) -> None:
        """Free the weights; it can be closed again, but not called."""
        vars(self).pop("_network", None)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def __enter__(self) -> PictureStages:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def is_picture_model(model: str) -> bool:
    """Whether a model segments single pictures alone.

    Raises:
        ConfigError: no model has that name.
    """
    return segments_pictures_alone(any_model_config(model))


def open_picture_stages(request: EngineRequest) -> PictureStages:
    """Open a model that segments single pictures alone.

    Raises:
        BackendError: another backend than torch is asked for, or this machine cannot run it.
        ConfigError, WeightsError: as `open_stages`.
    """
    if request.backend not in ("auto", TorchBackend.name):
        raise BackendError(
            f"backend is {request.backend}, but {request.model} runs only on torch: use "
            "--backend torch"
        )
    device = choose_device(request.device)
    precision = TorchBackend.choose_precision(request.precision, device.type)
    return PictureStages(open_picture_network(request.model, request.weights), device, precision)
