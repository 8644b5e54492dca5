"""Who follows objects: the tracker, and what it is compared with, behind the same three calls.

Letters: H, W height and width of a frame in pixels.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from etam_ros.config import TrackerConfig
from etam_ros.evaluation.sequences import NOT_JUDGED
from etam_ros.evaluation.truth_prompts import prompt_object
from etam_ros.records import Frame
from etam_ros.runtime import Stages
from etam_ros.tracking import Tracker

Mask = NDArray[np.bool_]


class Follower(Protocol):
    """Follows objects through one video, from frame to frame."""

    def reset(self) -> None:
        """Forget everything: another video begins."""
        ...

    def step(self, frame: Frame) -> NDArray[np.uint16]:
        """Object ids (H, W) of the next frame, 0 the background."""
        ...

    def start(self, object_id: int, truth: Mask, kind: str) -> Mask:
        """Follow one more object, from the newest frame on.

        Args:
            object_id: 1..65535, not used yet.
            truth: (H, W) bool, not empty; used as far as the prompt tells of it.
            kind: of the prompt, one of PROMPT_KINDS.

        Returns:
            (H, W) bool, its mask on that frame.

        Raises:
            PromptError: the object is too small for such a prompt.
        """
        ...


class TrackerFollower:
    """The tracker as a Follower.

    Args:
        stages: the network.
        config: of the tracker; by default one for as many objects as ground truth can hold.
    """

    def __init__(self, stages: Stages, config: TrackerConfig | None = None) -> None:
        self._tracker = Tracker(stages, config or TrackerConfig(max_objects=NOT_JUDGED))

    def reset(self) -> None:
        """Forget everything."""
        self._tracker.reset()

    def step(self, frame: Frame) -> NDArray[np.uint16]:
        """Track one frame."""
        return self._tracker.step(frame).label_image

    def start(self, object_id: int, truth: Mask, kind: str) -> Mask:
        """Prompt an object; see Follower."""
        return prompt_object(self._tracker, object_id, truth, kind)
