"""`etam segment`: masks of one picture, by clicks and boxes, or of everything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from etam_ros.cli.terminal.options import options_of
from etam_ros.config import EverythingConfig, NetworkConfig
from etam_ros.errors import SourceError
from etam_ros.offline.config import SegmentConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etam_ros.records import Frame, ObjectState
    from etam_ros.segmenting import SegmentedObject, Segmenter


@options_of(SegmentConfig, positional="image")
@options_of(NetworkConfig)
@options_of(EverythingConfig)
def segment(config: SegmentConfig, network: NetworkConfig, grid: EverythingConfig) -> None:
    """Segment objects in one picture, by clicks and boxes, or everything in it.

    Every model can do this: EfficientSAM, which is made for it, and the tracking models, which
    answer as they would to a first prompt.

    Each click or box is an object of its own, unless it is preceded by an ID and a colon, which
    combine the prompts of one object: --click 320,240 --click 1:340,250 --background 1:10,20

    A prompts file has one entry per object, in pixels of the picture: clicks (label 1 on the
    object, 0 off it), a box, or both:

    [ {"points": [ [320, 240] ], "labels": [1], "label": "cup"}, {"box": [40, 60, 200, 220]} ]

    With --everything no prompt is needed: the picture is segmented with a grid of clicks, and
    every object with a good enough score is listed once, the largest first.
    """
    path = Path(config.image)
    if not path.is_file():
        raise SourceError(
            f"image {path} is not a file, expected one picture: check the path; for folders and "
            "videos use `etam track`"
        )
    # Everything heavy comes now, so that help and typing errors are answered at once.
    from etam_ros.media.sources import read_image
    from etam_ros.offline.everything_options import check_everything
    from etam_ros.offline.output_folder import SEGMENTED, check_output_folder
    from etam_ros.offline.picture_prompts import picture_prompts
    from etam_ros.offline.segment_output import answered
    from etam_ros.records import Frame
    from etam_ros.segmenting import open_segmenter

    check_everything(config, grid)
    frame = Frame(read_image(path, _note))
    said = [] if config.everything else picture_prompts(config, frame)
    listing = Path(config.prompts) if config.prompts else None
    check_output_folder(config.folder, config.image, listing, SEGMENTED)
    prompts = [item.prompt for item in said]
    with open_segmenter(**vars(network)) as segmenter:
        segmenter.set_image(frame.image)
        if config.everything:
            _everything(segmenter, frame, config, grid)
            return
        answers, runs_on = segmenter.segment(prompts), segmenter.stages.name
    states = answered(prompts, answers)
    _write(config, frame, states, runs_on, answers if config.save_logits else ())
    unseen = [str(state.object_id) for state in states if state.occluded]
    without = f"; nothing seen of {', '.join(unseen)}" if unseen else ""
    _report(len(prompts), f"{without}; results in {config.folder}")


def _everything(
    segmenter: Segmenter, frame: Frame, config: SegmentConfig, grid: EverythingConfig
) -> None:
    """Write all that is found in the picture."""
    from etam_ros.cli.terminal.progress import count_progress
    from etam_ros.media.label_png import LARGEST_ID
    from etam_ros.offline.segment_output import listed

    with count_progress("looking for everything") as progress:
        found = segmenter.everything(grid, on_progress=progress)
    states = listed(found[:LARGEST_ID])
    _write(config, frame, states, segmenter.stages.name)
    left = len(found) - len(states)
    without = f", without the {left} smallest, for which a mask picture has no ids" if left else ""
    _report(len(states), f"{without}; results in {config.folder}")


def _write(
    config: SegmentConfig,
    frame: Frame,
    states: Sequence[ObjectState],
    runs_on: str,
    answers: Sequence[SegmentedObject] = (),
) -> None:
    """Leave the results, whole or not at all."""
    from etam_ros.media.result_folder import ResultFolder
    from etam_ros.media.run_record import RunRecord
    from etam_ros.offline.output_folder import SEGMENTED, kept_names
    from etam_ros.offline.segment_output import write_segmented

    listing = Path(config.prompts) if config.prompts else None
    files = SEGMENTED.files if answers else SEGMENTED.files[:-1]
    record = RunRecord("segment", config.image, runs_on, frames_in_source=1, files=files)
    kept = kept_names(config.folder, listing, SEGMENTED)
    with ResultFolder(config.folder, SEGMENTED, record, kept=kept) as folder:
        write_segmented(folder.place, frame, states, answers)
        folder.frames = 1


def _note(words: str) -> None:
    from etam_ros.media.frame_source import STRETCH

    typer.echo(f"note: {words}: {STRETCH}", err=True)


def _report(count: int, more: str) -> None:
    typer.echo(f"segmented {count} object{'' if count == 1 else 's'}{more}")
