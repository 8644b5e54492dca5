"""What the demo does: as it is told, with what stands for options that are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from etam_ros.demo.config import SLOW_HZ, UNTRAINED, DemoConfig
from etam_ros.errors import PromptError, WeightsError
from etam_ros.records import FOREGROUND, Prompt
from etam_ros.runtime.backends.torch.weights import resolve_weights

_GPU_FILES: Final = ("/dev/nvidiactl", "/dev/nvhost-gpu", "/dev/nvgpu")


@dataclass(frozen=True)
class DemoOptions:
    """What the demo shall do.

    Attributes:
        out: folder for what it leaves.
        model: name of the model.
        weights: a file, or random:SEED.
        rate_hz: images per second; 0 takes the clip's own.
        frames: images after which it ends.
        prompts: what to follow; empty: the first objects of a clip with ground truth, or whatever
            lies in the middle.
    """

    out: Path
    model: str
    weights: str
    rate_hz: float
    frames: int
    prompts: Sequence[Prompt] = ()

    @property
    def trained(self) -> bool:
        """Whether the weights have learned anything."""
        return not self.weights.startswith("random:")


def settled(config: DemoConfig) -> DemoOptions:
    """What the demo does, with what was left out filled in.

    Weights become the model's own if they are here, else random ones. Without a GPU, the rate
    becomes one that the default model keeps up with.

    Raises:
        ConfigError: there is no such model, or it follows nothing.
        PromptError: a click or a box is malformed.
    """
    weights, rate_hz = config.weights, config.rate_hz
    if not weights:
        try:
            weights = resolve_weights(config.model, "")
        except WeightsError:
            weights = UNTRAINED
    if not rate_hz and not any(Path(file).exists() for file in _GPU_FILES):
        rate_hz = SLOW_HZ
    prompts = prompts_from_text(config.click, config.box)
    return DemoOptions(Path(config.out), config.model, weights, rate_hz, config.frames, prompts)


def prompts_from_text(clicks: Sequence[str], boxes: Sequence[str]) -> list[Prompt]:
    """One new object for each click "X,Y" and each box "X0,Y0,X1,Y1", in pixels.

    Raises:
        PromptError: one of them is malformed.
    """
    prompts: list[Prompt] = []
    for text in clicks:
        x, y = _numbers("--click", text, "X,Y")
        prompts.append(Prompt(len(prompts) + 1, points=[(x, y)], point_labels=[FOREGROUND]))
    for text in boxes:
        x0, y0, x1, y1 = _numbers("--box", text, "X0,Y0,X1,Y1")
        prompts.append(Prompt(len(prompts) + 1, box=(x0, y0, x1, y1)))
    return prompts


def _numbers(option: str, text: str, expected: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != len(expected.split(",")):
        raise PromptError(f"{option} is {text!r}, expected {expected} in pixels, without spaces")
    return numbers
