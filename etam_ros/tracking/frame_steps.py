"""The steps that track objects to a frame, and the answer to a prompt on it.

Letters: N objects, D hidden dim, E memory dim, h = w feature grid, S network input size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from etam_ros.config import TrackerConfig
from etam_ros.cues.frame_cues import Cues
from etam_ros.records import Frame, Prompt
from etam_ros.runtime import DecodedMasks, MemoryBatch, Stages
from etam_ros.tracking.bank import Memory, MemoryBank, pack
from etam_ros.tracking.cuda_postprocessor import CudaPostprocessor
from etam_ros.tracking.current_frame import CurrentFrame
from etam_ros.tracking.masks.selection import ChosenMasks, MaskSelection
from etam_ros.tracking.objects import ObjectTable, PromptedObject, TrackedObject
from etam_ros.tracking.presence import decode_followed, judge_presence
from etam_ros.tracking.prompt_inputs import PointPrompt, take_mask
from etam_ros.tracking.publishing import CpuPostprocessor, Drawing, Postprocessor

MAX_PREVIOUS_LOGIT = 32.0


class FrameSteps:
    """The work of the network and the cues on one frame, without state between calls.

    Source of the procedure: the video predictors of SAM 2 and EfficientTAM (Apache-2.0), but
    every corrected frame becomes a conditioning frame.

    Args:
        stages: the stages of the network.
        postprocessor: loads images and draws masks; by default one that suits the device.
    """

    def __init__(self, stages: Stages, postprocessor: Postprocessor | None = None) -> None:
        self._stages = stages
        self._postprocessor = postprocessor or postprocessor_for(stages)
        sizes, traits = stages.sizes, stages.traits
        self._selection = MaskSelection(
            answers_once=traits.answers_once, carries_masks=traits.carries_masks
        )
        self._cues = Cues(
            image_size=sizes.image_size,
            mask_size=sizes.mask_size,
            device=stages.device,
            carries_masks=traits.carries_masks,
            proposes_masks=traits.proposes_masks,
            follows_edges=traits.follows_edges,
            checks_colours=traits.checks_colours,
        )

    def encode_image(self, frame: Frame, number: int) -> CurrentFrame:
        """Encode the picture and extract its cues.

        Args:
            frame: of any size.
            number: the number that it gets.
        """
        network_input = self._postprocessor.load(frame.image)  # (1, 3, S, S)
        encoded = self._stages.encode_image(network_input)
        return CurrentFrame(number, frame, encoded, self._cues.extract(frame.image, network_input))

    def read_memory(
        self,
        current: CurrentFrame,
        objects: ObjectTable,
        config: TrackerConfig,
        before: MemoryBatch | None,
    ) -> MemoryBatch:
        """The memories of all objects as one batch; the buffers of an earlier batch are reused."""
        banks = [tracked.bank for tracked in objects]
        return self._packed(current, banks, config, before)

    def decode(
        self,
        current: CurrentFrame,
        objects: ObjectTable,
        conditioned: Tensor,
        config: TrackerConfig,
    ) -> tuple[ObjectTable, ChosenMasks]:
        """Decode all objects without a prompt.

        Args:
            current: the frame.
            objects: N objects in their state on the previous frame.
            conditioned: (N, D, h, w).
            config: the size up to which holes are filled.

        Returns:
            the objects with their masks on this frame, and the masks before holes were filled.
        """
        before = as_prompt(torch.cat([tracked.mask_logits for tracked in objects]))
        cues, skips = current.cues, current.encoded.skips
        moved = cues.move(before)  # (N, 1, 4h, 4w)
        carried = cues.settle(moved)
        hidden = [tracked.hidden and cues.colours is not None for tracked in objects]
        decoded = decode_followed(self._stages, conditioned, carried, hidden, skips)
        chosen = self._selection.of_followed(decoded)
        chosen = replace(chosen, mask_logits=cues.hold(moved, chosen.mask_logits))
        if cues.colours is not None:
            chosen, usual = judge_presence(chosen, objects, cues)
            objects = objects.updated(
                replace(tracked, usual=each) for tracked, each in zip(objects, usual, strict=True)
            )
        logits = self._postprocessor.fill_holes(chosen.mask_logits, config.fill_hole_area)
        followed = objects.updated(
            replace(
                tracked,
                point_prompt=PointPrompt(),
                mask_logits=logits[row : row + 1],
                scores=chosen.scores[row],
                pointer=chosen.pointers[row],
            )
            for row, tracked in enumerate(objects)
        )
        return followed, chosen

    def settle_overlaps(
        self, current: CurrentFrame, objects: ObjectTable, config: TrackerConfig
    ) -> Callable[[], Drawing]:
        """Begin to draw every object of the frame: resize, resolve overlaps, measure."""
        masks = [tracked.mask_logits for tracked in objects]
        scores = [tracked.scores for tracked in objects]
        return self._draw(current, objects.ids, masks, scores, config)

    def _draw(
        self,
        current: CurrentFrame,
        ids: Sequence[int],
        masks: Sequence[Tensor],
        scores: Sequence[Tensor],
        config: TrackerConfig,
    ) -> Callable[[], Drawing]:
        """Begin to draw masks (1, 1, 4h, 4w) with scores (2,), along edges if the model does."""
        edged = current.cues.follow_edges(masks, config.mask_threshold)
        return self._postprocessor.draw(ids, edged, scores, current.frame.hw, config)

    def write_memory(
        self,
        current: CurrentFrame,
        objects: ObjectTable,
        chosen: ChosenMasks,
        config: TrackerConfig,
    ) -> ObjectTable:
        """Store this frame in memory, with soft masks from before holes were filled."""
        logits = chosen.mask_logits
        binarize = torch.zeros(len(logits), dtype=torch.bool, device=logits.device)
        features = self._encode_memory(current, logits, chosen, binarize)
        memories = map(Memory, features, chosen.pointers)
        return objects.updated(
            replace(
                tracked,
                bank=tracked.bank.with_recent(current.number, memory, config),
                bank_before=tracked.bank,
            )
            for tracked, memory in zip(objects, memories, strict=True)
        )

    def condition(
        self, current: CurrentFrame, target: PromptedObject, config: TrackerConfig
    ) -> Tensor:
        """The frame's features, conditioned on an object's earlier memories: (1, D, h, w)."""
        stages = self._stages
        if target.started_here:  # it sees the picture without any memory
            return current.feature + stages.constants.no_memory
        bank = self._packed(current, [target.bank_before], config)
        return stages.attend_memory(current.feature, bank)

    def _packed(
        self,
        current: CurrentFrame,
        banks: Sequence[MemoryBank],
        config: TrackerConfig,
        before: MemoryBatch | None = None,
    ) -> MemoryBatch:
        """The memories that a frame reads from the given banks, as one batch."""
        stages = self._stages
        views = [bank.view(current.number, stages.sizes, config) for bank in banks]
        timed = stages.traits.times_pointers
        return pack(views, stages.sizes, stages.device, before, timed=timed)

    def answer(
        self,
        prompt: Prompt,
        current: CurrentFrame,
        target: PromptedObject,
        conditioned: Tensor,
        config: TrackerConfig,
    ) -> TrackedObject:
        """Answer a prompt, and store the frame in memory as a prompted one.

        Args:
            prompt: a prompt that fits the frame.
            current: the frame.
            target: the object in its state on this frame.
            conditioned: (1, D, h, w) of this frame and object.
            config: size of the memory, and the size up to which holes are filled.
        """
        points, chosen = self._choose(prompt, current, target, conditioned)
        logits = self._postprocessor.fill_holes(chosen.mask_logits, config.fill_hole_area)
        binarize = torch.ones(1, dtype=torch.bool, device=logits.device)
        feature = self._encode_memory(current, logits, chosen, binarize)[0]
        memory = Memory(feature, chosen.pointers[0], current.cues.looks_of(logits))
        return TrackedObject(
            object_id=target.object_id,
            label=prompt.label or target.label,
            last_seen_ns=target.last_seen_ns,
            last_centroid=target.last_centroid,
            point_prompt=points,
            bank=target.bank.with_conditioning(current.number, memory, config),
            bank_before=target.bank_before,
            past=target.past,
            mask_logits=logits,
            scores=chosen.scores[0],
            pointer=chosen.pointers[0],
        )

    def _encode_memory(
        self, current: CurrentFrame, logits: Tensor, chosen: ChosenMasks, binarize: Tensor
    ) -> Tensor:
        """(N, E, h, w) memories of masks (N, 1, 4h, 4w), marked where the object is occluded."""
        memories = self._stages.encode_memory(current.feature, logits, binarize)
        return self._stages.constants.mark_occlusion(memories, chosen.scores[:, 0])

    def _choose(
        self, prompt: Prompt, current: CurrentFrame, target: PromptedObject, conditioned: Tensor
    ) -> tuple[PointPrompt, ChosenMasks]:
        """The mask for a prompt, and all clicks and the box that it results from."""
        if prompt.mask is not None:
            return PointPrompt(), take_mask(self._stages, current.encoded, prompt.mask)
        before = target.point_prompt if prompt.keep_previous else PointPrompt()
        points = before.extended(prompt)
        decoded = self._decode_points(points, current, target, conditioned)
        return points, self._chosen(decoded, points, current)

    def _chosen(
        self, decoded: DecodedMasks, points: PointPrompt, current: CurrentFrame
    ) -> ChosenMasks:
        """The mask chosen from those that the decoder gives for clicks and a box."""
        cells = points.scaled(current.frame.hw, self._stages.sizes.mask_size)
        clicks = [place for place, _ in cells[:1]]
        return self._selection.of_prompt(decoded, ambiguous=points.ambiguous, clicks=clicks)

    def _decode_points(
        self,
        points: PointPrompt,
        current: CurrentFrame,
        target: PromptedObject,
        conditioned: Tensor,
    ) -> DecodedMasks:
        """All masks for clicks and a box on an object, which may have a mask already."""
        sizes, hw = self._stages.sizes, current.frame.hw
        if isinstance(target, TrackedObject):
            previous: Tensor | None = as_prompt(target.mask_logits)
        else:
            previous = current.cues.propose(points.scaled(hw, sizes.mask_size))
        coordinates, labels = points.to_network(hw, sizes.image_size, current.feature.device)
        skips = current.encoded.skips
        return self._stages.decode_mask(conditioned, coordinates, labels, previous, skips)

    def segment(
        self, prompt: Prompt, current: CurrentFrame, config: TrackerConfig
    ) -> tuple[DecodedMasks, Drawing]:
        """Answer a first prompt from the picture alone; nothing is stored in memory.

        Args:
            prompt: clicks or a box that fit the frame.
            current: the frame.
            config: threshold, and the size up to which holes are filled.

        Returns:
            all masks of the decoder, and the chosen one as drawn: object 1 of a label image.
        """
        target = PromptedObject(object_id=1, label="", last_seen_ns=0)
        conditioned = self.condition(current, target, config)
        points = PointPrompt().extended(prompt)
        decoded = self._decode_points(points, current, target, conditioned)
        chosen = self._chosen(decoded, points, current)
        logits = self._postprocessor.fill_holes(chosen.mask_logits, config.fill_hole_area)
        return decoded, self._draw(current, [1], [logits], [chosen.scores[0]], config)()


def postprocessor_for(stages: Stages) -> Postprocessor:
    """The postprocessor that suits the device on which the stages take their inputs."""
    size, device = stages.sizes.image_size, stages.device
    return CpuPostprocessor(size) if device.type == "cpu" else CudaPostprocessor(size, device)


def as_prompt(mask_logits: Tensor) -> Tensor:
    """A mask in the form in which the decoder takes it as an input: (B, 1, 4h, 4w)."""
    return mask_logits.clamp(-MAX_PREVIOUS_LOGIT, MAX_PREVIOUS_LOGIT)
