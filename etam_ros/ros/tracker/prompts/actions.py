"""What prompts, clicks and services do to the tracker; all of it runs in the worker's thread."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from std_msgs.msg import Header

from etam_ros.clicks import object_of_click, without_rounding
from etam_ros.config import DetectionsConfig
from etam_ros.errors import ObjectError, PromptError
from etam_ros.msg import Prompt as PromptMessage
from etam_ros.msg import TrackedObject
from etam_ros.records import BACKGROUND, FOREGROUND, Prompt
from etam_ros.ros.messages import (
    NS_PER_S,
    check_prompt_frame,
    header_of,
    prompt_from_message,
    prompt_message,
    stamp_ns,
    tracked_object,
)
from etam_ros.ros.tracker.loading import Tracking
from etam_ros.ros.tracker.object_watch import name_of
from etam_ros.ros.tracker.prompts.detections import chosen, detections_from_message, object_of_box

if TYPE_CHECKING:
    from vision_msgs.msg import Detection2DArray

    from etam_ros.tracking import Tracker


CLICKS_IN_WORDS: Final = 3


@dataclass(frozen=True)
class Click:
    """A pixel that somebody clicked on, without a word of which object is meant.

    Attributes:
        point: (x, y) in source pixels.
        source: the topic it came on.
        label: FOREGROUND or BACKGROUND.
        header: ties it to a frame; empty for the newest one.
        rounded: the source may round up to the width or height of the frame.
    """

    point: tuple[float, float]
    source: str
    label: int = FOREGROUND
    header: Header = field(default_factory=Header)
    rounded: bool = False


def apply_prompt(
    message: PromptMessage, source: str, tracking: Tracking
) -> tuple[TrackedObject, Header]:
    """Give the tracker a prompt.

    Args:
        message: as it came.
        source: the topic or service it came on.
        tracking: gets it.

    Returns:
        the object on the frame that was prompted, and that frame's header.
    """
    newest = check_prompt_frame(message.header, tracking.newest)
    if only_names(message):
        return rename_object(message.object_id, message.label, tracking), newest
    return add_prompt(prompt_from_message(message), source, tracking)


def apply_click(click: Click, meaning: str, tracking: Tracking) -> None:
    """Start or refine the object that a bare click means.

    Args:
        click: as it came.
        meaning: the value of `clicks.meaning`.
        tracking: gets the prompt.
    """
    check_prompt_frame(click.header, tracking.newest)
    clicked_ns = stamp_ns(click.header.stamp)
    # Whose object is not found by its mask needs to know none.
    by_mask = meaning == "auto" or (meaning == "new" and click.label == BACKGROUND)
    result = tracking.tracker.result_at(clicked_ns if by_mask else 0)
    point = without_rounding(click.point, result.image_hw) if click.rounded else click.point
    object_id = object_of_click(
        point, click.label, result, meaning=meaning, selected=tracking.selected
    )
    prompt = Prompt(
        object_id,
        points=[point],
        point_labels=[click.label],
        keep_previous=True,
        stamp_ns=clicked_ns,
    )
    add_prompt(prompt, click.source, tracking)


def apply_detections(
    message: Detection2DArray, source: str, config: DetectionsConfig, tracking: Tracking
) -> None:
    """Follow what a detector found, as far as it is wanted and not followed already.

    Args:
        message: as it came.
        source: the topic it came on.
        config: which boxes are wanted.
        tracking: gets a prompt for each of them.

    Raises:
        PromptError: one was refused; the others were applied.
    """
    check_prompt_frame(message.header, tracking.newest)
    tracker, detected_ns = tracking.tracker, stamp_ns(message.header.stamp)
    found = detections_from_message(message, tracker.result_at(detected_ns).image_hw)
    done: set[int] = set()
    refusal: PromptError | None = None
    for each in chosen(found, config):
        object_id = object_of_box(each.box, tracker.result_at(detected_ns), config.overlap_iou)
        if object_id and (config.on_overlap == "ignore" or object_id in done):
            continue
        try:
            prompt = Prompt(
                object_id,
                label="" if object_id else each.label,  # no detector renames an object
                box=each.box,
                stamp_ns=detected_ns,
            )
            done.add(add_prompt(prompt, source, tracking)[0].id)
        except PromptError as error:
            refusal = refusal or error
    if refusal is not None:
        raise refusal


def only_names(message: PromptMessage) -> bool:
    """Whether a prompt has an id and a label and nothing else: it gives the object that name."""
    says = len(message.points) or len(message.point_labels) or len(message.box)
    return bool(message.object_id and message.label and not says and not len(message.mask.data))


def rename_object(object_id: int, label: str, tracking: Tracking) -> TrackedObject:
    """Give an object another name; nothing else changes.

    Returns:
        it as of the newest frame; where it is still on its way there, id and label alone.

    Raises:
        ObjectError: there is no such object.
    """
    tracker, newest = tracking.tracker, tracking.newest
    tracker.rename(object_id, label)
    tracking.look()
    state = tracker.result.object(object_id) if tracker.result else None
    if state is None or newest is None:
        return TrackedObject(id=object_id, label=label)
    last_seen = tracking.watch.last_seen[object_id]
    return tracked_object(state, newest, last_seen, tracking.position_of(state, newest))


def remove_object(object_id: int, source: str, tracking: Tracking) -> None:
    """Forget one object, because somebody asked for it on `source`."""
    tracking.tracker.remove(object_id)
    tracking.look(cause=f"asked for by {source}")


def reset(source: str, tracking: Tracking) -> None:
    """Forget all objects, because somebody asked for it on `source`."""
    tracking.tracker.reset()
    tracking.resets += 1
    tracking.look(cause=f"asked for by {source}")


def select_object(object_id: int, tracking: Tracking) -> None:
    """Choose the object that bare clicks mean while `clicks.meaning` is target.

    Args:
        object_id: of an object that is followed; 0 chooses none.
        tracking: remembers it until the object is gone.

    Raises:
        ObjectError: there is no such object.
    """
    object_ids = tracking.tracker.object_ids
    if object_id and object_id not in object_ids:
        known = ", ".join(map(str, object_ids)) or "none"
        raise ObjectError(
            f"there is no object {object_id} to select, expected 0 for none, or one of: {known}"
        )
    tracking.selected = object_id or None


def add_prompt(prompt: Prompt, source: str, tracking: Tracking) -> tuple[TrackedObject, Header]:
    """Give the tracker a prompt: the object on the frame it is for, and that frame's header."""
    tracker, newest = tracking.tracker, tracking.newest
    assert newest is not None
    try:
        state = tracker.add_prompt(prompt)
    except ObjectError as error:
        raise ObjectError(f"{error}{_whom_to_remove(tracker)}") from error
    cause = f"{_in_words(prompt)} from {source}"
    is_newest = state.stamp_ns == stamp_ns(newest.stamp)
    header = newest if is_newest else header_of(state.stamp_ns, newest.frame_id)
    tracking.applied.append(prompt_message(prompt, state.object_id, header))
    if is_newest:
        tracking.look(cause=cause, prompted=state.object_id)
        last_seen = tracking.watch.last_seen[state.object_id]
        position = tracking.position_of(state, newest)
        return tracked_object(state, newest, last_seen, position), newest
    last_seen = tracking.watch.look_back(state, header, cause=cause)
    return tracked_object(state, header, last_seen), header


