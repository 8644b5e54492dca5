"""The streaming tracker.

Letters: N objects, D hidden dim, h = w feature grid.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from etam_ros.config import TrackerConfig
from etam_ros.device_memory import memory_errors_in_words
from etam_ros.records import Frame, FrameResult, ObjectState, Prompt, check_label
from etam_ros.runtime import MemoryBatch, Stages
from etam_ros.tracking.catch_up import CatchUp, as_of, moved_on, past_limits
from etam_ros.tracking.current_frame import CurrentFrame, FrameMark
from etam_ros.tracking.frame_result import publish
from etam_ros.tracking.frame_steps import FrameSteps
from etam_ros.tracking.history import History, nothing_stepped, other_frame
from etam_ros.tracking.objects import ObjectTable, PromptedObject, TrackedObject
from etam_ros.tracking.prompt_inputs import check_fits, check_starts
from etam_ros.tracking.publishing import Drawing, Postprocessor
from etam_ros.tracking.state import Followed, TrackerState
from etam_ros.transforms import one_thread


class Tracker:
    """Track objects through a stream of frames.

    Not thread-safe: one thread at a time may call it. A call that raises leaves the tracker
    exactly as it was; if the device runs out of memory, DeviceMemoryError is raised.

    Args:
        stages: the stages of the network, from `open_stages`.
        config: limits of the memory bank, and how results are computed.
        history: past frames that can be prompted; without it only the newest frame can.
        postprocessor: loads images and draws masks; by default one that suits the device.

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
        history: History | None = None,
        postprocessor: Postprocessor | None = None,
    ) -> None:
        self.stages = stages
        self.config = config or TrackerConfig()
        stages.check_serves(self.config)
        self._history = history
        self._steps = FrameSteps(stages, postprocessor)
        self._state = TrackerState()

    @property
    def result(self) -> FrameResult | None:
        """The newest frame's result, with the prompts and removals since; None before any."""
        return self._state.result

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids of the tracked objects, in the order in which they were added.

        New ones that are still catching up come last; they are not in a result yet.
        """
        return self._state.everyone.ids

    @property
    def catching_up_ids(self) -> set[int]:
        """Ids of the objects that are catching up from a past frame, new or corrected there."""
        return self._state.catching_up_ids

    @property
    def is_behind(self) -> bool:
        """Whether `catch_up` has work to do before the next frame arrives."""
        return self._state.next_group(self._history) is not None

    @memory_errors_in_words()
    @torch.inference_mode()
    @one_thread()
    def step(self, frame: Frame, *, catch_up: bool = True) -> FrameResult:
        """Track every object to the next frame.

        Args:
            frame: any size; it may change from frame to frame.
            catch_up: first call `catch_up` once. Use False if you call `catch_up` yourself
                between frames, where it does not delay a result.

        Returns:
            the state of every object, in this frame's pixels.
        """
        state = self._nearer(self._state) if catch_up else self._state
        before = state.current.mark if state.current else None
        current = self._steps.encode_image(frame, before.number + 1 if before else 1).after(before)
        followed = self._follow(before, current, state.objects, state.batch)
        state = replace(
            state,
            objects=followed.objects,
            batch=followed.batch or state.batch,
            conditioned=followed.conditioned,
            prompted=None,
        )
        # On a GPU, drawing() is the only place where the host waits.
        self._state, result = self._published(state, current, followed.drawing(), forget=True)
        if self._history is not None:
            self._history.add_stepped(frame)
        return result

    @memory_errors_in_words()
    @torch.inference_mode()
    @one_thread()
    def catch_up(self) -> bool:
        """Advance objects that were prompted on a past frame by one frame towards the newest.

        Objects that were prompted on the same frame advance together, one such group after
        another. Those that have caught up are in `result` from then on.

        Returns:
            whether there is more to do before the next frame arrives.
        """
        self._state = self._nearer(self._state)
        return self.is_behind

    @memory_errors_in_words()
    @torch.inference_mode()
    @one_thread()
    def result_at(self, stamp_ns: int) -> FrameResult:
        """The state of the objects on the frame that a prompt with this stamp would apply to.

        Objects that were added later are left out. If that frame was never processed, the
        states are those of the frame before it.

        Args:
            stamp_ns: stamp of a prompt; 0: the newest frame.

        Raises:
            PromptError: no frame was processed yet, there is no frame with that stamp, or the
                state of an object on it is no longer stored.
            ImageError: the past frame cannot be read.
        """
        state = self._state
        if state.current is None or state.result is None:
            raise nothing_stepped()
        there = self._prompted_frame(stamp_ns, state.current)
        if there is state.current:
            return state.result
        self._state = replace(state, prompted=there)  # a prompt on it need not encode it again
        then = []
        for tracked in state.everyone:
            found = as_of(tracked, self._mark_of(tracked.object_id), there.frame.stamp_ns)
            then += [found[1]] if found else []
        objects = ObjectTable(tuple(then))
        drawing = self._steps.settle_overlaps(there, objects, self.config)()
        return publish(there, objects, drawing, measured=self.config.measured)[1]

    @memory_errors_in_words()
    @torch.inference_mode()
    @one_thread()
    def add_prompt(self, prompt: Prompt) -> ObjectState:
        """Add or refine an object, on the newest frame or on the past frame with the stamp.

        Memories of the object after a past frame are replaced. It catches up from there (see
        `catch_up`); until it has, results are those without the prompt.

        Returns:
            the object's state on the prompted frame, with that frame's stamp; if it is the
            newest frame, `result` contains it too.

        Raises:
            PromptError: no frame was processed yet, there is no frame with that stamp, or the
                prompt does not fit the frame.
            ObjectError: the id is refused, or there are too many objects.
            ImageError: the past frame cannot be read.
        """
        state, config = self._state, self.config
        if state.current is None:
            raise nothing_stepped()
        object_id = prompt.object_id
        if state.everyone.get(object_id) is None:
            object_id = state.everyone.new_id(object_id, config.max_objects)
        there = self._prompted_frame(prompt.stamp_ns, state.current)
        check_fits(prompt, there.frame)
        target = self._target(object_id, there, state.current)
        if not isinstance(target, TrackedObject):
            check_starts(prompt, object_id)
        seen = state.conditioned.get(object_id) if target is state.objects.get(object_id) else None
        conditioned = self._steps.condition(there, target, config) if seen is None else seen
        tracked = self._steps.answer(prompt, there, target, conditioned, config)
        others = state.not_catching_up([object_id])
        if there is state.current:
            objects = others.objects.with_object(tracked)
            self._state, result = self._redrawn(replace(others, objects=objects), there)
            return result.objects[objects.ids.index(object_id)]
        objects = ObjectTable((tracked,))
        drawing = self._steps.settle_overlaps(there, objects, config)()
        objects, result = publish(there, objects, drawing, measured=config.measured)
        frames_left = state.frames_left(object_id, self._history)
        self._state = others.with_catching_up(there, objects, frames_left)
        return result.objects[0]

    def rename(self, object_id: int, label: str) -> None:
        """Give an object another name; nothing else changes.

        Raises:
            ObjectError: there is no such object.
            PromptError: the label is too long.
        """
        self._state.everyone.without(object_id)
        check_label(label)
        self._state = self._state.with_label(object_id, label)

    @memory_errors_in_words()
    @torch.inference_mode()
    @one_thread()
    def remove(self, object_id: int) -> None:
        """Stop tracking an object; its id is not used again until `reset`.

        Raises:
            ObjectError: there is no such object.
        """
        self._state.everyone.without(object_id)
        others = self._state.not_catching_up([object_id])
        self._go_on_with(replace(others, objects=others.objects.dropping([object_id])))

    @memory_errors_in_words()
    @torch.inference_mode()
    @one_thread()
    def reset(self) -> None:
        """Forget all objects and all ids; the newest frame can still be prompted.

        `frame_number` is not reset, so it stays unique during the life of a tracker.
        """
        state = self._state
        self._go_on_with(TrackerState(current=state.current, batch=state.batch))

    def _go_on_with(self, state: TrackerState) -> None:
        """Replace the objects, and update the newest frame's result."""
        if state.current is not None:
            state, _ = self._redrawn(state, state.current)
        self._state = state

    def _follow(
        self,
        before: FrameMark | None,
        there: CurrentFrame,
        objects: ObjectTable,
        batch: MemoryBatch | None = None,
    ) -> Followed:
        """Track objects to a frame: the newest, or one on their way to it.

        Args:
            before: the frame that they have reached; None if there is none yet.
            there: the frame after it.
            objects: N objects.
            batch: a batch whose buffers may be reused.
        """
        steps, config = self._steps, self.config
        if before is None or not objects:
            return Followed(objects, steps.settle_overlaps(there, objects, config))
        limits = past_limits(self._history, self.stages.sizes, len(objects))
        objects = objects.updated(moved_on(each, before, there, limits) for each in objects)
        batch = steps.read_memory(there, objects, config, batch)
        conditioned = self.stages.attend_memory(there.feature, batch)
        objects, chosen = steps.decode(there, objects, conditioned, config)
        drawing = steps.settle_overlaps(there, objects, config)
        objects = steps.write_memory(there, objects, chosen, config)
        rows = dict(zip(objects.ids, torch.split(conditioned, 1), strict=True))
        return Followed(objects, drawing, rows, batch)

    def _prompted_frame(self, stamp_ns: int, newest: CurrentFrame) -> CurrentFrame:
        """The frame that a prompt applies to: the newest, or a past one, which is encoded."""
        newest_ns = newest.frame.stamp_ns
        if stamp_ns in (0, newest_ns):
            return newest
        if self._history is None or newest_ns == 0:
            raise other_frame(stamp_ns, newest_ns)
        entry = self._history.find(stamp_ns, newest_ns)
        if entry is None:
            return newest
        encoded = (*(group.current for group in self._state.catching_up), self._state.prompted)
        for there in encoded:
            if there is not None and there.frame.stamp_ns == entry.stamp_ns:
                return there
        return self._steps.encode_image(entry.read(), newest.number)

    def _mark_of(self, object_id: int) -> FrameMark:
        """The frame that a tracked object has reached."""
        group = self._state.group_of(object_id)
        there = group.current if group else self._state.current
        assert there is not None  # nothing is tracked before the first frame
        return there.mark

    def _target(self, object_id: int, there: CurrentFrame, newest: CurrentFrame) -> PromptedObject:
        """The object that a prompt applies to, in its state on the prompted frame."""
        known, stamp_ns = self._state.everyone.get(object_id), there.frame.stamp_ns
        if known is None:
            return PromptedObject(object_id=object_id, label="", last_seen_ns=stamp_ns)
        mark = self._mark_of(object_id)
        if there is not newest:
            found = as_of(known, mark, stamp_ns)
            if found is None:  # it is now added on an earlier frame
                return PromptedObject(
                    object_id=object_id, label=known.label, last_seen_ns=stamp_ns
                )
            mark, known = found
        if mark.stamp_ns == stamp_ns:
            return known.renumbered(there.number - mark.number)
        return self._follow(mark, there.after(mark), ObjectTable((known,))).objects.objects[0]

    def _nearer(self, state: TrackerState) -> TrackerState:
        """The state with the first group that is catching up advanced by one frame."""
        group, newest, history = state.next_group(self._history), state.current, self._history
        if group is None or newest is None or history is None:
            return state
        mark, frame = group.current.mark, group.next_frame(newest.frame.stamp_ns, history)
        if frame is None:
            return self._arrived(state, group, newest)
        there = self._steps.encode_image(frame, mark.number + 1).after(mark)
        followed = self._follow(mark, there, group.objects)
        objects, _ = publish(
            there, followed.objects, followed.drawing(), measured=self.config.measured
        )
        moved = CatchUp(there, objects, group.frames_left - 1)
        groups = (moved if each is group else each for each in state.catching_up)
        return replace(state, catching_up=tuple(groups))

    def _arrived(self, state: TrackerState, group: CatchUp, newest: CurrentFrame) -> TrackerState:
        """The state with objects that have caught up moved to those of the newest frame."""
        mark = group.current.mark
        if group.stamp_ns == newest.frame.stamp_ns:
            by = newest.number - mark.number
            objects = group.objects.updated(each.renumbered(by) for each in group.objects)
        else:
            objects = self._follow(mark, newest.after(mark), group.objects).objects
        state = state.not_catching_up(objects.ids)
        arrived = replace(state, objects=state.objects.with_objects(objects))
        return self._redrawn(arrived, newest)[0]

    def _published(
        self, state: TrackerState, current: CurrentFrame, drawing: Drawing, *, forget: bool = False
    ) -> tuple[TrackerState, FrameResult]:
        """The state with the result of the newest frame.

        Args:
            state: with the objects on that frame.
            current: that frame.
            drawing: of these objects.
            forget: drop objects not seen for too long, except those that are catching up.
        """
        objects, result = publish(
            current,
            state.objects,
            drawing,
            measured=self.config.measured,
            forget_after_s=self.config.forget_after_s if forget else 0.0,
            spared=state.catching_up_ids,
        )
        return replace(state, objects=objects, current=current, result=result), result

    def _redrawn(
        self, state: TrackerState, current: CurrentFrame
    ) -> tuple[TrackerState, FrameResult]:
        """The state with a new result, after the objects of the newest frame have changed."""
        drawing = self._steps.settle_overlaps(current, state.objects, self.config)()
        return self._published(state, current, drawing)
