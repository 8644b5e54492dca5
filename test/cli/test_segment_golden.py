"""`etam segment` gives the logits, estimates and masks of the official EfficientSAM."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from etam_ros.cli.main import run

sys.path.insert(0, str(Path(__file__).parents[1]))
from golden import LOGIT_TOLERANCE, SCORE_TOLERANCE, SIGN_AGREEMENT, golden_cases

RELATIVE = 1e-3
CASES = ["ti_wide", "ti_tall", "s_wide"]
"""With a box, a box and a click, too many points, wide and tall pictures; a few seconds each."""


def beyond_tolerance(actual: np.ndarray, expected: np.ndarray) -> float:
    exact = expected.astype(np.float32)
    return float((np.abs(actual - exact) - RELATIVE * np.abs(exact)).max())


@pytest.mark.parametrize("name", CASES)
def test_answers_match_the_official_model(shared: Path, tmp_path: Path, name: str) -> None:
    case = golden_cases(shared / "golden" / "efficientsam")[name]
    case.save_weights(tmp_path / "w.pt")
    image = case.image()
    cv2.imwrite(str(tmp_path / "image.png"), image)
    (tmp_path / "prompts.json").write_text(json.dumps(case.settings["prompts"]))
    arguments = [
        "segment", tmp_path / "image.png", "--prompts", tmp_path / "prompts.json",
        "--model", case.model, "--weights", tmp_path / "w.pt", "--backend", "torch",
        "--precision", "fp32", "--device", "cpu", "--save-logits", "--out", tmp_path / "out",
    ]  # fmt: skip
    assert run([str(argument) for argument in arguments]) == 0
    reference = case.reference()
    height, width = image.shape[:2]
    with np.load(tmp_path / "out" / "logits.npz") as ours:
        for index in range(len(case.settings["prompts"])):
            expected, actual = reference[f"q{index}_mask_logits"], ours[f"q{index}_mask_logits"]
            assert actual.shape == expected.shape == (3, 256, 256)
            assert beyond_tolerance(actual, expected) <= LOGIT_TOLERANCE[expected.dtype]
            assert ((actual >= 0) == (expected >= 0)).mean() >= SIGN_AGREEMENT
            estimates = ours[f"q{index}_iou"]
            assert np.abs(estimates - reference[f"q{index}_iou"]).max() <= SCORE_TOLERANCE
            bits = np.unpackbits(reference[f"q{index}_mask"])[: height * width]
            mask = bits.reshape(height, width) > 0
            assert (ours[f"q{index}_mask"] == mask).mean() >= SIGN_AGREEMENT
