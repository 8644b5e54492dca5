"""`etam track` gives the logits of the official model, from files as a user has them."""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from etam_ros.cli.main import run
from etam_ros.media.label_png import encode_label_png

GOLDEN = Path(__file__).parents[3] / "shared" / "golden"
CASE = "clicks_and_mask"


@pytest.fixture
def golden(tmp_path):
    """A case of the reference data as a user would have it: frames, weights, prompts."""
    if not (GOLDEN / "cases.json").exists():
        pytest.skip(f"no reference data in {GOLDEN}")
    case = json.loads((GOLDEN / "cases.json").read_text())[CASE]
    spec = importlib.util.spec_from_file_location("seeded_weights", GOLDEN / "seeded_weights.py")
    seeded_weights = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(seeded_weights)
    family = "s" if case["model"].startswith("s") else "ti"
    shapes = json.loads((GOLDEN / "state_dict_shapes.json").read_text())[family]
    state = seeded_weights.seeded_state_dict(shapes, case["seed"])
    tensors = {name: torch.from_numpy(np.asarray(value)) for name, value in state.items()}
    torch.save({"model": tensors}, tmp_path / "weights.pt")
    (tmp_path / "frames").mkdir()
    for index in range(case["frames"]):
        shutil.copy(GOLDEN / "frames" / f"{index:05d}.png", tmp_path / "frames")
    prompts = []
    for entry in case["prompts"]:
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


def test_logits_match_the_official_model(golden):
    arguments = [
        "track", golden / "frames", "--out", golden / "out", "--prompts", golden / "prompts.json",
        "--model", "efficienttam_ti_512x512", "--weights", golden / "weights.pt",
        "--precision", "fp32", "--device", "cpu", "--save-logits", "--no-overlay",
    ]  # fmt: skip
    assert run([str(argument) for argument in arguments]) == 0
    with np.load(GOLDEN / f"{CASE}.npz") as reference, np.load(golden / "out/logits.npz") as ours:
        keys = [key for key in reference if key.startswith("f")]
        assert set(keys) == set(ours)
        for key in keys:
            expected, actual = reference[key].astype(np.float32), ours[key]
            assert actual.shape == expected.shape, key
            coarse = reference[key].dtype == np.float16
            tolerance = 1e-3 if key.endswith("score") else 1e-2 if coarse else 2e-3
            assert np.abs(actual - expected).max() < tolerance, key
            if key.endswith("mask_logits"):
                assert ((actual > 0) == (expected > 0)).mean() >= 0.999, key
