"""Parity with trajectories of the official model, through the public API.

Some cases run through `etam track` instead, in test/cli/test_track_golden.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from etam_ros import Tracker, TrackerConfig, open_stages
from etam_ros.runtime import Stages
from etam_ros.runtime.backend import EngineRequest
from etam_ros.runtime.backends.torch.weights import NetworkSource
from etam_ros.runtime.engines import BY_NAME
from etam_ros.runtime.export import export_model
from etam_ros.transforms import ImageLoader

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from golden import BY_COMMAND, GoldenCase, assert_match, golden_cases

CASES = (
    "click_and_box",
    "refine_and_add",
    "box_then_click",
    "occluded",
    "s_512",
    "ti_1024",
    "ti_1_1024",
    "ti_2_1024",
    "long_bank",
)
SAM2_CASES = (
    "click_and_box",
    "refine_and_add",
    "occluded",
    "v2_0_tiny_512",
    "tiny_1024",
)
NOT_IN_CI = {
    "base_plus_1024"
}  # a minute for three frames; compared by hand when the model changes


@pytest.fixture
def case(request: pytest.FixtureRequest, shared: Path) -> GoldenCase:
    return golden_cases(shared / "golden")[request.param]


@pytest.fixture
def sam2_case(request: pytest.FixtureRequest, shared: Path) -> GoldenCase:
    return golden_cases(shared / "golden" / "sam2")[request.param]


def test_every_case_is_run(shared: Path) -> None:
    ours, sam2 = (
        {case for family, case in BY_COMMAND if family == named} for named in ("", "sam2")
    )
    assert {*CASES, *ours} == set(golden_cases(shared / "golden"))
    assert {*SAM2_CASES, *NOT_IN_CI, *sam2} == set(golden_cases(shared / "golden" / "sam2"))


@pytest.mark.parametrize("case", CASES, indirect=True)
def test_trajectory_matches_the_official_model(case: GoldenCase, tmp_path: Path) -> None:
    weights = case.save_weights(tmp_path / "weights.pt")
    with open_stages(
        case.model, weights=str(weights), backend="torch", precision="fp32", device="cpu"
    ) as stages:
        assert_trajectory(case, stages)


@pytest.mark.parametrize("sam2_case", SAM2_CASES, indirect=True)
def test_trajectory_matches_the_official_sam2(sam2_case: GoldenCase, tmp_path: Path) -> None:
    weights = sam2_case.save_weights(tmp_path / "weights.pt")
    with open_stages(
        sam2_case.model, weights=str(weights), backend="torch", precision="fp32", device="cpu"
    ) as stages:
        assert_trajectory(sam2_case, stages)


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
@pytest.mark.parametrize("case", ["click_and_box"], indirect=True)
def test_exported_graphs_give_the_same_trajectory(
    case: GoldenCase, backend: str, engine_dir: Path
) -> None:
    """Without the parity gate, which asks for less than the official model's numbers."""
    weights = engine_dir / "weights.pt"
    if not weights.exists():
        case.save_weights(weights)
    source = NetworkSource(case.model, str(weights))
    export_model(source, "fp32", engine_dir)
    request = EngineRequest(case.model, str(weights), backend, "fp32", str(engine_dir))
    with BY_NAME[backend](request, source).open() as stages:
        assert_trajectory(case, stages)


@pytest.fixture(scope="module")
def engine_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both backends share an export."""
    return tmp_path_factory.mktemp("engines")


def assert_trajectory(case: GoldenCase, stages: Stages) -> None:
    """Follow the case's prompts, and compare logits and scores of every object and frame."""
    reference = case.reference()
    compared = set()
    tracker = Tracker(stages, TrackerConfig(fill_hole_area=0, conditioning_memories=0))
    for index, frame in enumerate(case.frames()):
        result = tracker.step(frame)
        for prompt in case.prompts(index):
            tracker.add_prompt(prompt)
            result = tracker.result
        for state in result.objects:
            key = f"f{index}_o{state.object_id}"
            assert_match(reference, key, state, case.relative_tolerance)
            compared.add(key)
    expected = {name.removesuffix("_score") for name in reference if name.endswith("_score")}
    assert compared == expected


@pytest.mark.parametrize("case", ["s_512", "click_and_box"], indirect=True)
def test_stages_match_the_official_model(case: GoldenCase, tmp_path: Path) -> None:
    weights = case.save_weights(tmp_path / "weights.pt")
    reference = case.reference()
    with open_stages(case.model, weights=str(weights), backend="torch", device="cpu") as stages:
        frame = next(case.frames())
        loader = ImageLoader(stages.sizes.image_size, stages.device, in_float=False)
        feature = stages.encode_image(loader.load(frame.image)).feature
        difference = np.abs(feature.numpy() - reference["stage_image_features"]).max()
        assert difference <= 1e-2
        tracker = Tracker(stages, TrackerConfig(fill_hole_area=0))
        tracker.step(frame)
        for prompt in case.prompts(0):
            tracker.add_prompt(prompt)
            logits = tracker.result.object(prompt.object_id).mask_logits[None, None]
            memory = stages.encode_memory(feature, logits, logits.new_ones(1, dtype=bool))
            stored = reference.pop(f"stage_memory_f0_o{prompt.object_id}", None)
            if stored is not None:
                assert np.abs(memory.numpy() - stored).max() <= 1e-2
    assert not [name for name in reference if name.startswith("stage_memory")]
