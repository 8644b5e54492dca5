"""`etam eval`: how good the masks are, on videos and photographs with ground truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from etam_ros.cli.terminal.options import options_of
from etam_ros.config import NetworkConfig
from etam_ros.errors import ConfigError, SourceError

if TYPE_CHECKING:
    from rich.table import Table

    from etam_ros.evaluation.image_scoring import MaskScore, OnMask
    from etam_ros.evaluation.result_sheets import ResultSheets
    from etam_ros.evaluation.scoring import OnResult, SequenceScore
    from etam_ros.evaluation.segmenters import ImageSegmenter, VideoSegmenter
    from etam_ros.evaluation.sequences import VideoSequence
    from etam_ros.runtime import Stages

_EVERYTHING = "all"


@options_of(NetworkConfig)
def eval(  # noqa: A001 (the verb's name)
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Sequences in DAVIS layout, or photographs: images/ and masks/."
        ),
    ],
    prompt: Annotated[
        str,
        typer.Option(
            help="mask, box, 1-click or 3-clicks on an object's first frame.",
            show_default="mask; 1-click on photographs",
        ),
    ] = "",
    sequences: Annotated[
        str, typer.Option(help="Names, comma-separated.", show_default="all of them")
    ] = "",
    baseline: Annotated[
        str,
        typer.Option(
            help="To compare with, comma-separated: copy, flow, grabcut; grabcut, disc for "
            "photographs; or all.",
            show_default="none",
        ),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="JSON file for all numbers.", show_default="none")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="Folder for pictures of the masks.", show_default="none")
    ] = None,
    no_model: Annotated[bool, typer.Option("--no-model", help="Judge baselines alone.")] = False,
    *,
    network: NetworkConfig,
) -> None:
    """Judge the masks on videos or photographs with ground truth.

    In a video each object is prompted once (by default with its mask), on the first frame that
    shows it, and followed. J is the overlap of masks, F that of their outlines within 0.8 % of the
    diagonal; both in percent, over the annotated frames without the first and the last.

    On photographs each object that covers over 2 % is prompted (by default with one click), and
    the mask right after that is judged by its IoU.
    """
    from rich.console import Console

    from etam_ros.evaluation.image_folders import is_image_folder
    from etam_ros.evaluation.sequences import find_sequences
    from etam_ros.tracking import open_stages

    photographs = is_image_folder(folder)
    job = _Job(
        folder,
        _prompt_kind(prompt or ("1-click" if photographs else "mask")),
        _baselines(baseline, photographs, no_model),
        save,
    )
    chosen = [] if photographs else _chosen(find_sequences(folder), sequences, folder)
    model = network.model
    opened = nullcontext() if no_model else open_stages(**vars(network))
    with opened as stages:
        name = stages.name if stages else ", ".join(job.baselines)
        found = _images(job, model, stages) if photographs else _videos(job, model, stages, chosen)
    table, reports = found
    Console().print(
        table(f"{name}: {job.prompt}" + ("" if photographs else " on the first frame"))
    )
    if out is not None:
        about = {"model": model, "weights": network.weights, "runs_on": name} if stages else {}
        _write(out, about | {"prompt": job.prompt}, reports, model if stages else "")


@dataclass(frozen=True)
class _Job:
    """What to judge, and what to compare it with."""

    folder: Path
    prompt: str
    baselines: tuple[str, ...]
    save: Path | None

    def sheets(self) -> ResultSheets | None:
        """Pictures, if any are wanted."""
        from etam_ros.evaluation.result_sheets import ResultSheets

        return ResultSheets(self.save) if self.save is not None else None


_Found = tuple[Callable[[str], "Table"], dict[str, dict[str, Any]]]
"""A table, given its title; and what goes to the file, per method."""


def _videos(job: _Job, model: str, stages: Stages | None, chosen: list[VideoSequence]) -> _Found:
    """Judge every method on every sequence."""
    from etam_ros.cli.terminal.progress import frame_progress
    from etam_ros.cli.terminal.tables import sequence_table
    from etam_ros.evaluation.baselines import BaselineVideoSegmenter
    from etam_ros.evaluation.scoring import score_sequence, sequences_as_json
    from etam_ros.evaluation.segmenters import TrackerVideoSegmenter

    segmenters: dict[str, VideoSegmenter] = (
        {model: TrackerVideoSegmenter(stages)} if stages else {}
    )
    segmenters |= {name: BaselineVideoSegmenter(name) for name in job.baselines}
    scores: dict[str, list[SequenceScore]] = {name: [] for name in segmenters}
    sheets = job.sheets()
    with frame_progress("evaluating", sum(map(len, chosen)) * len(segmenters)) as advance:
        for sequence in chosen:
            for name, segmenter in segmenters.items():
                on_result = _on_result(name, sequence, sheets, advance)
                score = score_sequence(sequence, segmenter, job.prompt, on_result)
                if score is not None:
                    scores[name].append(score)
            if sheets:
                sheets.write(sequence.name)
    if not all(scores.values()):
        raise SourceError(f"{job.folder} has no annotated frame after the first to judge")
    reports = {name: sequences_as_json(each) for name, each in scores.items()}
    return lambda title: sequence_table(title, scores), reports


def _on_result(
    method: str, sequence: VideoSequence, sheets: ResultSheets | None, advance: Callable[[], None]
) -> OnResult:
    picks = sheets.picks(sequence) if sheets else set()

    def on_result(index: int, frame: Any, found: Any, truth: Any) -> None:
        if sheets and index in picks:
            sheets.add_frame(method, index, frame, found, truth)
        advance()

    return on_result


def _images(job: _Job, model: str, stages: Stages | None) -> _Found:
    """Judge every method on every photograph."""
    from etam_ros.cli.terminal.progress import frame_progress
    from etam_ros.cli.terminal.tables import image_table
    from etam_ros.evaluation.baselines import BaselineImageSegmenter
    from etam_ros.evaluation.image_folders import find_labelled_images
    from etam_ros.evaluation.image_scoring import images_as_json, score_image
    from etam_ros.evaluation.segmenters import TrackerImageSegmenter

    segmenters: dict[str, ImageSegmenter] = (
        {model: TrackerImageSegmenter(stages)} if stages else {}
    )
    segmenters |= {name: BaselineImageSegmenter(name) for name in job.baselines}
    photographs = find_labelled_images(job.folder)
    scores: dict[str, list[MaskScore]] = {name: [] for name in segmenters}
    sheets = job.sheets()
    with frame_progress("evaluating", len(photographs)) as advance:
        for photograph in photographs:
            found = score_image(photograph, segmenters, job.prompt, _on_mask(sheets))
            for name, each in found.items():
                scores[name] += each
            if sheets:
                sheets.write(photograph.name)
            advance()
    if not all(scores.values()):
        raise SourceError(f"{job.folder} has no object that covers over 2 % of a photograph")
    reports = {name: images_as_json(each) for name, each in scores.items()}
    return lambda title: image_table(title, scores), reports


def _on_mask(sheets: ResultSheets | None) -> OnMask:
    from etam_ros.evaluation.result_sheets import draw_result

    def on_mask(_: Any, image: Any, object_id: int, mask: Any, truth: Any, name: str) -> None:
        if sheets:
            caption = f"{name}, object {object_id}"
            sheets.add(name, draw_result(image, mask * object_id, truth * object_id, caption))

    return on_mask


def _prompt_kind(prompt: str) -> str:
    from etam_ros.evaluation.truth_prompts import PROMPT_KINDS

    if prompt not in PROMPT_KINDS:
        raise ConfigError(f"prompt is {prompt!r}, expected one of {', '.join(PROMPT_KINDS)}")
    return prompt


def _baselines(wanted: str, photographs: bool, no_model: bool) -> tuple[str, ...]:
    from etam_ros.evaluation.baselines import IMAGE_BASELINES, VIDEO_BASELINES

    known = IMAGE_BASELINES if photographs else VIDEO_BASELINES
    names = tuple(dict.fromkeys(name for name in wanted.split(",") if name))
    names = known if names == (_EVERYTHING,) else names
    if strangers := [name for name in names if name not in known]:
        what = "photographs" if photographs else "videos"
        raise ConfigError(
            f"baseline is {strangers[0]!r}, expected {', '.join(known)} or {_EVERYTHING}, "
            f"as they are for {what}"
        )
    if no_model and not names:
        raise ConfigError(
            f"nothing to judge: --no-model without --baseline, expected {', '.join(known)} or "
            f"{_EVERYTHING}"
        )
    return names


def _chosen(found: list[VideoSequence], wanted: str, folder: Path) -> list[VideoSequence]:
    """The sequences of these names, comma-separated; all where none is named."""
    names = {name for name in wanted.split(",") if name}
    if strangers := names - {sequence.name for sequence in found}:
        raise SourceError(
            f"{folder} holds no sequence {', '.join(sorted(strangers))}, it holds "
            f"{', '.join(sequence.name for sequence in found)}"
        )
    return [sequence for sequence in found if not names or sequence.name in names]


def _write(
    path: Path, about: dict[str, Any], reports: dict[str, dict[str, Any]], model: str
) -> None:
    """Write what was found: the model's own numbers at the top, baselines below."""
    report = about | reports.get(model, {})
    baselines = {name: each for name, each in reports.items() if name != model}
    report |= {"baselines": baselines} if baselines else {}
    try:
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise SourceError(f"{path} cannot be written: {error.strerror}") from error
