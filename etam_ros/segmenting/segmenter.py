"""Segment single pictures by clicks and boxes, with any model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray

from etam_ros.config import DEFAULT_MODEL, EverythingConfig
from etam_ros.device_memory import memory_errors_in_words
from etam_ros.errors import PromptError
from etam_ros.records import Frame, Prompt
from etam_ros.runtime import Stages
from etam_ros.runtime.backend import EngineRequest
from etam_ros.runtime.backends.torch.picture_stages import (
    PictureStages,
    is_picture_model,
    open_picture_stages,
)
from etam_ros.runtime.exported import OnStep
from etam_ros.segmenting.answers import PictureModel, SegmentedObject
from etam_ros.segmenting.everything.found_masks import FoundMask
from etam_ros.segmenting.everything.search import Search
from etam_ros.segmenting.picture_models import EfficientSAMPictures
from etam_ros.segmenting.video_models import VideoModelPictures
from etam_ros.tracking import open_stages
from etam_ros.tracking.prompt_inputs import check_fits
from etam_ros.transforms import one_thread


class Segmenter:
    """Segment objects in single pictures; a context manager that closes its stages.

    All prompts of a picture share its encoding, and their results are independent. Not
    thread-safe: one thread at a time may call it.

    Args:
        stages: the stages of a network, from `open_stages`; `open_segmenter` also opens models
            that only segment single pictures.

    Example::

        with open_segmenter() as segmenter:
            segmenter.set_image(image)
            cup, plate = segmenter.segment([
                Prompt(points=[(320, 240)], point_labels=[1]),
                Prompt(box=(40, 60, 200, 220)),
            ])
    """

    def __init__(self, stages: Stages | PictureStages) -> None:
        self.stages = stages
        self._model: PictureModel = (
            EfficientSAMPictures(stages)
            if isinstance(stages, PictureStages)
            else VideoModelPictures(stages)
        )
        self._frame: Frame | None = None

    @memory_errors_in_words()
    @torch.inference_mode()
    @one_thread()
    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Encode the next picture, (H, W, 3) uint8 RGB of any size.

        Raises:
            ImageError: the array has another shape or type.
        """
        frame = Frame(image)
        self._frame = None
        self._model.set_image(frame)
        self._frame = frame

    @memory_errors_in_words()
    @torch.inference_mode()
    @one_thread()
    def segment(self, prompts: Sequence[Prompt]) -> list[SegmentedObject]:
        """Answer prompts about the newest picture.

        Args:
            prompts: clicks, a box, or both, each for one object, in pixels of the picture. Their
                ids, labels and stamps are ignored.

        Returns:
            one result per prompt, in the same order.

        Raises:
            PromptError: there is no picture yet, a prompt does not fit it or the model, or a
                prompt was given in place of a list.
        """
        frame = self._picture()
        if isinstance(prompts, Prompt):
            raise PromptError("prompts are a single Prompt, expected a list: give [prompt]")
        for prompt in prompts:
            if prompt.mask is not None:
                raise PromptError(
                    "prompt is a mask, expected clicks or a box for a single picture: give one "
                    "of these"
                )
            check_fits(prompt, frame)
        return self._model.segment(prompts) if prompts else []

    def everything(
        self,
        config: EverythingConfig | None = None,
        *,
        on_progress: Callable[[int, int | None], None] = lambda *_: None,
    ) -> list[FoundMask]:
        """Find all objects in the newest picture, with a grid of clicks that share its encoding.

        Args:
            config: the grid, and which masks are kept.
            on_progress: called with the number of finished clicks and their total number.

        Returns:
            each object once, the largest first; parts of objects may be objects, too.

        Raises:
            PromptError: there is no picture yet.
        """
        frame = self._picture()
        self._frame = None  # until the model has all of it again
        search = Search(self._model, frame, config or EverythingConfig(), encoded=True)
        while search.advance():
            on_progress(search.answered, search.clicks)
        self._frame = frame
        return search.found()

    def search(self, image: NDArray[np.uint8], config: EverythingConfig) -> Search:
        """Start to find all objects in a picture, which becomes the newest one.

        Args:
            image: (H, W, 3) uint8 RGB.
            config: the grid, and which masks are kept.

        Returns:
            a search to be advanced step by step; until it ends, do not call the segmenter.
        """
        self._frame = None
        return Search(self._model, Frame(image), config, encoded=False)

    def _picture(self) -> Frame:
        """The newest picture.

        Raises:
            PromptError: there is none.
        """
        if self._frame is None:
            raise PromptError("there is no picture to segment, expected one: call set_image first")
        return self._frame

    def close(self) -> None:
        """Free what the stages hold."""
        self.stages.close()

    def __enter__(self) -> Segmenter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_segmenter(
    model: str = DEFAULT_MODEL,
    *,
    weights: str = "",
    backend: str = "auto",
    precision: str = "auto",
    device: str = "auto",
    engine_dir: str = "",
    build_engines: bool = True,
    on_step: OnStep | None = None,
) -> Segmenter:
    """Load any model for single pictures: a tracking model or EfficientSAM.

    Args:
        model, weights, backend, precision, device, engine_dir, build_engines, on_step: as of
            `open_stages`; EfficientSAM runs on torch.

    Raises:
        ConfigError, BackendError, WeightsError: as `open_stages`.
    """
    if is_picture_model(model):
        request = EngineRequest(model, weights, backend, precision, engine_dir, device)
        return Segmenter(open_picture_stages(request))
    return Segmenter(
        open_stages(
            model,
            weights=weights,
            backend=backend,
            precision=precision,
            device=device,
            engine_dir=engine_dir,
            build_engines=build_engines,
            on_step=on_step,
        )
    )
