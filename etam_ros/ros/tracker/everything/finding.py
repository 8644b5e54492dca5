"""Finding everything in one picture, and following it; all of it runs in the worker's thread."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensor_msgs.msg import Image
from std_msgs.msg import Header

from etam_ros.config import EverythingConfig, ImagesConfig
from etam_ros.errors import ObjectError, PromptError
from etam_ros.msg import TrackedObject
from etam_ros.records import Frame, FrameResult, ObjectState, Prompt
from etam_ros.ros.messages import LastSeen, check_prompt_frame, stamp_ns, tracked_object
from etam_ros.ros.tracker.everything.long_requests import Steps
from etam_ros.ros.tracker.frames import ReceivedImage
from etam_ros.ros.tracker.loading import Tracking
from etam_ros.ros.tracker.prompts.actions import add_prompt

if TYPE_CHECKING:
    from etam_ros.segmenting import FoundMask


@dataclass(frozen=True)
class Asked:
    """What somebody wants to know.

    Attributes:
        image: where to look; without data: in the newest frame.
        config: the grid, and which masks are kept.
        most: so many at most, the largest; 0: as many as the node follows.
        track: follow what is found.
        images: how images are read.
    """

    image: Image
    config: EverythingConfig
    most: int
    track: bool
    images: ImagesConfig


@dataclass(frozen=True)
class Everything:
    """What was found.

    Attributes:
        header: of the picture.
        objects: the largest first; of those that are not followed the id is 0.
        followed: how many of them are followed since this request.
        known: how many were followed before.
        refused: how many were not followed, because tracker.max_objects are.
        too_small: how many were not followed, because the network sees nothing of their masks.
    """

    header: Header
    objects: list[TrackedObject]
    followed: int = 0
    known: int = 0
    refused: int = 0
    too_small: int = 0


def find_everything(asked: Asked, source: str, tracking: Tracking) -> Steps[Everything]:
    """Find everything in a picture, and follow it if that is wanted.

    Args:
        asked: what is wanted.
        source: the service that it was asked of.
        tracking: whose network answers.

    Returns:
        steps; see `long_requests`.

    Raises:
        PromptError: there is no frame yet, or what is found could not be followed.
        ImageError: the image cannot be read.
    """
    from etam_ros.segmenting import Segmenter  # torch

    if asked.track:
        yield from _until_all_have_caught_up(tracking)
    frame, header = _picture(asked, tracking)
    before = _Before.of(frame, header, tracking) if asked.track else None
    with tracking.history.holding(frame) if asked.track else nullcontext():
        search = Segmenter(tracking.stages).search(frame.image, asked.config)
        while search.advance():
            yield False
        found = search.found()[: asked.most or tracking.tracker.config.max_objects]
        if before is not None:
            return (yield from _follow(found, before, header, source, tracking))
        objects = []
        for each in found:
            objects.append(_as_found(each, header))
            yield False
        return Everything(header, objects)


def _until_all_have_caught_up(tracking: Tracking) -> Steps[None]:
    """Wait for objects that were prompted just now, which would be found and followed once more.

    Each needs a bounded number of turns; one that is held up for longer is waited for no more.
    """
    turns = tracking.history.config.catch_up_frames + 1
    for _ in range(turns * len(tracking.tracker.catching_up_ids)):
        if not tracking.tracker.is_behind:
            return
        yield False


def _picture(asked: Asked, tracking: Tracking) -> tuple[Frame, Header]:
    """Where to look, and its header."""
    if asked.image.data:
        received = ReceivedImage(asked.image, 0)
        return received.read(asked.images), asked.image.header
    if tracking.newest_frame is None or tracking.newest is None:
        raise PromptError(
            "no image has been processed yet, and the request has none: call again after the "
            "first one, or send an image"
        )
    return tracking.newest_frame, tracking.newest


@dataclass(frozen=True)
class _Before:
    """What was followed when a search began.

    Attributes:
        result: the objects as they were on the picture.
        resets: of the tracking until then.
    """

    result: FrameResult
    resets: int

    @classmethod
    def of(cls, frame: Frame, header: Header, tracking: Tracking) -> _Before:
        """What is followed now.

        Raises:
            PromptError: what is found on the picture could not be followed to the newest frame.
        """
        check_prompt_frame(header, tracking.newest)
        if frame.stamp_ns == 0:
            raise PromptError(
                "track is true, but the image has no stamp, so the objects found on it cannot "
                "catch up with later frames: let the camera driver set stamps, or use track "
                "false and prompt the objects you want"
            )
        result = tracking.tracker.result_at(frame.stamp_ns)
        if result.image_hw != frame.hw:
            raise PromptError(
                f"track is true, but the image is {frame.hw[1]} x {frame.hw[0]} pixels, "
                f"expected {result.image_hw[1]} x {result.image_hw[0]} like the frame with its "
                "stamp: send that frame, or an empty image for the newest one"
            )
        return cls(result, tracking.resets)

    def still_followed(self, tracking: Tracking) -> list[ObjectState]:
        """Those of them that are followed still, and as they are now those that came meanwhile.

        Where the latter were on the picture nobody knows; a camera that stands still shows them
        in the same place.
        """
        ids, newest = tracking.tracker.object_ids, tracking.tracker.result
        still = [state for state in self.result.objects if state.object_id in ids]
        if newest is None or newest.image_hw != self.result.image_hw:
            return still
        known = {state.object_id for state in still}
        return still + [state for state in newest.objects if state.object_id not in known]

    def check(self, tracking: Tracking) -> None:
        """Raise PromptError where everything was forgotten meanwhile: ids have begun anew."""
        if tracking.resets != self.resets:
            raise PromptError(
                "~/reset was called while the image was searched, so nothing found on it is "
                "tracked: call again"
            )


def _follow(
    found: Sequence[FoundMask],
    before: _Before,
    header: Header,
    source: str,
    tracking: Tracking,
) -> Steps[Everything]:
    """Follow what was found and is not followed yet, the largest first."""
    from etam_ros.segmenting.everything.overlaps import shown_by  # torch

    tracker = tracking.tracker
    before.check(tracking)
    still = before.still_followed(tracking)
    objects, followed, known, refused, too_small = [], 0, 0, 0, 0
    for each in found:
        tracked: TrackedObject | None = None
        state = shown_by(each, still)
        if state is not None:
            known += 1
        elif len(tracker.object_ids) >= tracker.config.max_objects:
            refused += 1
        else:
            prompt = Prompt(mask=each.mask, stamp_ns=stamp_ns(header.stamp))
            try:
                tracked, _ = add_prompt(prompt, source, tracking)
                followed += 1
            except ObjectError:
                raise
            except PromptError:
                too_small += 1  # for the network's picture
        objects.append(_as_found(each, header, state) if tracked is None else tracked)
        yield True
        before.check(tracking)
    return Everything(header, objects, followed, known, refused, too_small)


def _as_found(
    found: FoundMask, header: Header, followed: ObjectState | None = None
) -> TrackedObject:
    """What was found as a message; of what is followed by its id and label."""
    from etam_ros.segmenting.states import state_of  # torch

    state = state_of(
        found.measured(),
        object_id=0 if followed is None else followed.object_id,
        label="" if followed is None else followed.label,
        iou_score=found.iou_score,
        stamp_ns=stamp_ns(header.stamp),
    )
    return tracked_object(state, header, LastSeen(state.box, state.centroid))