def _whom_to_remove(tracker: Tracker) -> str:
    """What a refusal adds where no more objects can be followed."""
    if tracker.result is None or len(tracker.object_ids) < tracker.config.max_objects:
        return ""
    hidden = [state for state in tracker.result.objects if state.occluded]
    if not hidden:
        return "; all of them are visible"
    oldest = max(hidden, key=lambda state: state.time_since_seen_ns)
    unseen_s = oldest.time_since_seen_ns / NS_PER_S
    name = name_of(oldest.object_id, oldest.label)
    return f"; {name} was not seen for longest, for {unseen_s:.1f} s"


def _in_words(prompt: Prompt) -> str:
    if prompt.mask is not None:
        return "mask"
    parts = []
    if prompt.box is not None:
        x_min, y_min, x_max, y_max = prompt.box
        parts.append(f"box ({x_min:g}, {y_min:g}, {x_max:g}, {y_max:g})")
    clicks = [
        f"{'background ' if label == BACKGROUND else ''}click at ({x:g}, {y:g})"
        for (x, y), label in zip(prompt.points, prompt.point_labels, strict=True)
    ]
    parts += clicks[:CLICKS_IN_WORDS]
    if len(clicks) > CLICKS_IN_WORDS:
        parts.append(f"{len(clicks) - CLICKS_IN_WORDS} more clicks")
    return " and ".join(parts)
