"""The common interface of the tracker and the methods that it is compared with.

Letters: H, W height and width of a frame or an image in pixels.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from etam_ros.config import TrackerConfig
from etam_ros.errors import ConfigError
from etam_ros.evaluation.sequences import VOID_ID
from etam_ros.evaluation.truth_prompts import correct_object, prompt_object
from etam_ros.records import Frame, ObjectState, Prompt
from etam_ros.runtime import Stages
from etam_ros.tracking import Tracker

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


class VideoSegmenter(Protocol):
    """Segments objects through one video, frame by frame."""

    def reset(self) -> None:
        """Remove all objects, because another video begins."""
        ...

    def step(self, frame: Frame) -> NDArray[np.uint16]:
        """Process the next frame; returns object ids (H, W), 0 for the background."""
        ...

    def add_object(self, object_id: int, truth: Mask, kind: str) -> Mask:
        """Track one more object, starting on the newest frame.

        Args:
            object_id: 1..65535, not used yet.
            truth: (H, W) bool, not empty; only used to make the prompt.
            kind: of the prompt, one of PROMPT_KINDS.

        Returns:
            (H, W) bool, its mask on that frame.

        Raises:
            PromptError: the object is too small for such a prompt.
        """
        ...


class ImageSegmenter(Protocol):
    """Segments objects in one image after the other."""

    def set_image(self, image: Image) -> None:
        """Set the image, (H, W, 3) uint8 RGB."""
        ...

    def segment(self, truth: Mask, kind: str) -> Mask:
        """The mask (H, W) for a prompt that is made from an object's truth.

        Raises:
            PromptError: the object is too small for such a prompt.
        """
        ...


class CorrectableSegmenter(VideoSegmenter, Protocol):
    """A segmenter that an operator can correct, and whose prompts can be repeated."""

    @property
    def label_image(self) -> NDArray[np.uint16]:
        """Object ids (H, W) of the newest frame, including prompts since then."""
        ...

    def correct(self, object_id: int, truth: Mask, clicks: int) -> Mask:
        """Correct an object on the newest frame by clicks, each at the largest error.

        Args:
            truth: (H, W) bool, not empty.

        Returns:
            (H, W) bool, its mask after the last click.

        Raises:
            PromptError: a click is refused.
        """
        ...

    def take_prompts(self) -> list[Prompt]:
        """The prompts since the last call, in order."""
        ...

    def replay(self, prompt: Prompt) -> None:
        """Repeat a prompt, on the frame on which it was given."""
        ...


class TrackerVideoSegmenter:
    """The tracker on videos, for any number of objects."""

    def __init__(self, stages: Stages) -> None:
        self._tracker = Tracker(stages, TrackerConfig(max_objects=VOID_ID))
        self._prompts: list[Prompt] = []

    def reset(self) -> None:
        """Remove all objects."""
        self._tracker.reset()
        self._prompts = []

    def step(self, frame: Frame) -> NDArray[np.uint16]:
        """Track one frame."""
        return self._tracker.step(frame).label_image

    @property
    def label_image(self) -> NDArray[np.uint16]:
        """Object ids of the newest frame; see CorrectableSegmenter."""
        result = self._tracker.result
        if result is None:
            raise ConfigError(
                "the tracker was prompted before its first frame, expected a "
                "frame: call step first"
            )
        return result.label_image

    def add_object(self, object_id: int, truth: Mask, kind: str) -> Mask:
        """Prompt an object; see VideoSegmenter."""
        return prompt_object(self._ask, object_id, truth, kind)

    def correct(self, object_id: int, truth: Mask, clicks: int) -> Mask:
        """Correct an object; see CorrectableSegmenter."""
        seen = self.label_image == object_id
        return correct_object(self._ask, object_id, seen, truth, clicks)

    def take_prompts(self) -> list[Prompt]:
        """The prompts since the last call; see CorrectableSegmenter."""
        prompts, self._prompts = self._prompts, []
        return prompts

    def replay(self, prompt: Prompt) -> None:
        """Repeat a prompt; see CorrectableSegmenter."""
        self._tracker.add_prompt(prompt)

    def _ask(self, prompt: Prompt) -> ObjectState:
        state = self._tracker.add_prompt(prompt)
        self._prompts.append(prompt)
        return state


class TrackerImageSegmenter:
    """The tracker's mask for a first prompt."""

    def __init__(self, stages: Stages) -> None:
        self._tracker = Tracker(stages)
        self._next_id = 1

    def set_image(self, image: Image) -> None:
        """Encode an image."""
        self._tracker.reset()
        self._tracker.step(Frame(image))
        self._next_id = 1

    def segment(self, truth: Mask, kind: str) -> Mask:
        """Prompt an object and remove it again, so that objects do not affect each other."""
        object_id, self._next_id = self._next_id, self._next_id + 1
        try:
            return prompt_object(self._tracker.add_prompt, object_id, truth, kind)
        finally:
            if object_id in self._tracker.object_ids:
                self._tracker.remove(object_id)
