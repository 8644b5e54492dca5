"""What `etam track` does once it knows what to follow: pick in a window, follow, write."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from etam_ros.cli.terminal.errors import EXIT_INTERRUPTED
from etam_ros.config import EverythingConfig, MaskletsConfig, OverlayConfig, TrackerConfig
from etam_ros.offline.config import BagOutputConfig, TrackConfig

if TYPE_CHECKING:
    from etam_ros.media.frame_source import FrameSource
    from etam_ros.media.result_folder import ResultFolder
    from etam_ros.media.run_record import RunRecord
    from etam_ros.offline.prompts_file import TimedPrompt
    from etam_ros.offline.track_bag import TrackBag
    from etam_ros.offline.track_run import RunSummary, TrackRun
    from etam_ros.records import Frame
    from etam_ros.runtime import Stages
    from etam_ros.segmenting.masklets import Masklets
    from etam_ros.tracking import Tracker


@dataclass(frozen=True)
class TrackJob:
    """What a run writes, and how it tracks."""

    config: TrackConfig
    tracking: TrackerConfig
    bag: BagOutputConfig
    tracker: str
    grid: EverythingConfig
    masklets: MaskletsConfig
    largest_id: int


def pick(
    said: list[TimedPrompt], source: FrameSource, stages: Stages, job: TrackJob
) -> tuple[list[TimedPrompt], Iterable[Frame]]:
    """Prompts with those that are clicked in a window, and the frames that they are for."""
    from etam_ros.cli.terminal.interrupts import stop_on_interrupt
    from etam_ros.offline.picking.session import PickSession
    from etam_ros.offline.picking.window import pick_in_window
    from etam_ros.tracking import Tracker

    session = PickSession(source, Tracker(stages, job.tracking), said, job.largest_id)
    with stop_on_interrupt(words=b"\n") as stop:
        picked = pick_in_window(session, stop=stop)
    if not picked:
        typer.echo("left without tracking: nothing was written", err=True)
        raise typer.Exit(EXIT_INTERRUPTED)
    return list(session.prompts), session.frames_to_track()


def record_of(source: FrameSource, stages: Stages, job: TrackJob) -> RunRecord:
    """What is known of a run before it begins."""
    from etam_ros.media.run_record import RunRecord
    from etam_ros.offline.output_folder import LOGITS, MASKS, OBJECTS, OVERLAY

    overlay = () if job.config.no_overlay else (OVERLAY,)
    logits = (LOGITS,) if job.config.save_logits else ()
    return RunRecord(
        "track",
        job.config.source,
        stages.name,
        frames_in_source=source.frame_count,
        files=(MASKS, OBJECTS, *overlay, *logits),
    )


def follow(
    run: TrackRun,
    source: FrameSource,
    frames: Iterable[Frame],
    stages: Stages,
    job: TrackJob,
    folder: ResultFolder,
) -> RunSummary:
    """Follow through all frames, and say how the results ended.

    Args:
        run: with its prompts.
        source: of the frames.
        frames: of the source, or those that were read ahead while somebody clicked, too.
        stages: of the network.
        job: what is written, and how it tracks.
        folder: of the results.
    """
    from etam_ros.cli.terminal.interrupts import stop_on_interrupt
    from etam_ros.cli.terminal.progress import frame_progress
    from etam_ros.media.run_record import CUT, INTERRUPTED
    from etam_ros.offline.track_output import TrackOutput
    from etam_ros.tracking import Tracker

    tracker = Tracker(stages, job.tracking)
    masklets = _masklets(tracker, job) if job.config.everything else None
    with ExitStack() as stack:
        bag = _bag(job) if job.bag.out_bag else None
        if bag is not None:
            stack.push(_tell_unfinished(bag))  # once it was tried to finish it
            stack.enter_context(bag)
        advance = stack.enter_context(
            frame_progress(f"tracking {source.name}", source.frame_count)
        )
        stop = stack.enter_context(stop_on_interrupt())
        output = stack.enter_context(
            TrackOutput(
                folder.place,
                fps=source.fps,
                overlay=None if job.config.no_overlay else OverlayConfig(),
                save_logits=job.config.save_logits,
                wide_ids=job.config.wide_ids,
                bag=bag,
            )
        )

        def on_frame() -> None:
            folder.frames += 1
            advance()

        summary = run.run(frames, tracker, output, masklets=masklets, on_frame=on_frame, stop=stop)
        if summary.stopped and not source.live:  # to stop it is how a camera ends
            folder.end(INTERRUPTED)
        elif summary.cut:
            folder.end(CUT, summary.cut)
        if bag is not None:
            bag.record = folder.record
            if summary.stopped:
                bag.mark_stopped()
        if output.note:
            typer.echo(f"note: {output.note}", err=True)
        return summary


def _masklets(tracker: Tracker, job: TrackJob) -> Masklets:
    from etam_ros.segmenting.masklets import Masklets

    return Masklets(tracker, job.masklets, job.grid, job.largest_id)


def _tell_unfinished(bag: TrackBag) -> Callable[..., None]:
    """Say where what there is of a bag lies, if the run breaks off."""

    def on_exit(kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            typer.echo(f"note: the bag was not finished, {bag.unfinished} can be read", err=True)

    return on_exit


def _bag(job: TrackJob) -> TrackBag:
    from etam_ros.offline.track_bag import TRACKER, TrackBag

    quality = OverlayConfig.jpeg_quality if job.bag.bag_overlay else None
    bag = TrackBag(
        Path(job.bag.out_bag),
        job.bag.bag_storage,
        tracker=job.tracker or TRACKER,
        overlay_quality=quality,
    )
    if bag.replaces:
        typer.echo(
            f"note: what an earlier run left unfinished in {bag.unfinished} is gone", err=True
        )
    return bag
