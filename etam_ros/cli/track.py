"""`etam track`: follow objects through a video, a folder of images, a bag or a camera."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from etam_ros.cli.terminal.errors import EXIT_CUT, EXIT_INTERRUPTED, say_error
from etam_ros.cli.terminal.options import options_of
from etam_ros.cli.terminal.track_job import TrackJob, follow, pick, record_of
from etam_ros.config import EverythingConfig, MaskletsConfig, NetworkConfig, TrackerConfig
from etam_ros.errors import PromptError
from etam_ros.offline.config import PROCESSED, BagOutputConfig, ReplayConfig, TrackConfig

if TYPE_CHECKING:
    from etam_ros.media.frame_source import FrameSource
    from etam_ros.media.result_folder import ResultFolder
    from etam_ros.offline.prompts_file import TimedPrompt, TimedRemoval
    from etam_ros.offline.track_run import RunSummary
    from etam_ros.records import Frame


@options_of(TrackConfig, positional="source")
@options_of(TrackerConfig, "max_objects")
@options_of(NetworkConfig)
@options_of(ReplayConfig)
@options_of(BagOutputConfig)
@options_of(MaskletsConfig)
@options_of(EverythingConfig)
def track(
    config: TrackConfig,
    tracking: TrackerConfig,
    network: NetworkConfig,
    replay: ReplayConfig,
    bag: BagOutputConfig,
    masklets: MaskletsConfig,
    grid: EverythingConfig,
) -> None:
    """Track objects through a video, a folder of images, a bag or a camera.

    Each click or box adds an object, unless it is preceded by an ID and a colon; all three options
    can be repeated: --click 320,240 --click 1:340,250@12 --background 1:10,20@12

    With --pick the first frame opens in a window: click on an object, see its mask, correct it,
    and press Enter. Prompts given by other options are already applied.

    With --everything no prompt is needed: the first frame is segmented with a grid of clicks, and
    the objects found are tracked, those with the highest score first, up to --max-objects; with
    --every 30 every 30th frame is searched for new objects.

    If no prompts are given, those recorded in a bag are used, on their own frames.

    A prompts file lists the objects and the frames on which they are prompted, in pixels of the
    source, by clicks (label 1 on the object, 0 off it), a box, or a mask:

    [ {"frame": 0, "object_id": 1, "label": "cup", "points": [ [320, 240] ], "labels": [1]},

    {"frame": 0, "object_id": 2, "box": [40, 60, 200, 220]},

    {"frame": 9, "object_id": 3, "mask": "mask.png", "mask_value": 1} ]
    """
    # Everything heavy comes now, so that help is quick.
    from etam_ros.media.result_folder import ResultFolder
    from etam_ros.media.run_record import FAILED
    from etam_ros.media.sources import open_source
    from etam_ros.offline.everything_options import check_everything
    from etam_ros.offline.output_folder import TRACKED, check_output_folder, kept_names
    from etam_ros.offline.prompt_checks import check_prompts
    from etam_ros.offline.track_run import TrackRun

    check_everything(config, grid, masklets)
    said, largest = _said(config)
    if config.save_logits:  # to be compared: nothing filled in, nothing forgotten
        tracking = replace(tracking, fill_hole_area=0, conditioning_memories=0)
    job = TrackJob(config, tracking, bag, replay.tracker, grid, masklets, largest)
    needs_prompts = not said and not config.pick and not config.everything
    if needs_prompts:
        _check_brings_prompts(config.source)
    if bag.out_bag:
        from etam_ros.media.bags.writer import check_new

        check_new(Path(bag.out_bag), beside=config.folder)
    with open_source(config.source, topic=replay.topic, recover=replay.recover) as frames:
        told: set[str] = set()
        _tell(frames, told)
        listing = Path(config.prompts) if config.prompts else None
        check_output_folder(config.folder, config.source, listing)
        to_do, to_follow = _replayed(said, frames, replay, needs_prompts)
        if not config.pick:  # else what does not fit is left out, in words
            check_prompts(to_do, to_follow, tracking.max_objects)
        if config.pick:
            from etam_ros.offline.picking.window import check_window

            check_window()
        from etam_ros.tracking import open_stages

        with open_stages(**vars(network)) as stages:
            to_track: Iterable[Frame] = to_follow
            if config.pick:
                to_do, to_track = pick(said, to_follow, stages, job)
            run = TrackRun(to_do, largest)
            record, kept = record_of(to_follow, stages, job), kept_names(config.folder, listing)
            with ResultFolder(config.folder, TRACKED, record, kept=kept) as folder:
                if config.pick:
                    _keep_picked(to_do, config.folder)
                summary = follow(run, to_follow, to_track, stages, job, folder)
                left = "" if summary.stopped or summary.cut else run.unprompted(summary.frames)
                if left:
                    folder.end(FAILED, left)
        _tell(frames, told)
    _report(summary, folder, bag.out_bag)
    _exit_unless_whole(summary, left)


def _exit_unless_whole(summary: RunSummary, left: str) -> None:
    """Say by the exit code what the results lack; `left` are prompts that were not given."""
    if summary.stopped:
        raise typer.Exit(EXIT_INTERRUPTED)
    if summary.cut:
        say_error(summary.cut)
        raise typer.Exit(EXIT_CUT)
    if left:
        raise PromptError(left)


def _said(config: TrackConfig) -> tuple[list[TimedPrompt], int]:
    """The prompts of file and options, all with ids; and the largest id that masks hold."""
    from etam_ros.media.label_png import LARGEST_ID, LARGEST_WIDE_ID
    from etam_ros.offline.prompt_options import prompts_from_options
    from etam_ros.offline.prompts_file import read_prompts
    from etam_ros.offline.track_run import with_ids

    listed = read_prompts(Path(config.prompts)) if config.prompts else []
    largest = LARGEST_WIDE_ID if config.wide_ids else LARGEST_ID
    given = prompts_from_options(
        config.click, config.background, config.box, known=listed, largest_id=largest
    )
    remedy = "" if config.wide_ids else ", or add --wide-ids"
    return with_ids([*listed, *given], largest, remedy), largest


def _check_brings_prompts(source: str) -> None:
    """Raise PromptError, before anything is opened, where only a bag could have prompts."""
    from etam_ros.media.files import is_bag

    if not is_bag(Path(source)):
        raise _no_prompts("no prompts given")


def _no_prompts(why: str) -> PromptError:
    return PromptError(
        f"{why}: add --click X,Y, --box X0,Y0,X1,Y1, --prompts FILE, --pick or --everything (see "
        "--help)"
    )


def _replayed(
    said: list[TimedPrompt], frames: FrameSource, replay: ReplayConfig, needs_prompts: bool
) -> tuple[Sequence[TimedPrompt | TimedRemoval], FrameSource]:
    """The prompts, from the bag where none are given; and those frames that are followed."""
    from etam_ros.offline.prompts_file import TimedPrompt
    from etam_ros.offline.replay import ProcessedFrames, prompts_in

    to_do: Sequence[TimedPrompt | TimedRemoval] = said
    if needs_prompts:
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


def _keep_picked(said: Sequence[TimedPrompt | TimedRemoval], folder: Path) -> None:
    """Keep what was clicked on, whatever becomes of the run."""
    from etam_ros.offline.prompts_file import TimedPrompt
    from etam_ros.offline.prompts_output import write_prompts

    picked = [item for item in said if isinstance(item, TimedPrompt)]
    typer.echo(f"{len(picked)} prompts in {write_prompts(folder, picked)}")


def _report(summary: RunSummary, folder: ResultFolder, bag: str) -> None:
    ids = ", ".join(str(object_id) for object_id in summary.object_ids) or "none"
    how = "stopped after" if summary.stopped else "tracked"
    frames = f"{summary.frames} frame{'' if summary.frames == 1 else 's'}"
    merged = ", ".join(str(object_id) for object_id in summary.merged_ids)
    same = f"; the same as another, and ended: {merged}" if merged else ""
    kept = f"; {folder.folder} keeps an earlier run's, which are whole" * folder.keeps_earlier
    typer.echo(
        f"{how} {frames} at {summary.fps:.1f} frames/s; objects: {ids}{same}; "
        f"results in {folder.place}{bag and f' and {bag}'}{kept}"
    )
