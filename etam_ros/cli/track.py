"""`etam track`: follow objects through a video, a folder of images, a bag or a camera."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from etam_ros.cli.terminal.errors import EXIT_INTERRUPTED
from etam_ros.cli.terminal.options import options_of
from etam_ros.config import NetworkConfig, OverlayConfig, TrackerConfig
from etam_ros.errors import PromptError
from etam_ros.offline.config import PROCESSED, BagOutputConfig, ReplayConfig, TrackConfig

if TYPE_CHECKING:
    from etam_ros.media.frame_source import FrameSource
    from etam_ros.offline.prompts_file import TimedPrompt, TimedRemoval
    from etam_ros.offline.track_bag import TrackBag
    from etam_ros.offline.track_run import RunSummary, TrackRun
    from etam_ros.records import Frame
    from etam_ros.runtime import Stages


@dataclass(frozen=True)
class _TrackJob:
    """What a run writes, and how it tracks."""

    config: TrackConfig
    tracking: TrackerConfig
    bag: BagOutputConfig
    tracker: str
    weights: str


@options_of(TrackConfig, positional="source")
@options_of(TrackerConfig, "max_objects")
@options_of(NetworkConfig)
@options_of(ReplayConfig)
@options_of(BagOutputConfig)
def track(
    config: TrackConfig,
    tracking: TrackerConfig,
    network: NetworkConfig,
    replay: ReplayConfig,
    bag: BagOutputConfig,
) -> None:
    """Follow objects through a video, a folder of images, a bag or a camera.

    Clicks and boxes start an object each, unless an ID and a colon stand before them; all three
    may be given several times: --click 320,240 --click 1:340,250@12 --background 1:10,20@12

    With --pick the first frame opens in a window: click on what to follow, see its mask, correct
    it, and press Enter. Prompts of the other options are there already.

    A bag that holds prompts brings its own, on their frames, where none are given here.

    A prompts file says what to follow, from which frame on, in pixels of the source, by
    clicks (label 1 on the object, 0 off it), a box, or a mask:

    [ {"frame": 0, "object_id": 1, "label": "cup", "points": [ [320, 240] ], "labels": [1]},

    {"frame": 0, "object_id": 2, "box": [40, 60, 200, 220]},

    {"frame": 9, "object_id": 3, "mask": "mask.png", "mask_value": 1} ]
    """
    # Everything heavy comes now, so that help is quick.
    from etam_ros.media.sources import open_source
    from etam_ros.offline.output_folder import check_output_folder
    from etam_ros.offline.prompt_options import prompts_from_options
    from etam_ros.offline.prompts_file import read_prompts
    from etam_ros.offline.track_run import TrackRun, with_ids

    listed = read_prompts(Path(config.prompts)) if config.prompts else []
    given = prompts_from_options(config.click, config.background, config.box, known=listed)
    said = with_ids([*listed, *given])
    if config.save_logits:  # to be compared: nothing filled in, nothing forgotten
        tracking = replace(tracking, fill_hole_area=0, conditioning_memories=0)
    job = _TrackJob(config, tracking, bag, replay.tracker, network.weights or network.model)
    if not said and not config.pick:
        _check_brings_prompts(config.source)
    if bag.out_bag:
        from etam_ros.media.bags.writer import check_new

        check_new(Path(bag.out_bag), beside=config.folder)
    with open_source(config.source, topic=replay.topic, recover=replay.recover) as frames:
        told: set[str] = set()
        _tell(frames, told)
        listing = Path(config.prompts) if config.prompts else None
        check_output_folder(config.folder, config.source, listing)
        to_do, to_follow = _replayed(said, frames, replay, config.pick)
        if config.pick:
            from etam_ros.offline.picking.window import check_window

            check_window()
        from etam_ros.tracking import open_stages

        with open_stages(**vars(network)) as stages:
            to_track: Iterable[Frame] = to_follow
            if config.pick:
                to_do, to_track = _pick(said, to_follow, stages, job)
            run = TrackRun(to_do)
            summary = _run(run, to_follow, to_track, stages, job)
        _tell(frames, told)
    _report(summary, config.folder, bag.out_bag)
    if summary.stopped:
        raise typer.Exit(EXIT_INTERRUPTED)
    run.check_all_prompted(summary.frames)


def _check_brings_prompts(source: str) -> None:
    """Raise PromptError, before anything is opened, where only a bag could have prompts."""
    from etam_ros.media.files import is_bag

    if not is_bag(Path(source)):
        raise _no_prompts("no prompts given")


def _no_prompts(why: str) -> PromptError:
    return PromptError(
        f"{why}: add --click X,Y, --box X0,Y0,X1,Y1, --prompts FILE or --pick (see --help)"
    )


def _replayed(
    said: list[TimedPrompt], frames: FrameSource, replay: ReplayConfig, pick: bool
) -> tuple[Sequence[TimedPrompt | TimedRemoval], FrameSource]:
    """The prompts, from the bag where none are given; and those frames that are followed."""
    from etam_ros.offline.prompts_file import TimedPrompt
    from etam_ros.offline.replay import ProcessedFrames, prompts_in

    to_do: Sequence[TimedPrompt | TimedRemoval] = said
    if not said and not pick:
        to_do = prompts_in(frames, replay.tracker)
        if not any(isinstance(item, TimedPrompt) for item in to_do):
            raise _no_prompts(f"no prompts given, and {frames.name} holds none")
        prompts = sum(isinstance(item, TimedPrompt) for item in to_do)
        words = [f"{prompts} prompt{'' if prompts == 1 else 's'}"]
        if removals := len(to_do) - prompts:
            words.append(f"{removals} removal{'' if removals == 1 else 's'}")
        typer.echo(f"{' and '.join(words)} replayed from {frames.name}")
    if replay.frames == PROCESSED:
        return to_do, ProcessedFrames(frames, to_do, replay.tracker)
    return to_do, frames


def _tell(source: FrameSource, told: set[str]) -> None:
    """Say what is odd about a source, each thing once."""
    for note in source.notes:
        if note not in told:
            typer.echo(f"note: {note}", err=True)
            told.add(note)


def _pick(
    said: list[TimedPrompt], source: FrameSource, stages: Stages, job: _TrackJob
) -> tuple[list[TimedPrompt], Iterable[Frame]]:
    """Prompts with those that are clicked in a window, and the frames that they are for."""
    from etam_ros.cli.terminal.interrupts import stop_on_interrupt
    from etam_ros.offline.picking.session import PickSession
    from etam_ros.offline.picking.window import pick_in_window
    from etam_ros.offline.prompts_output import write_prompts
    from etam_ros.tracking import Tracker

    session = PickSession(source, Tracker(stages, job.tracking), said)
    with stop_on_interrupt(words=b"\n") as stop:
        picked = pick_in_window(session, stop=stop)
    if not picked:
        typer.echo("left without tracking: nothing was written", err=True)
        raise typer.Exit(EXIT_INTERRUPTED)
    path = write_prompts(job.config.folder, session.prompts)
    typer.echo(f"{len(session.prompts)} prompts in {path}")
    return list(session.prompts), session.frames_to_track()


def _run(
    run: TrackRun, source: FrameSource, frames: Iterable[Frame], stages: Stages, job: _TrackJob
) -> RunSummary:
    from etam_ros.cli.terminal.interrupts import stop_on_interrupt
    from etam_ros.cli.terminal.progress import frame_progress
    from etam_ros.offline.run_file import RunFile
    from etam_ros.offline.track_output import TrackOutput
    from etam_ros.tracking import Tracker

    tracker = Tracker(stages, job.tracking)
    with ExitStack() as stack:
        record = stack.enter_context(RunFile(job.config.folder, _about(job, stages)))
        bag = _bag(job) if job.bag.out_bag else None
        if bag is not None:
            stack.push(_tell_unfinished(bag))  # once it was tried to finish it
            stack.enter_context(bag)
        advance = stack.enter_context(
            frame_progress(f"tracking {source.name}", source.frame_count)
        )

        def on_frame() -> None:
            record.frames += 1
            advance()

        stop = stack.enter_context(stop_on_interrupt())
        output = stack.enter_context(
            TrackOutput(
                job.config.folder,
                fps=source.fps,
                overlay=None if job.config.no_overlay else OverlayConfig(),
                save_logits=job.config.save_logits,
                bag=bag,
            )
        )
        summary = run.run(frames, tracker, output, on_frame=on_frame, stop=stop)
        record.object_ids, record.stopped = summary.object_ids, summary.stopped
        if bag is not None and summary.stopped:
            bag.mark_stopped()
        return summary


def _about(job: _TrackJob, stages: Stages) -> dict[str, str]:
    """What run.json says of a run before it begins."""
    about = {"source": job.config.source, "runs_on": stages.name, "weights": job.weights}
    return about | ({"bag": job.bag.out_bag} if job.bag.out_bag else {})


def _tell_unfinished(bag: TrackBag) -> Callable[..., None]:
    """Say where what there is of a bag lies, if the run breaks off."""

    def on_exit(kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            typer.echo(f"note: the bag was not finished, {bag.unfinished} can be read", err=True)

    return on_exit


def _bag(job: _TrackJob) -> TrackBag:
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


def _report(summary: RunSummary, out: Path, bag: str) -> None:
    ids = ", ".join(str(object_id) for object_id in summary.object_ids) or "none"
    how = "stopped after" if summary.stopped else "tracked"
    typer.echo(
        f"{how} {summary.frames} frames at {summary.fps:.1f} frames/s; objects: {ids}; "
        f"results in {out}{bag and f' and {bag}'}"
    )
