"""Batches that are prepared ahead teach what those prepared in time would."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from etam_ros.training.config import TrainingConfig
from etam_ros.training.data.batches import batches
from etam_ros.training.processes import joined_processes
from etam_ros.training.trainer import Trainer

sys.path.insert(0, str(Path(__file__).parent))
from flat_clips import FlatClips

CONFIG = TrainingConfig(
    model="etam_nano", steps=5, size=64, frames=3, batch=2, objects=2, workers=0,
    mask_prompts=0.2, click_prompts=0.4, device="cpu", precision="fp32",
)  # fmt: skip


def prepared(threads):
    """Number, prompts and clicks of every step, with what was done when each was taken."""
    with joined_processes("cpu") as processes:
        trainer = Trainer(CONFIG, processes)
        trainer.threads = threads
        feed = batches(FlatClips(), CONFIG, first_sample=0, steps=CONFIG.steps)
        taken = []
        for each in trainer.prepared(feed):
            taken.append(each)
            assert each.step == trainer.done
            trainer.done += 1
    return taken


def test_what_is_prepared_ahead_is_the_same():
    with ThreadPoolExecutor(2) as threads:
        ahead, in_time = prepared(threads), prepared(None)
    assert [each.step for each in ahead] == list(range(CONFIG.steps))
    assert any(any(each.cues.prompts) for each in ahead)
    for one, other in zip(ahead, in_time, strict=True):
        assert (one.plan, one.cues.prompts) == (other.plan, other.cues.prompts)
        assert torch.equal(one.clips.images, other.clips.images)
        assert [rng.random() for rng in one.rngs] == [rng.random() for rng in other.rngs]
        assert one.cues.proposals.keys() == other.cues.proposals.keys()
        for row, proposal in one.cues.proposals.items():
            np.testing.assert_array_equal(proposal, other.cues.proposals[row])
        for mine, theirs in zip(one.cues.motions, other.cues.motions, strict=True):
            assert torch.equal(mine.places, theirs.places)


def test_preparing_for_another_side_makes_no_network_and_draws_nothing():
    """The thread that learns makes it, when it comes to that step."""
    with joined_processes("cpu") as processes:
        trainer = Trainer(CONFIG, processes)
        larger = batches(FlatClips(), replace(CONFIG, size=96), first_sample=0, steps=1)
        batch, before = next(larger), torch.get_rng_state()
        ready = trainer.prepare(batch, 0)
        assert torch.equal(torch.get_rng_state(), before)
        side = trainer.at_side(96).config.mask_size
        assert all(motion.places.shape[1] == side for motion in ready.cues.motions)
        assert ready.cues.motions
        loss, _ = trainer.forward(ready)
        assert loss.isfinite()


@pytest.mark.parametrize("ahead", [False, True])
def test_what_fails_on_the_way_surfaces_at_its_step(ahead):
    class Failing(Trainer):
        def prepare(self, batch, step):
            if step == 1:
                raise ValueError("a picture like no other")
            return super().prepare(batch, step)

    with joined_processes("cpu") as processes, ThreadPoolExecutor(2) as threads:
        trainer = Failing(CONFIG, processes)
        trainer.threads = threads if ahead else None
        feed = trainer.prepared(batches(FlatClips(), CONFIG, first_sample=0, steps=CONFIG.steps))
        assert next(feed).step == trainer.done
        trainer.done += 1
        with pytest.raises(ValueError, match="a picture like no other"):
            next(feed)
        assert next(feed, None) is None


def test_a_loop_that_ends_early_leaves_nothing_running():
    with joined_processes("cpu") as processes, ThreadPoolExecutor(2) as threads:
        trainer = Trainer(CONFIG, processes)
        trainer.threads = threads
        feed = trainer.prepared(batches(FlatClips(), CONFIG, first_sample=0, steps=CONFIG.steps))
        assert next(feed).step == 0
        feed.close()
