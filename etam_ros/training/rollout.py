"""One differentiable pass over a batch of clips, with the steps of the tracker.

Letters: B clips, K objects of each, N = B * K rows (clip by clip), n some of the rows, T frames, S
network input size, h = w feature grid, D hidden dim, E memory dim, M masks of a decode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from etam_ros.model import EfficientTAM
from etam_ros.model.network import MEMORY_BIAS, MEMORY_SCALE
from etam_ros.runtime import DecodedMasks
from etam_ros.runtime.stages import POINT_NONE
from etam_ros.tracking.frame_steps import as_prompt
from etam_ros.tracking.masks.clicked_piece import keep_clicked_piece
from etam_ros.tracking.masks.selection import (
    ChosenMasks,
    add_tracking_bias,
    choose_masks,
    shift_to_best_expected_iou,
)
from etam_ros.tracking.prompt_inputs import MASK_PROMPT_LOGIT
from etam_ros.training.data.batches import pictures_to_tensor
from etam_ros.training.host_cues import HostCues
from etam_ros.training.mask_corruption import corrupt_masks
from etam_ros.training.prompt_sampling import (
    BOX,
    CLICK,
    MASK,
    Click,
    PromptPlan,
    correcting_click,
)
from etam_ros.training.rollout_output import Bank, DecoderOutput, RolloutOutput


class Rollout:
    """Processes the frames of a batch; its methods are the tracker's steps, for all rows at once.

    Differences from the tracker: holes are not filled, an unstable mask 0 is kept (as upstream), a
    prompted frame's hard mask has the gradient of a soft one, and presence may be the true one.

    Args:
        masks: (N, T, S, S) bool, on the host.
        cues: of the batch, including first prompts.
        truth_clicks: share of correction clicks drawn from the truth.
        teach_presence: memories use the true presence instead of the predicted one.
        mask_corruption: share of carried masks that are disturbed.
    """

    def __init__(
        self,
        network: EfficientTAM,
        masks: Tensor,
        plan: PromptPlan,
        rngs: Sequence[np.random.Generator],
        cues: HostCues,
        *,
        truth_clicks: float,
        teach_presence: bool,
        mask_corruption: float = 0.0,
    ) -> None:
        self.network, self.plan, self.rngs = network, plan, rngs
        self.truth_clicks, self.mask_corruption = truth_clicks, mask_corruption
        self.device = network.no_mem_embed.device
        self.masks = masks.numpy()
        visible = masks.flatten(2).any(dim=2).to(self.device)  # (N, T)
        self.taught = visible if teach_presence else None
        self.decodes: list[DecoderOutput] = []
        self.cues = cues
        self.prompts = {0: [list(points) for points in cues.prompts]}
        self.bank = Bank()
        self.objects = 0  # of each clip
        self.skips: list[Tensor] = []  # (B, T, ...) of the mask decoder, if it takes any

    def run(self, images: Tensor) -> RolloutOutput:
        """Track every row through its clip.

        Args:
            images: (B, T, S, S, 3) uint8, on the network's device.
        """
        batch, frames = images.shape[:2]
        objects = self.objects = len(self.rngs) // batch
        features = self.encode(images)  # (B, T, D, h, w)
        seen = self.network.self_attend(features[:, 1:].flatten(0, 1))  # (B * (T - 1), L, D)
        seen = seen.view(batch, frames - 1, *seen.shape[1:])
        outputs: list[Tensor] = []
        chosen = None
        for frame in range(frames):
            feature = features[:, frame].repeat_interleave(objects, dim=0)
            prompted = frame in (0, self.plan.second_frame)
            if chosen is None:
                chosen = self.prompt_first(feature)
            else:
                of_rows = seen[:, frame - 1].repeat_interleave(objects, dim=0)
                conditioned = self.attend(of_rows, frame)
                chosen = self.track(conditioned, frame, chosen)
                if prompted:
                    rows, clicks = list(range(len(self.rngs))), self.plan.second_clicks
                    chosen = self.correct(conditioned, chosen, rows, frame, clicks)
            if frame + 1 < frames:
                self.remember(feature, chosen, frame, prompted)
            outputs.append(chosen.mask_logits.detach())
        return RolloutOutput(
            self.decodes, torch.cat(outputs, dim=1), self.prompts, self.plan.kinds
        )

    def encode(self, images: Tensor) -> Tensor:
        """(B, T, S, S, 3) uint8 -> (B, T, D, h, w)."""
        pixels = pictures_to_tensor(images.flatten(0, 1), images.shape[2])  # (B * T, 3, S, S)
        clips = images.shape[:2]
        features, *skips = self.network.encode_image(pixels)
        self.skips = [skip.view(*clips, *skip.shape[1:]) for skip in skips]
        return features.view(*clips, *features.shape[1:])

    def prompt_first(self, feature: Tensor) -> ChosenMasks:
        """Prompt all rows on the first frame, one kind at a time: a box has one point more."""
        conditioned = feature + self.network.no_mem_embed.reshape(1, -1, 1, 1)
        order: list[int] = []
        parts = []
        for kind in (MASK, CLICK, BOX):
            rows = [row for row, own in enumerate(self.plan.kinds) if own == kind]
            if rows and kind == MASK:
                parts.append(self.take_masks(feature, rows))
            elif rows:
                parts.append(self.prompt_points(conditioned, rows, kind))
            order += rows
        back = torch.tensor(np.argsort(order), device=self.device)
        return ChosenMasks(
            torch.cat([part.mask_logits.float() for part in parts])[back],
            torch.cat([part.scores for part in parts])[back],
            torch.cat([part.pointers.float() for part in parts])[back],
        )

    def take_masks(self, feature: Tensor, rows: list[int]) -> ChosenMasks:
        """Use mask prompts unchanged; the pointer comes from the raw feature."""
        config = self.network.config
        targets = torch.from_numpy(self.masks[rows, 0]).to(self.device).float()[:, None]
        dense = self.network.mask_downsample(targets)  # (n, 1, 4h, 4w)
        _, _, tokens, _ = self._decoder(feature[rows], None, dense, rows, 0)
        logits = functional.interpolate(
            targets * (2 * MASK_PROMPT_LOGIT) - MASK_PROMPT_LOGIT,
            size=(config.mask_size, config.mask_size),
            mode="bilinear",
            antialias=True,
        )
        scores = torch.tensor([[MASK_PROMPT_LOGIT, 1.0]], device=self.device)
        pointers = self.network.obj_ptr_proj(tokens[:, 0])
        return ChosenMasks(logits, scores.expand(len(rows), 2), pointers)

    def prompt_points(self, conditioned: Tensor, rows: list[int], kind: str) -> ChosenMasks:
        """Prompt rows with a click or a box each, then apply the planned corrections."""
        ambiguous, previous = kind == CLICK, self.cues.proposals_of(rows, self.device)
        chosen = self.decode(
            conditioned[rows], rows, 0, kind, ambiguous=ambiguous, previous=previous
        )
        return self.correct(conditioned[rows], chosen, rows, 0, self.plan.first_clicks)

    def correct(
        self, conditioned: Tensor, chosen: ChosenMasks, rows: list[int], frame: int, clicks: int
    ) -> ChosenMasks:
        """Click where each row is wrong, and decode again from its mask; (n, D, h, w)."""
        prompts = self.prompts.setdefault(frame, [[] for _ in self.rngs])
        for _ in range(clicks):
            logits = self._full_size(chosen.mask_logits.detach().float())
            masks = (logits[:, 0] > 0).cpu().numpy()
            for mask, row in zip(masks, rows, strict=True):
                click = correcting_click(
                    mask, self.masks[row, frame], self.rngs[row], self.truth_clicks
                )
                prompts[row].append(click)
            previous = as_prompt(chosen.mask_logits)
            ambiguous = len(prompts[rows[0]]) <= 1
            chosen = self.decode(
                conditioned, rows, frame, "correction", ambiguous=ambiguous, previous=previous
            )
        return chosen

    def track(self, conditioned: Tensor, frame: int, before: ChosenMasks) -> ChosenMasks:
        """Decode all rows without a prompt, with the previous masks if the model carries them."""
        rows = list(range(len(self.rngs)))
        if not self.cues.motions:
            return self.decode(conditioned, rows, frame, "tracked", ambiguous=True)
        clips = torch.arange(len(rows), device=self.device) // self.objects
        motion = self.cues.motions[frame - 1].of(clips)
        moved = motion.move(as_prompt(before.mask_logits))
        shown = corrupt_masks(moved, self.rngs, self.mask_corruption, self.objects)
        chosen = self.decode(
            conditioned, rows, frame, "tracked", ambiguous=True, previous=motion.settle(shown)
        )
        held = motion.hold(moved, add_tracking_bias(chosen.mask_logits))
        return replace(chosen, mask_logits=held)

    def decode(
        self,
        conditioned: Tensor,
        rows: list[int],
        frame: int,
        kind: str,
        *,
        ambiguous: bool,
        previous: Tensor | None = None,
    ) -> ChosenMasks:
        """Decode n rows with their prompts, record the output, and choose one mask for each."""
        points = None if kind == "tracked" else [self.prompts[frame][row] for row in rows]
        mask_logits, iou_scores, tokens, scores = self._decoder(
            conditioned, points, previous, rows, frame
        )
        once = self.network.config.answers_once
        several = ambiguous and not once
        used = slice(1, None) if several else slice(0, 1)
        index = torch.tensor(rows, device=self.device)
        self.decodes.append(
            DecoderOutput(
                frame, index, mask_logits[:, used], iou_scores[:, used], scores[:, 0], kind
            )
        )
        if self.taught is not None:
            scores = torch.where(self.taught[index, frame][:, None], 1.0, -1.0)
        pointers = torch.where(
            (scores > 0)[:, None], self.network.obj_ptr_proj(tokens), self.network.no_obj_ptr
        )
        decoded = DecodedMasks(mask_logits, iou_scores.float(), pointers, scores.float())
        chosen = choose_masks(decoded, ambiguous=several, answers_once=not several)
        if once and ambiguous and points is not None:
            cells = mask_logits.shape[-1] / self.network.config.image_size
            clicks = [(x * cells, y * cells) for (x, y, _), *_ in points]
            logits = shift_to_best_expected_iou(chosen.mask_logits)
            chosen = replace(chosen, mask_logits=keep_clicked_piece(logits, clicks))
        return chosen

    def _decoder(
        self,
        feature: Tensor,
        points: list[list[Click]] | None,
        dense: Tensor | None,
        rows: list[int],
        frame: int,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        encoder = self.network.sam_prompt_encoder
        given = points or [[(0.0, 0.0, POINT_NONE)]] * len(feature)
        values = torch.tensor(given, dtype=torch.float32, device=self.device)  # (n, P, 3)
        sparse = encoder.embed_points(values[..., :2], values[..., 2].long())
        clips = torch.tensor(rows, device=self.device) // self.objects
        skips = [skip[clips, frame] for skip in self.skips]  # (n, ...)
        return self.network.sam_mask_decoder(  # type: ignore[no-any-return]
            feature, encoder.grid_positions(), sparse, encoder.embed_mask(dense), dense, skips
        )

    def _full_size(self, mask_logits: Tensor) -> Tensor:
        """(n, 1, 4h, 4w) -> (n, 1, S, S)."""
        size = self.network.config.image_size
        return functional.interpolate(mask_logits, size=(size, size), mode="bilinear")

    def attend(self, seen: Tensor, frame: int) -> Tensor:
        """Condition all rows on their memories: (N, L, D) -> (N, D, h, w)."""
        span = self.network.config.memory_frames - 1
        recent = [key for key in self.bank.recent if frame - key <= span]
        conditioning = self.bank.conditioning
        memories = [memory for memory, _ in conditioning.values()]
        memories += [self.bank.recent[key][0] for key in recent]
        ages = [span] * len(conditioning) + [frame - key - 1 for key in recent]
        pointers = [pointer for _, pointer in conditioning.values()]
        pointers += [pointer for _, pointer in reversed(self.bank.recent.values())]
        temporal_index = torch.tensor(ages, device=self.device).expand(len(seen), -1)
        pointer_ages = torch.tensor(
            [float(frame - key) for key in (*conditioning, *reversed(self.bank.recent))],
            device=self.device,
        ).expand(len(seen), -1)
        return self.network.cross_attend(
            seen,
            torch.stack(memories, dim=1),
            temporal_index,
            torch.stack(pointers, dim=1),
            pointer_ages=pointer_ages,
        )

    def remember(self, feature: Tensor, chosen: ChosenMasks, frame: int, prompted: bool) -> None:
        """Write a memory of each row: hard masks on prompted frames, soft ones elsewhere."""
        logits = self._full_size(chosen.mask_logits)
        mask = logits.sigmoid()  # (N, 1, S, S)
        if prompted:
            mask = (logits > 0).to(mask.dtype) + mask - mask.detach()
        memory = self.network.memory_encoder(feature, mask * MEMORY_SCALE + MEMORY_BIAS)
        memory = self.network.mark_occlusion(memory, chosen.scores[:, 0])
        entry = (memory, chosen.pointers.to(memory.dtype))
        if prompted:
            self.bank.conditioning[frame] = entry
        else:
            self.bank.recent[frame] = entry
