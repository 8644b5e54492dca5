"""The streaming tracker.

Letters: N objects, D hidden dim, E memory dim, h = w feature grid, S network input size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from etam_ros.config import TrackerConfig
from etam_ros.cues.guided_filter import follow_edges
from etam_ros.errors import PromptError
from etam_ros.records import Frame, FrameResult, ObjectState, Prompt
from etam_ros.runtime import MemoryBatch, Stages
from etam_ros.tracking.bank import Memory, pack
from etam_ros.tracking.cuda_postprocessor import CudaPostprocessor
from etam_ros.tracking.current_frame import CurrentFrame, encode_frame
from etam_ros.tracking.mask_selection import (
    ChosenMasks,
    add_tracking_bias,
    choose_masks,
    shift_to_best_expected_iou,
)
from etam_ros.tracking.objects import ObjectTable, TrackedObject
from etam_ros.tracking.prompt_inputs import (
    PointPrompt,
    check_inside,
    no_points,
    propose_mask,
    take_mask,
)
from etam_ros.tracking.publishing import CpuPostprocessor, Drawing, Postprocessor
from etam_ros.transforms import one_thread

MAX_PREVIOUS_LOGIT = 32.0


class Tracker:
    """Follow objects through a stream of frames.

    One thread at a time calls it. Source of what happens to a frame: the video predictors of
    SAM 2 and EfficientTAM (Apache-2.0), with every corrected frame a conditioning frame.

    Args:
        stages: what the network runs on.
        config: how to remember and what to give out.
        postprocessor: what loads pictures and draws masks; by default what suits the device.

    Raises:
        ConfigError: the stages were built for shorter banks than the configuration asks for.

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
        self._objects = ObjectTable()
        self._current: CurrentFrame | None = None
        self._result: FrameResult | None = None
        self._batch: MemoryBatch | None = None  # of the frame before: its memory is used again

    @property
    def result(self) -> FrameResult | None:
        """The newest frame's result, with the prompts and removals since; None before any."""
        return self._result

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids of the objects that are followed, in the order in which they were added."""
        return self._objects.ids

    @property
    def newest_object_id(self) -> int | None:
        """Id of the object that was added last and is still followed; None without objects."""
        return self._objects.ids[-1] if len(self._objects) else None

    @torch.inference_mode()
    @one_thread()
    def step(self, frame: Frame) -> FrameResult:
        """Follow every object onto the next frame.

        Args:
            frame: any size; it may change from frame to frame.

        Returns:
            the state of every object, in this frame's pixels.
        """
        current = self._encode_frame(frame)
        if len(self._objects):
            bank = self._read_memory(current)
            conditioned = self.stages.attend_memory(current.feature, bank)
            chosen = self._decode(current, conditioned)
            drawing = self._draw(current)
            self._write_memory(current, chosen)
        else:
            drawing = self._draw(current)
        self._publish(current, drawing())  # on a GPU, the only place where the host waits
        return self._forget_lost()

    @torch.inference_mode()
    @one_thread()
    def add_prompt(self, prompt: Prompt) -> ObjectState:
        """Start an object on the newest stepped frame, or refine one.

        Returns:
            the object's state on that frame; `result` holds it too.

        Raises:
            PromptError: no frame was stepped yet, the prompt is for another frame, or it does
                not fit the frame. Nothing has changed then.
            ObjectError: the id is refused, or there are too many objects. Nothing has changed.
        """
        current = self._frame_of(prompt)
        tracked = self._objects.get(prompt.object_id) or self._new_object(prompt, current)
        if prompt.mask is None:
            before = tracked.point_prompt if prompt.keep_previous else PointPrompt()
            points = before.extended(prompt)
            chosen = self._decode_points(current, tracked, points)
        else:
            points = PointPrompt()
            chosen = take_mask(self.stages, current.feature, prompt.mask)
        logits = self._postprocessor.fill_holes(chosen.mask_logits, self.config.fill_hole_area)
        binarize = torch.ones(1, dtype=torch.bool, device=logits.device)
        feature = self.stages.encode_memory(current.feature, logits, binarize)[0]
        tracked.bank.add_conditioning(
            current.number, Memory(feature, chosen.pointers[0]), self.config
        )
        tracked.label = prompt.label or tracked.label
        tracked.point_prompt = points
        tracked.take_output(chosen, 0, logits)
        self._objects.add(tracked)
        result = self._publish(current, self._draw(current)())
        return result.objects[self._objects.ids.index(tracked.object_id)]

    @torch.inference_mode()
    @one_thread()
    def remove(self, object_id: int) -> None:
        """Stop following an object; its id is not used again until `reset`.

        Raises:
            ObjectError: there is no such object.
        """
        self._objects.remove(object_id)
        self._publish_again()

    @torch.inference_mode()
    @one_thread()
    def reset(self) -> None:
        """Forget all objects and all ids; the newest frame can still be prompted."""
        self._objects.clear()
        self._publish_again()

    def _encode_frame(self, frame: Frame) -> CurrentFrame:
        """Encode the picture; drop recent memories when time went back."""
        followed = len(self._objects) > 0
        current = encode_frame(
            frame, self._current, self.stages, self._postprocessor, followed=followed
        )
        if current.jump_ns < 0:
            for tracked in self._objects:
                tracked.bank.clear_recent()
                tracked.last_seen_ns += current.jump_ns
        return current

    def _read_memory(self, current: CurrentFrame) -> MemoryBatch:
        sizes = self.stages.sizes
        views = [
            tracked.bank.view(current.number, sizes, self.config) for tracked in self._objects
        ]
        self._batch = pack(views, sizes, self.stages.device, self._batch)
        return self._batch

    def _decode(self, current: CurrentFrame, conditioned: Tensor) -> ChosenMasks:
        """Decode all objects without a prompt: (N, D, h, w) -> their masks."""
        points, labels = no_points(len(conditioned), conditioned.device)
        carried = None
        if current.motion is not None:
            carried = current.motion.carry(as_prompt(torch.cat(self._mask_logits())))
        decoded = self.stages.decode_mask(conditioned, points, labels, carried)
        traits = self.stages.traits
        chosen = choose_masks(decoded, ambiguous=True, answers_once=traits.answers_once)
        if traits.carries_masks:
            chosen = replace(chosen, mask_logits=add_tracking_bias(chosen.mask_logits))
        logits = self._postprocessor.fill_holes(chosen.mask_logits, self.config.fill_hole_area)
        for row, tracked in enumerate(self._objects):
            tracked.conditioned = conditioned[row : row + 1]
            tracked.point_prompt = PointPrompt()
            tracked.take_output(chosen, row, logits)
        return chosen

    def _write_memory(self, current: CurrentFrame, chosen: ChosenMasks) -> None:
        """Remember this frame with soft masks, before holes were filled or overlaps settled."""
        logits = chosen.mask_logits
        binarize = torch.zeros(len(logits), dtype=torch.bool, device=logits.device)
        features = self.stages.encode_memory(current.feature, logits, binarize)  # (N, E, h, w)
        for row, tracked in enumerate(self._objects):
            memory = Memory(features[row], chosen.pointers[row])
            tracked.bank.add_recent(current.number, memory, self.config)

    def _frame_of(self, prompt: Prompt) -> CurrentFrame:
        """The frame a prompt is for, which must be the newest, and which it must fit."""
        if self._current is None:
            raise PromptError("no frame was stepped yet: wait for the first frame, then prompt")
        stamp_ns = self._current.frame.stamp_ns
        if prompt.stamp_ns and prompt.stamp_ns != stamp_ns:
            newest = f"the newest frame has {stamp_ns} ns" if stamp_ns else "frames have no stamps"
            raise PromptError(
                f"prompt is for the frame of stamp {prompt.stamp_ns} ns, but {newest}: prompt "
                "the newest frame, or leave the stamp zero"
            )
        check_inside(prompt, self._current.frame.hw)
        return self._current

    def _new_object(self, prompt: Prompt, current: CurrentFrame) -> TrackedObject:
        """An object that starts on this frame: it sees the picture without any memory."""
        object_id = self._objects.new_id(prompt.object_id, self.config.max_objects)
        conditioned = current.feature + self.stages.constants.no_memory
        return TrackedObject(object_id, prompt.label, conditioned, current.frame.stamp_ns)

    def _decode_points(
        self, current: CurrentFrame, tracked: TrackedObject, points: PointPrompt
    ) -> ChosenMasks:
        """Decode one object with clicks or a box, on top of the mask it has on this frame."""
        sizes, device = self.stages.sizes, current.feature.device
        coordinates, labels = points.to_network(current.frame.hw, sizes.image_size, device)
        previous = None
        if tracked.mask_logits is not None:
            previous = as_prompt(tracked.mask_logits)
        elif self.stages.traits.proposes_masks:
            previous = propose_mask(current.frame, points, sizes).to(device)
        decoded = self.stages.decode_mask(tracked.conditioned, coordinates, labels, previous)
        once = self.stages.traits.answers_once
        chosen = choose_masks(decoded, ambiguous=points.ambiguous, answers_once=once)
        if once and points.ambiguous:
            logits = shift_to_best_expected_iou(chosen.mask_logits)
            chosen = replace(chosen, mask_logits=logits)
        return chosen

    def _mask_logits(self) -> list[Tensor]:
        """Of each object, (1, 1, 4h, 4w)."""
        return [
            tracked.mask_logits for tracked in self._objects if tracked.mask_logits is not None
        ]

    def _draw(self, current: CurrentFrame) -> Callable[[], Drawing]:
        """Begin to draw every object of the frame: resize, settle overlaps, measure."""
        scores = [tracked.scores for tracked in self._objects if tracked.scores is not None]
        planes = self._mask_logits()
        if current.image is not None and planes:
            threshold = self.config.mask_threshold
            finer = follow_edges(torch.cat(planes), current.image, threshold)
            planes = list(torch.split(finer, 1))
        return self._postprocessor.draw(
            self._objects.ids, planes, scores, current.frame.hw, self.config
        )

    def _publish(self, current: CurrentFrame, drawing: Drawing) -> FrameResult:
        """Make the result of a frame from its drawing."""
        frame = current.frame
        states = [
            tracked.state(mask, scores, frame.stamp_ns)
            for tracked, mask, scores in zip(
                self._objects, drawing.masks, drawing.scores, strict=True
            )
        ]
        self._current = current
        self._result = FrameResult(
            frame_number=current.number,
            stamp_ns=frame.stamp_ns,
            frame_id=frame.frame_id,
            image_hw=frame.hw,
            objects=tuple(states),
            label_image=drawing.label_image,
            time_went_back=current.jump_ns < 0,
        )
        return self._result

    def _publish_again(self) -> None:
        """Bring the newest frame's result up to date."""
        if self._current is not None:
            self._publish(self._current, self._draw(self._current)())

    def _forget_lost(self) -> FrameResult:
        """Drop what `forget_after_s` says; the dropped are named in the result."""
        result = self._result
        assert result is not None
        limit_ns = self.config.forget_after_s * 1e9
        lost = [s.object_id for s in result.objects if 0 < limit_ns < s.time_since_seen_ns]
        if lost:
            for object_id in lost:
                self._objects.remove(object_id)
            kept = tuple(state for state in result.objects if state.object_id not in lost)
            result = replace(result, objects=kept, forgotten_ids=tuple(lost))
            self._result = result
        return result


def postprocessor_for(stages: Stages) -> Postprocessor:
    """What suits the device on which the stages take their inputs."""
    size, device = stages.sizes.image_size, stages.device
    return CpuPostprocessor(size) if device.type == "cpu" else CudaPostprocessor(size, device)


def as_prompt(mask_logits: Tensor) -> Tensor:
    """A mask as the decoder takes it back: (B, 1, 4h, 4w)."""
    return mask_logits.clamp(-MAX_PREVIOUS_LOGIT, MAX_PREVIOUS_LOGIT)
