"""The differentiable pass follows objects as the tracker does, and lets gradients through."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from etam_ros.config import TrackerConfig
from etam_ros.model import model_config
from etam_ros.records import Frame, Prompt
from etam_ros.runtime.backends.torch.stages import TorchStages
from etam_ros.tracking import Tracker
from etam_ros.tracking.masks import selection
from etam_ros.training.host_cues import BOX_LABELS, find_cues
from etam_ros.training.initial_weights import new_network
from etam_ros.training.prompt_sampling import BOX, CLICK, MASK, PromptPlan
from etam_ros.training.rollout import Rollout

sys.path.insert(0, str(Path(__file__).parent))
from flat_clips import FlatClips

SIZE, FRAMES = 64, 9  # more frames than recent memories
TRACKER = TrackerConfig(fill_hole_area=0, conditioning_memories=0)


@pytest.fixture(scope="module")
def network():
    config = replace(
        model_config("tiny_test"),
        patch_size=8,
        memory_pooling="logits",
        carries_masks=True,
        proposes_masks=True,
    )
    return new_network(config, size=SIZE, seed=3)


@pytest.fixture(scope="module")
def clip():
    return FlatClips().clip(5, frames=FRAMES, size=SIZE)


@pytest.fixture(autouse=True)
def _single_masks_count_as_stable(monkeypatch):
    """The fallback to other masks is left out of training, as upstream."""
    monkeypatch.setattr(selection, "STABILITY_THRESHOLD", 0.0)


def roll(network, clip, plan, *, teach_presence=False):
    """One pass over one clip with a row for each kind of prompt."""
    rows = len(plan.kinds)
    masks = torch.from_numpy(clip.masks)[[index % 2 for index in range(rows)]]
    rngs = [np.random.default_rng(row) for row in range(rows)]
    images, config = clip.images[None], network.config
    cues = find_cues(images, masks.numpy(), plan, rngs, config, device=torch.device("cpu"))
    rollout = Rollout(
        network, masks, plan, rngs, cues, truth_clicks=0.1, teach_presence=teach_presence
    )
    return rollout.run(torch.from_numpy(images))


def track(network, clip, first, corrections=()):
    """Logits of the tracker on each frame, prompted alike; corrections are (frame, clicks)."""
    tracker = Tracker(TorchStages(network, device=torch.device("cpu")), TRACKER)
    outputs = []
    for index, image in enumerate(clip.images):
        result = tracker.step(Frame(image))
        if index == 0:
            tracker.add_prompt(first)
        for frame, clicks in corrections:
            if frame == index:
                for x, y, label in clicks:
                    tracker.add_prompt(
                        Prompt(1, points=[(x, y)], point_labels=[label], keep_previous=True)
                    )
        result = tracker.result
        outputs.append(result.objects[0].mask_logits)
    return torch.stack(outputs)


def prompt_of(kind, clicks, truth):
    if kind == MASK:
        return Prompt(mask=truth)
    if kind == BOX:
        assert [label for *_, label in clicks] == list(BOX_LABELS)
        return Prompt(box=(*clicks[0][:2], *clicks[1][:2]))
    return Prompt(points=[clicks[0][:2]], point_labels=[1])


@pytest.mark.parametrize("kind", [MASK, CLICK, BOX])
def test_a_pass_is_what_the_tracker_does(network, clip, kind):
    plan = PromptPlan((kind,), first_clicks=0, second_frame=None, second_clicks=0)
    seen = roll(network, clip, plan)
    expected = track(network, clip, prompt_of(kind, seen.prompts[0][0], clip.masks[0, 0]))
    torch.testing.assert_close(seen.mask_logits[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [MASK, CLICK])
@pytest.mark.parametrize("present", [True, False])
def test_a_pass_of_sam2_is_what_the_tracker_does(clip, kind, present):
    """With finer levels, the age of pointers, and memories of absent objects that say so."""
    config = replace(model_config("tiny_hiera_test"), name="tiny")
    sam2 = new_network(config, size=SIZE, seed=3)
    with torch.no_grad():
        sam2.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(9.0 if present else -9.0)
    plan = PromptPlan((kind,), first_clicks=0, second_frame=4, second_clicks=1)
    seen = roll(sam2, clip, plan)
    first = prompt_of(kind, seen.prompts[0][0], clip.masks[0, 0])
    expected = track(sam2, clip, first, [(4, seen.prompts[4][0])])
    torch.testing.assert_close(seen.mask_logits[0], expected, rtol=1e-4, atol=1e-4)
    assert bool((expected[1] > -1024).any()) is present


def test_a_model_that_answers_once_is_trained_on_that_answer(network, clip):
    once = new_network(replace(network.config, answers_once=True), size=SIZE, seed=3)
    plan = PromptPlan((CLICK,), first_clicks=0, second_frame=None, second_clicks=0)
    seen = roll(once, clip, plan)
    assert {decode.mask_logits.shape[1] for decode in seen.decodes} == {1}
    expected = track(once, clip, prompt_of(CLICK, seen.prompts[0][0], clip.masks[0, 0]))
    torch.testing.assert_close(seen.mask_logits[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("clicks", [1, 2])
def test_a_corrected_frame_is_what_the_tracker_does(network, clip, clicks):
    plan = PromptPlan((MASK,), first_clicks=0, second_frame=2, second_clicks=clicks)
    seen = roll(network, clip, plan)
    first = prompt_of(MASK, [], clip.masks[0, 0])
    expected = track(network, clip, first, [(2, seen.prompts[2][0])])
    torch.testing.assert_close(seen.mask_logits[0], expected, rtol=1e-4, atol=1e-4)


def test_rows_do_not_touch_each_other(network, clip):
    kinds = (BOX, MASK, CLICK, MASK)
    plan = PromptPlan(kinds, first_clicks=0, second_frame=None, second_clicks=0)
    together = roll(network, clip, plan)
    for row in (1, 3):
        expected = track(network, clip, prompt_of(MASK, [], clip.masks[row % 2, 0]))
        torch.testing.assert_close(together.mask_logits[row], expected, rtol=1e-4, atol=1e-4)


def test_gradients_reach_every_weight(network, clip):
    plan = PromptPlan((MASK, CLICK, BOX), first_clicks=2, second_frame=2, second_clicks=1)
    seen = roll(network, clip, plan, teach_presence=True)
    loss = sum(
        decode.mask_logits.mean() + decode.iou_scores.mean() + decode.object_score_logits.mean()
        for decode in seen.decodes
    )
    network.zero_grad()
    loss.backward()
    idle = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    # A row that is always in view needs no pointer for what is hidden, one whose masks are
    # proposed and carried nothing that stands for no mask; some values are never used.
    no_mask = "sam_prompt_encoder.no_mask_embed.weight"
    assert idle <= {"no_mem_pos_enc", "no_obj_ptr", no_mask} | {
        name for name in idle if "point_embeddings.0" in name
    }


def test_the_last_frame_teaches_the_first_prompt(network, clip):
    plan = PromptPlan((MASK,), first_clicks=0, second_frame=None, second_clicks=0)
    seen = roll(network, clip, plan, teach_presence=True)
    network.zero_grad()
    seen.decodes[-1].mask_logits.sum().backward()
    assert network.mask_downsample.weight.grad.abs().sum() > 0
