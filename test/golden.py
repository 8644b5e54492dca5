"""Golden trajectories of the official models: what a case asks, and whether a run matches it."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from etam_ros import Frame, Prompt
from etam_ros.records import ObjectState

SCORE_TOLERANCE = 1e-3
LOGIT_TOLERANCE = {np.dtype(np.float32): 2e-3, np.dtype(np.float16): 1e-2}
RELATIVE_TOLERANCE = {"efficienttam": 0.0, "sam2": 1e-3}
"""What is added for each logit, as a share of it."""
SIGN_AGREEMENT = 0.999
CASE_PIXELS = 512
BY_COMMAND = (("", "clicks_and_mask"), ("sam2", "clicks_and_mask"), ("sam2", "small_512"))
"""Families and names of the cases that run through `etam track`; all others through `Tracker`."""


@dataclass(frozen=True)
class GoldenCase:
    """One case of cases.json; coordinates scaled to the model's input."""

    name: str
    folder: Path
    settings: dict[str, Any]

    @property
    def model(self) -> str:
        named = str(self.settings["model"])
        own = named.startswith(("sam2", "efficientsam"))
        return named if own else f"efficienttam_{named}"

    @property
    def root(self) -> Path:
        """Where frames and the making of weights lie, for both families."""
        return self.folder if (self.folder / "frames").exists() else self.folder.parent

    @property
    def relative_tolerance(self) -> float:
        return RELATIVE_TOLERANCE["sam2" if self.model.startswith("sam2") else "efficienttam"]

    @property
    def scale(self) -> int:
        return 1 if self.model.endswith("512x512") else 2

    def save_weights(self, path: Path) -> Path:
        """Write the case's weights as an official checkpoint is written."""
        shapes = json.loads((self.folder / "state_dict_shapes.json").read_text())
        spec = importlib.util.spec_from_file_location(
            "seeded_weights", self.root / "seeded_weights.py"
        )
        assert spec is not None
        assert spec.loader is not None
        seeded_weights = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(seeded_weights)
        named = self.settings["model"].removesuffix("_512x512")
        state = seeded_weights.seeded_state_dict(
            shapes[named if named in shapes else named.split("_")[0]],
            self.settings["seed"],
            self.settings.get("score_bias", 0.6),
            self.settings.get("scale"),
        )
        tensors = {name: torch.from_numpy(np.asarray(value)) for name, value in state.items()}
        torch.save({"model": tensors}, path)
        return path

    def image(self) -> np.ndarray:
        """The picture of a case of single pictures, (H, W, 3) uint8 BGR."""
        given = self.settings["image"]
        image = cv2.imread(str(self.root / "frames" / f"{given['frame']:05d}.png"))
        x0, y0, x1, y1 = given.get("crop", (0, 0, CASE_PIXELS, CASE_PIXELS))
        repeat = given.get("repeat", 1)
        return image[y0:y1, x0:x1].repeat(repeat, axis=0).repeat(repeat, axis=1)

    def frames(self) -> Iterator[Frame]:
        """The case's frames at the model's size, every pixel repeated where that is 1024."""
        for index in range(self.settings["frames"]):
            image = cv2.imread(str(self.root / "frames" / f"{index:05d}.png"))
            image = np.ascontiguousarray(image[:, :, ::-1])
            yield Frame(image.repeat(self.scale, axis=0).repeat(self.scale, axis=1))

    def prompts(self, frame: int) -> Iterator[Prompt]:
        """The prompts of one frame, in order."""
        for given in self.settings["prompts"]:
            if given["frame"] == frame:
                yield self._prompt(given)

    def _prompt(self, given: dict[str, Any]) -> Prompt:
        size = CASE_PIXELS * self.scale
        mask = None
        if "mask_box" in given:
            x0, y0, x1, y1 = (value * self.scale for value in given["mask_box"])
            mask = np.zeros((size, size), dtype=bool)
            mask[y0:y1, x0:x1] = True
        box = given.get("box")
        return Prompt(
            object_id=given["object_id"],
            points=[(x * self.scale, y * self.scale) for x, y in given.get("points", [])],
            point_labels=given.get("labels", []),
            box=None if box is None else tuple(value * self.scale for value in box),
            mask=mask,
            keep_previous=given.get("keep", False),
        )

    def reference(self) -> dict[str, np.ndarray]:
        with np.load(self.folder / f"{self.name}.npz") as stored:
            return dict(stored)


def golden_cases(folder: Path) -> dict[str, GoldenCase]:
    settings = json.loads((folder / "cases.json").read_text())
    return {name: GoldenCase(name, folder, value) for name, value in settings.items()}


def assert_match(
    reference: dict[str, np.ndarray], key: str, state: ObjectState, relative: float = 0.0
) -> None:
    """Hold one object on one frame against the reference, within the stated tolerances."""
    assert_logits_match(
        reference,
        key,
        state.mask_logits.numpy(),
        state.object_score_logit,
        state.pointer.numpy(),
        relative,
    )


def assert_logits_match(
    reference: dict[str, np.ndarray],
    key: str,
    mask_logits: np.ndarray,
    score: float,
    pointer: np.ndarray,
    relative: float = 0.0,
) -> None:
    """The same for plain arrays."""
    expected = reference[f"{key}_mask_logits"]
    tolerance = LOGIT_TOLERANCE[expected.dtype]
    exact = expected.astype(np.float32)
    difference = (np.abs(mask_logits - exact) - relative * np.abs(exact)).max()
    agreement = ((mask_logits > 0) == (expected > 0)).mean()
    assert difference <= tolerance, f"{key}: logits differ by {difference}"
    assert agreement >= SIGN_AGREEMENT, f"{key}: only {agreement:.4f} of the signs agree"
    assert abs(score - reference[f"{key}_score"][0]) <= SCORE_TOLERANCE, key
    assert np.abs(pointer - reference[f"{key}_ptr"]).max() <= SCORE_TOLERANCE, key
