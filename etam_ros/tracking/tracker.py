"""The streaming tracker.

Letters: N objects, D hidden dim, E memory dim, h = w feature grid, S network input size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from etam_ros.config import TrackerConfig
from etam_ros.cues.frame_cues import Cues
from etam_ros.errors import PromptError
from etam_ros.records import Frame, FrameResult, ObjectState, Prompt
from etam_ros.runtime import MemoryBatch, Stages
from etam_ros.tracking.bank import Memory, pack
from etam_ros.tracking.cuda_postprocessor import CudaPostprocessor
from etam_ros.tracking.current_frame import CurrentFrame, encode_frame
from etam_ros.tracking.frame_result import publish
from etam_ros.tracking.mask_selection import ChosenMasks, MaskSelection
from etam_ros.tracking.objects import ObjectTable, PromptedObject, TrackedObject
from etam_ros.tracking.prompt_inputs import PointPrompt, check_fits, no_points, take_mask
from etam_ros.tracking.publishing import CpuPostprocessor, Drawing, Postprocessor
from etam_ros.transforms import one_thread

MAX_PREVIOUS_LOGIT = 32.0


@dataclass(frozen=True, eq=False)
class _State:
    """Everything a tracker knows between two calls.

    A call makes the next one, and puts it in place when nothing can go wrong any more.

    Attributes:
        objects: as of the newest frame.
        current: the newest frame; None before any.
        result: of the newest frame; None before any.
        batch: of the newest frame with objects; its memory is used again.
    """

    objects: ObjectTable = field(default_factory=ObjectTable)
    current: CurrentFrame | None = None
    result: FrameResult | None = None
    batch: MemoryBatch | None = None


class Tracker:
    """Follow objects through a stream of frames.

    One thread at a time calls it. A call that raises leaves the tracker exactly as it was.
    Source of what happens to a frame: the video predictors of SAM 2 and EfficientTAM
    (Apache-2.0), with every corrected frame a conditioning frame.

    Args:
        stages: what the network runs on.
        config: how to remember and what to give out.
        postprocessor: what loads pictures and draws masks; by default what suits the device.

    Example:
        with open_stages(weights="efficienttam_ti_512x512.pt") as stages:
            tracker = Tracker(stages)
            tracker.step(Frame(image))
            tracker.add_prompt(Prompt(points=[(320, 240)], point_labels=[1]))
            result = tracker.step(Frame(next_image))
    """

    def __init__(
        self,
        stages: Stages,
        config: TrackerConfig | None = None,
        *,
        postprocessor: Postprocessor | None = None,
    ) -> None:
        self.stages = stages
        self.config = config or TrackerConfig()
        stages.check_serves(self.config)
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
        )
        self._state = _State()

    @property
    def result(self) -> FrameResult | None:
        """The newest frame's result, with the prompts and removals since; None before any."""
        return self._state.result

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids of the objects that are followed, in the order in which they were added."""
        return self._state.objects.ids

    @property
    def newest_object_id(self) -> int | None:
        """Id of the object that was added last and is still followed; None without objects."""
        return self.object_ids[-1] if self.object_ids else None

    @torch.inference_mode()
    @one_thread()
    def step(self, frame: Frame) -> FrameResult:
        """Follow every object onto the next frame.

        Args:
            frame: any size; it may change from frame to frame.

        Returns:
            the state of every object, in this frame's pixels.
        """
        current, objects = self._encode_image(frame)
        if not objects:
            return self._publish(current, objects, self._settle_overlaps(current, objects)())
        bank = self._read_memory(current, objects)
        conditioned = self.stages.attend_memory(current.feature, bank)
        objects, chosen = self._decode(current, objects, conditioned)
        drawing = self._settle_overlaps(current, objects)
        objects = self._write_memory(current, objects, chosen)
        # On a GPU, drawing() is the only place where the host waits.
        return self._publish(current, objects, drawing(), bank, forget=True)

    @torch.inference_mode()
    @one_thread()
    def add_prompt(self, prompt: Prompt) -> ObjectState:
        """Start an object on the newest stepped frame, or refine one.

        Returns:
            the object's state on that frame; `result` holds it too.

        Raises:
            PromptError: no frame was stepped yet, the prompt is for another frame, or it does
                not fit the frame.
            ObjectError: the id is refused, or there are too many objects.
        """
        current, objects = self._state.current, self._state.objects
        if current is None:
            raise PromptError("no frame was stepped yet: wait for the first frame, then prompt")
        check_fits(prompt, current.frame)
        target = objects.get(prompt.object_id) or self._new_object(prompt, current)
        points, chosen = self._answer(prompt, current, target)
        logits = self._postprocessor.fill_holes(chosen.mask_logits, self.config.fill_hole_area)
        binarize = torch.ones(1, dtype=torch.bool, device=logits.device)
        feature = self.stages.encode_memory(current.feature, logits, binarize)[0]
        memory = Memory(feature, chosen.pointers[0])
        tracked = TrackedObject(
            object_id=target.object_id,
            label=prompt.label or target.label,
            conditioned=target.conditioned,
            last_seen_ns=target.last_seen_ns,
            point_prompt=points,
            bank=target.bank.with_conditioning(current.number, memory, self.config),
            mask_logits=logits,
            scores=chosen.scores[0],
            pointer=chosen.pointers[0],
        )
        objects = objects.with_object(tracked)
        result = self._publish(current, objects, self._settle_overlaps(current, objects)())
        return result.objects[objects.ids.index(tracked.object_id)]

    @torch.inference_mode()
    @one_thread()
    def remove(self, object_id: int) -> None:
        """Stop following an object; its id is not used again until `reset`.

        Raises:
            ObjectError: there is no such object.
        """
        self._go_on_with(self._state.objects.without(object_id))

    @torch.inference_mode()
    @one_thread()
    def reset(self) -> None:
        """Forget all objects and all ids; the newest frame can still be prompted.

        Frames are counted on: `frame_number` stays unique in a tracker's life.
        """
        self._go_on_with(ObjectTable())

    def _encode_image(self, frame: Frame) -> tuple[CurrentFrame, ObjectTable]:
        """Encode the picture; where time went back, objects go back with it."""
        current = encode_frame(
            frame, self._state.current, self.stages, self._postprocessor, self._cues
        )
        return current, self._state.objects.after_jump(current.jump_ns)

    def _read_memory(self, current: CurrentFrame, objects: ObjectTable) -> MemoryBatch:
        """What all objects remember."""
        sizes = self.stages.sizes
        views = [tracked.bank.view(current.number, sizes, self.config) for tracked in objects]
        return pack(views, sizes, self.stages.device, self._state.batch)

    def _decode(
        self, current: CurrentFrame, objects: ObjectTable, conditioned: Tensor
    ) -> tuple[ObjectTable, ChosenMasks]:
        """Decode all objects without a prompt.

        Args:
            current: the frame.
            objects: N of them, as of the frame before.
            conditioned: (N, D, h, w).

        Returns:
            the objects with their masks on this frame, and these before holes were filled.
        """
        points, labels = no_points(len(conditioned), conditioned.device)
        before = torch.cat([tracked.mask_logits for tracked in objects])  # (N, 1, 4h, 4w)
        carried = current.cues.carry(as_prompt(before))
        decoded = self.stages.decode_mask(conditioned, points, labels, carried)
        chosen = self._selection.of_followed(decoded)
        logits = self._postprocessor.fill_holes(chosen.mask_logits, self.config.fill_hole_area)
        followed = objects.updated(
            replace(
                tracked,
                conditioned=conditioned[row : row + 1],
                point_prompt=PointPrompt(),
                mask_logits=logits[row : row + 1],
                scores=chosen.scores[row],
                pointer=chosen.pointers[row],
            )
            for row, tracked in enumerate(objects)
        )
        return followed, chosen

    def _settle_overlaps(
        self, current: CurrentFrame, objects: ObjectTable
    ) -> Callable[[], Drawing]:
        """Begin to draw every object of the frame: resize, settle overlaps, measure."""
        config = self.config
        masks = [tracked.mask_logits for tracked in objects]
        return self._postprocessor.draw(
            objects.ids,
            current.cues.follow_edges(masks, config.mask_threshold),
            [tracked.scores for tracked in objects],
            current.frame.hw,
            config,
        )

    def _write_memory(
        self, current: CurrentFrame, objects: ObjectTable, chosen: ChosenMasks
    ) -> ObjectTable:
        """Remember this frame with soft masks, before holes were filled or overlaps settled."""
        logits = chosen.mask_logits
        binarize = torch.zeros(len(logits), dtype=torch.bool, device=logits.device)
        features = self.stages.encode_memory(current.feature, logits, binarize)  # (N, E, h, w)
        memories = map(Memory, features, chosen.pointers)
        return objects.updated(
            replace(tracked, bank=tracked.bank.with_recent(current.number, memory, self.config))
            for tracked, memory in zip(objects, memories, strict=True)
        )

    def _new_object(self, prompt: Prompt, current: CurrentFrame) -> PromptedObject:
        """An object that starts on this frame: it sees the picture without any memory."""
        return PromptedObject(
            object_id=self._state.objects.new_id(prompt.object_id, self.config.max_objects),
            label=prompt.label,
            conditioned=current.feature + self.stages.constants.no_memory,
            last_seen_ns=current.frame.stamp_ns,
        )

    def _answer(
        self, prompt: Prompt, current: CurrentFrame, target: PromptedObject
    ) -> tuple[PointPrompt, ChosenMasks]:
        """The mask that a prompt gives, and all clicks and the box that it comes of."""
        if prompt.mask is not None:
            return PointPrompt(), take_mask(self.stages, current.feature, prompt.mask)
        sizes, hw = self.stages.sizes, current.frame.hw
        before = target.point_prompt if prompt.keep_previous else PointPrompt()
        points = before.extended(prompt)
        if isinstance(target, TrackedObject):
            previous: Tensor | None = as_prompt(target.mask_logits)
        else:
            previous = current.cues.propose(points.scaled(hw, sizes.mask_size))
        coordinates, labels = points.to_network(hw, sizes.image_size, current.feature.device)
        decoded = self.stages.decode_mask(target.conditioned, coordinates, labels, previous)
        return points, self._selection.of_prompt(decoded, ambiguous=points.ambiguous)

    def _go_on_with(self, objects: ObjectTable) -> None:
        """Take other objects, and bring the newest frame's result up to date."""
        current = self._state.current
        if current is None:
            self._state = _State(objects)
        else:
            self._publish(current, objects, self._settle_overlaps(current, objects)())

    def _publish(
        self,
        current: CurrentFrame,
        objects: ObjectTable,
        drawing: Drawing,
        batch: MemoryBatch | None = None,
        *,
        forget: bool = False,
    ) -> FrameResult:
        """Make the result of a frame and, as nothing can fail any more, the tracker's state.

        Args:
            current: the frame.
            objects: that are followed.
            drawing: of them.
            batch: that was read, if one was.
            forget: drop what was not seen for too long.
        """
        forget_after_s = self.config.forget_after_s if forget else 0.0
        objects, result = publish(current, objects, drawing, forget_after_s)
        self._state = _State(objects, current, result, batch or self._state.batch)
        return result


def postprocessor_for(stages: Stages) -> Postprocessor:
    """What suits the device on which the stages take their inputs."""
    size, device = stages.sizes.image_size, stages.device
    return CpuPostprocessor(size) if device.type == "cpu" else CudaPostprocessor(size, device)


def as_prompt(mask_logits: Tensor) -> Tensor:
    """A mask as the decoder takes it back: (B, 1, 4h, 4w)."""
    return mask_logits.clamp(-MAX_PREVIOUS_LOGIT, MAX_PREVIOUS_LOGIT)
