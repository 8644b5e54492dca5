"""`etam track`: follow objects through a video, a folder of images or a camera."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etam_ros.cli.terminal.errors import EXIT_INTERRUPTED
from etam_ros.cli.terminal.options import options_of
from etam_ros.config import NetworkConfig, OverlayConfig, TrackerConfig
from etam_ros.errors import PromptError

if TYPE_CHECKING:
    from etam_ros.media.frame_source import FrameSource
    from etam_ros.offline.prompts_file import TimedPrompt
    from etam_ros.offline.track_run import RunSummary, TrackRun
    from etam_ros.records import Frame
    from etam_ros.runtime import Stages

_POINT = "[ID:]X,Y[@FRAME]"
Several = list[str] | None


@options_of(NetworkConfig)
def track(
    source: Annotated[
        str, typer.Argument(help="Video file, folder of images, or index of a camera.")
    ],
    out: Annotated[
        Path, typer.Option(help="Folder for masks/, objects.csv, overlay.mp4: new or earlier.")
    ],
    prompts: Annotated[
        Path | None, typer.Option(help="JSON file that says what to follow; see the example.")
    ] = None,
    click: Annotated[
        Several,
        typer.Option(help="On an object of that frame, else of the first.", metavar=_POINT),
    ] = None,
    background: Annotated[
        Several, typer.Option(help="Beside an object, to correct it.", metavar=_POINT)
    ] = None,
    box: Annotated[
        Several, typer.Option(help="Around an object.", metavar="[ID:]X0,Y0,X1,Y1[@FRAME]")
    ] = None,
    pick: Annotated[
        bool,
        typer.Option(
            "--pick", help="First click on what to follow, in a window; writes prompts.json too."
        ),
    ] = False,
    max_objects: Annotated[
        int | None,
        typer.Option(
            help="Most objects at once.",
            show_default=str(TrackerConfig.max_objects),
            min=1,
            max=255,
        ),
    ] = None,
    *,
    network: NetworkConfig,
    save_logits: Annotated[
        bool, typer.Option("--save-logits", help="Also write logits.npz, unfilled and complete.")
    ] = False,
    no_overlay: Annotated[
        bool, typer.Option("--no-overlay", help="Write no overlay.mp4.")
    ] = False,
) -> None:
    """Follow objects through a video, a folder of images or a camera.

    Clicks and boxes start an object each, unless an ID and a colon stand before them; all three
    may be given several times: --click 320,240 --click 1:340,250@12 --background 1:10,20@12

    With --pick the first frame opens in a window: click on what to follow, see its mask, correct
    it, and press Enter. Prompts of the other options are there already.

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

    listed = read_prompts(prompts) if prompts is not None else []
    given = prompts_from_options(click or [], background or [], box or [], known=listed)
    if not listed and not given and not pick:
        raise PromptError(
            "no prompts given: add --click X,Y, --box X0,Y0,X1,Y1, --prompts FILE or --pick "
            "(see --help)"
        )
    said = with_ids([*listed, *given])
    tracking = TrackerConfig(max_objects=max_objects or TrackerConfig.max_objects)
    if save_logits:  # to be compared: nothing filled in, nothing forgotten
        tracking = replace(tracking, fill_hole_area=0, conditioning_memories=0)
    overlay = None if no_overlay else OverlayConfig()
    with open_source(source) as frames:
        check_output_folder(out, source, prompts)
        if pick:
            from etam_ros.offline.picking.window import check_window

            check_window()
        from etam_ros.tracking import open_stages

        with open_stages(**vars(network)) as stages:
            to_track: Iterable[Frame] = frames
            if pick:
                said, to_track = _pick(said, frames, stages, tracking, out)
            run = TrackRun(said)
            summary = _run(run, frames, to_track, stages, tracking, out, overlay, save_logits)
    _report(summary, out)
    if summary.stopped:
        raise typer.Exit(EXIT_INTERRUPTED)
    run.check_all_prompted(summary.frames)


def _pick(
    said: list[TimedPrompt],
    source: FrameSource,
    stages: Stages,
    tracking: TrackerConfig,
    out: Path,
) -> tuple[list[TimedPrompt], Iterable[Frame]]:
    """Prompts with those that are clicked in a window, and the frames that they are for."""
    from etam_ros.cli.terminal.interrupts import stop_on_interrupt
    from etam_ros.offline.picking.session import PickSession
    from etam_ros.offline.picking.window import pick_in_window
    from etam_ros.offline.prompts_output import write_prompts
    from etam_ros.tracking import Tracker

    session = PickSession(source, Tracker(stages, tracking), said)
    with stop_on_interrupt(words=b"\n") as stop:
        picked = pick_in_window(session, stop=stop)
    if not picked:
        typer.echo("left without tracking: nothing was written", err=True)
        raise typer.Exit(EXIT_INTERRUPTED)
    path = write_prompts(out, session.prompts)
    typer.echo(f"{len(session.prompts)} prompts in {path}")
    return list(session.prompts), session.frames_to_track()


def _run(
    run: TrackRun,
    source: FrameSource,
    frames: Iterable[Frame],
    stages: Stages,
    tracking: TrackerConfig,
    out: Path,
    overlay: OverlayConfig | None,
    save_logits: bool,
) -> RunSummary:
    from etam_ros.cli.terminal.interrupts import stop_on_interrupt
    from etam_ros.cli.terminal.progress import frame_progress
    from etam_ros.offline.track_output import TrackOutput
    from etam_ros.tracking import Tracker

    tracker = Tracker(stages, tracking)
    with (
        frame_progress(f"tracking {source.name}", source.frame_count) as advance,
        stop_on_interrupt() as stop,
        TrackOutput(out, fps=source.fps, overlay=overlay, save_logits=save_logits) as output,
    ):
        return run.run(frames, tracker, output, on_frame=advance, stop=stop)


def _report(summary: RunSummary, out: Path) -> None:
    ids = ", ".join(str(object_id) for object_id in summary.object_ids) or "none"
    how = "stopped after" if summary.stopped else "tracked"
    typer.echo(
        f"{how} {summary.frames} frames at {summary.fps:.1f} frames/s; objects: {ids}; "
        f"results in {out}"
    )
