"""Single pictures through every kind of model: the tracker's first answer, and EfficientSAM's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from etam_ros import Frame, Prompt, Segmenter, Tracker, TrackerConfig, open_segmenter, open_stages
from etam_ros.errors import BackendError, ConfigError, PromptError

CLICK = Prompt(points=[(60, 40)], point_labels=[1])
BOX = Prompt(box=(20, 10, 90, 70))
BOTH = Prompt(points=[(60, 40), (5, 5)], point_labels=[1, 0], box=(20, 10, 90, 70))
KINDS = {"etam_nano": 1, "tiny_test": 4, "tiny_hiera_test": 4, "tiny_pictures_test": 3}
"""Models, and how many masks each chooses among."""


@pytest.fixture(scope="module")
def image() -> NDArray[np.uint8]:
    picture = np.random.RandomState(0).randint(0, 80, (90, 120, 3)).astype(np.uint8)
    picture[15:65, 25:85] += 150
    return picture


def opened(model: str) -> Segmenter:
    weights = "" if model == "etam_nano" else "random:0"
    return open_segmenter(model, weights=weights, backend="torch", device="cpu")


@pytest.fixture(scope="module", params=KINDS)
def segmenter(request: pytest.FixtureRequest, image: NDArray[np.uint8]) -> Iterator[Segmenter]:
    with opened(request.param) as found:
        found.set_image(image)
        yield found


def test_each_prompt_has_an_answer_that_does_not_depend_on_the_others(
    segmenter: Segmenter, request: pytest.FixtureRequest
) -> None:
    masks = KINDS[request.node.callspec.params["segmenter"]]
    together = segmenter.segment([CLICK, BOX, BOTH])
    for prompt, answer in zip((CLICK, BOX, BOTH), together, strict=True):
        (alone,) = segmenter.segment([prompt])
        assert answer.mask.shape == (90, 120)
        assert answer.mask.dtype == np.bool_
        assert len(answer.mask_logits) == len(answer.iou_scores) == masks
        assert answer.iou_score in answer.iou_scores.tolist()
        assert np.array_equal(alone.mask, answer.mask)
        assert np.array_equal(alone.mask_logits, answer.mask_logits)
    assert segmenter.segment([]) == []


def test_a_prompt_in_place_of_a_list_is_refused(segmenter: Segmenter) -> None:
    with pytest.raises(PromptError, match=r"give \[prompt\]"):
        segmenter.segment(CLICK)


@pytest.mark.parametrize("model", ["etam_nano", "tiny_test", "tiny_hiera_test"])
def test_a_model_that_follows_answers_as_when_it_begins_to(
    model: str, image: NDArray[np.uint8]
) -> None:
    weights = "" if model == "etam_nano" else "random:0"
    with open_stages(model, weights=weights, backend="torch", device="cpu") as stages:
        tracker = Tracker(stages, TrackerConfig(overlap="keep"))
        tracker.step(Frame(image))
        segmenter = Segmenter(stages)
        segmenter.set_image(image)
        for prompt in (CLICK, BOX, BOTH):
            (answer,) = segmenter.segment([prompt])
            state = tracker.add_prompt(prompt)
            x0, y0, x1, y1 = state.extent
            assert answer.mask.sum() == state.area > 0
            assert np.array_equal(answer.mask[y0:y1, x0:x1], state.mask)
            assert answer.iou_score == pytest.approx(state.iou_score)
            assert answer.object_score_logit == pytest.approx(state.object_score_logit)


def test_what_a_picture_cannot_take_is_one_line(segmenter: Segmenter) -> None:
    for prompt, words in (
        (Prompt(mask=np.ones((90, 120), bool)), "is a mask"),
        (Prompt(points=[(120, 5)], point_labels=[1]), "outside the frame of 120 x 90"),
        (Prompt(box=(0, 0, 121, 90)), "extends beyond the frame"),
    ):
        with pytest.raises(PromptError, match=words):
            segmenter.segment([CLICK, prompt])


def test_background_clicks_alone_are_refused_by_models_that_know_them(
    image: NDArray[np.uint8],
) -> None:
    with opened("tiny_test") as segmenter:
        segmenter.set_image(image)
        with pytest.raises(PromptError, match="only background points"):
            segmenter.segment([Prompt(points=[(5, 5)], point_labels=[0])])


def test_what_efficientsam_does_not_read_is_said(
    image: NDArray[np.uint8], caplog: pytest.LogCaptureFixture
) -> None:
    with opened("tiny_pictures_test") as segmenter:
        segmenter.set_image(image)
        segmenter.segment([CLICK, BOX])
        assert not caplog.records
        many = Prompt(points=[(9, 9)] * 5, point_labels=[1] * 5, box=(1, 1, 20, 20))
        segmenter.segment([many, BOTH])
    assert "7 points, of which this model reads the first 6" in caplog.text
    assert "background clicks were not taught" in caplog.text


def test_a_lower_precision_is_that_of_the_image_encoder_alone(image: NDArray[np.uint8]) -> None:
    answers = []
    for precision in ("fp32", "bf16"):
        with open_segmenter(
            "tiny_pictures_test", weights="random:0", precision=precision, device="cpu"
        ) as segmenter:
            segmenter.set_image(image)
            answers += segmenter.segment([BOX])
    full, reduced = answers
    assert reduced.mask_logits.dtype == np.float32
    assert 0 < np.abs(full.mask_logits - reduced.mask_logits).max() < 0.3 * full.mask_logits.std()


def test_a_picture_comes_first(image: NDArray[np.uint8]) -> None:
    with (
        opened("tiny_pictures_test") as segmenter,
        pytest.raises(PromptError, match="call set_image first"),
    ):
        segmenter.segment([CLICK])


def test_models_for_pictures_follow_nothing_and_run_on_torch() -> None:
    with pytest.raises(ConfigError, match="segments single pictures and cannot track"):
        open_stages("efficientsam_ti")
    with pytest.raises(ConfigError, match="segments single pictures and cannot track"):
        open_stages("efficientsam_s", weights="random:0", backend="torch")
    with pytest.raises(BackendError, match="efficientsam_ti runs only on torch"):
        open_segmenter("efficientsam_ti", weights="random:0", backend="openvino")
