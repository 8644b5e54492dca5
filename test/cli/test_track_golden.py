"""`etam track` gives the logits of the official models, from files as a user has them."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from etam_ros.cli.main import run
from etam_ros.media.label_png import encode_label_png

sys.path.insert(0, str(Path(__file__).parents[1]))
from golden import BY_COMMAND, LOGIT_TOLERANCE, SCORE_TOLERANCE, SIGN_AGREEMENT, golden_cases


@pytest.fixture(params=BY_COMMAND, ids=" ".join)
def case(request, shared):
    family, name = request.param
    return golden_cases(shared / "golden" / family)[name]


@pytest.fixture
def golden(case, tmp_path):
    """A case of the reference data as a user would have it: frames, weights, prompts."""
    case.save_weights(tmp_path / "weights.pt")
    (tmp_path / "frames").mkdir()
    for index in range(case.settings["frames"]):
        shutil.copy(case.root / "frames" / f"{index:05d}.png", tmp_path / "frames")
    prompts = []
    for entry in case.settings["prompts"]:
        prompt = dict(entry)
        if "mask_box" in entry:  # becomes a palette picture, in which another value is not meant
            x0, y0, x1, y1 = prompt.pop("mask_box")
            ids = np.full((512, 512), 9, np.uint8)
            ids[y0:y1, x0:x1] = 5
            (tmp_path / "mask.png").write_bytes(encode_label_png(ids))
            prompt.update(mask="mask.png", mask_value=5)
        prompts.append(prompt)
    (tmp_path / "prompts.json").write_text(json.dumps(prompts))
    return tmp_path


def test_logits_match_the_official_model(case, golden):
    arguments = [
        "track", golden / "frames", "--out", golden / "out", "--prompts", golden / "prompts.json",
        "--model", case.model, "--weights", golden / "weights.pt",
        "--precision", "fp32", "--device", "cpu", "--save-logits", "--no-overlay",
    ]  # fmt: skip
    assert run([str(argument) for argument in arguments]) == 0
    reference = case.reference()
    with np.load(golden / "out/logits.npz") as ours:
        keys = [key for key in reference if key.startswith("f")]
        assert set(keys) == set(ours)
        for key in keys:
            expected, actual = reference[key].astype(np.float32), ours[key]
            assert actual.shape == expected.shape, key
            tolerance = SCORE_TOLERANCE
            if not key.endswith("score"):
                tolerance = LOGIT_TOLERANCE[reference[key].dtype]
            beyond = np.abs(actual - expected) - case.relative_tolerance * np.abs(expected)
            assert beyond.max() < tolerance, key
            if key.endswith("mask_logits"):
                assert ((actual > 0) == (expected > 0)).mean() >= SIGN_AGREEMENT, key
