"""What the thread that owns the tracker tells the node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from etam_ros.errors import EtamError
from etam_ros.msg import Prompt, TrackEvent
from etam_ros.ros.tracker.frames import ProcessedFrame


@dataclass(frozen=True)
class WorkerEvents:
    """What the worker tells; all of it is called in the worker's thread.

    Attributes:
        on_result: a frame was processed; called only from activation to deactivation.
        on_track_events: something became of objects; likewise, later where it must be.
        on_bad_image: an image could not be read; the next one may be good.
        on_failed_frame: a good image could not be processed; the next one may be.
        on_crash: the worker ended, because frame after frame something failed.
        on_applied_prompts: prompts were applied; called as `on_track_events`, and before it.
        on_fault: told where something failed that nobody expected, and what; a frame or a
            request was lost with it, and the next one may be served.
        on_odd_image: told in words what is odd about an image that was read all the same.
    """

    on_result: Callable[[ProcessedFrame], None]
    on_track_events: Callable[[Sequence[TrackEvent]], None]
    on_bad_image: Callable[[EtamError], None]
    on_failed_frame: Callable[[EtamError], None]
    on_crash: Callable[[BaseException], None]
    on_applied_prompts: Callable[[Sequence[Prompt]], None] = lambda _: None
    on_fault: Callable[[str, BaseException], None] = lambda _, __: None
    on_odd_image: Callable[[str], None] = lambda _: None
