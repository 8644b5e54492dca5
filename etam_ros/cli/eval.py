"""`etam eval`: how good the masks are, on videos and photographs with ground truth."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from etam_ros.cli.terminal.options import options_of
from etam_ros.errors import ConfigError, SourceError
from etam_ros.evaluation.config import EvaluationConfig

if TYPE_CHECKING:
    from rich.console import Console

    from etam_ros.evaluation.image_folders import LabelledPhotograph
    from etam_ros.evaluation.runs.one_video import Outcome
    from etam_ros.evaluation.runs.run import Run
    from etam_ros.evaluation.runs.store import Result
    from etam_ros.evaluation.truth.videos import LabelledVideo
    from etam_ros.media.result_folder import ResultFolder

EXIT_UNDER: Final = 3
"""The mean is below what --fail-under asks for."""


@options_of(EvaluationConfig, positional="sources")
def eval(config: EvaluationConfig) -> None:  # noqa: A001 (the verb's name)
    """Evaluate masks on videos, bags or photographs with ground truth.

    In a video each object is prompted (by default with its mask) on the first frame that shows it,
    and tracked. J is the overlap of masks, F that of their outlines within 0.8 % of the diagonal;
    both in percent, over the annotated frames after the first, without the last. --protocol
    corrects objects during tracking. --report writes an HTML page, and resumes where it stopped.

    On photographs each object that covers more than 2 % is prompted (by default with one click),
    and the mask right after that is evaluated by its IoU.
    """
    from rich.console import Console

    _check_paths(config)
    console = Console()
    mean = _judge_and_tell(config, console)
    if config.fail_under and 100 * mean < config.fail_under:
        console.print(f"mean {100 * mean:.1f} is under {config.fail_under:g}", style="bold red")
        raise typer.Exit(EXIT_UNDER)


def _check_paths(config: EvaluationConfig) -> None:
    """Raise SourceError before hours are spent on what nobody can read or write."""
    named = (*config.sources, *config.compare, config.against, config.truth, config.report)
    try:
        for each in named:
            Path(each).exists()
    except (OSError, ValueError) as error:  # no rights, or too long
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{each!r:.80} cannot be opened: {reason}") from None
    if config.out:
        from etam_ros.media.files import check_can_write

        check_can_write(Path(config.out), "--out")


def _judge_and_tell(config: EvaluationConfig, console: Console) -> float:
    """Do what is asked for; the mean J&F of the first method, or IoU of photographs, 0..1."""
    from etam_ros.cli.terminal.photographs import tell_reports
    from etam_ros.evaluation.report.photographs import is_photographs
    from etam_ros.evaluation.runs.store import is_run
    from etam_ros.evaluation.truth.opening import check_exists, open_photographs

    runs = [each for each in config.sources if is_run(Path(each)) or is_photographs(Path(each))]
    sources = [each for each in config.sources if each not in runs]
    if config.against:
        return _recorded(config, sources, console)
    if not sources:
        earlier = [*config.compare, *runs]
        if not earlier:
            raise SourceError(
                "nothing to evaluate, expected a SOURCE with ground truth, or report folders of "
                "earlier runs: see `etam eval --help`"
            )
        if is_photographs(Path(earlier[-1])):
            return tell_reports(earlier, console)
        results = _read_run(earlier[-1])
        mean = _tell_videos(results, earlier[-1], console)
        _tell_comparisons({each: _read_run(each) for each in earlier[:-1]}, results, console)
        return mean
    for each in sources:
        check_exists(Path(each))  # before an earlier report is blamed
    if config.moved:
        return _videos(config, sources, runs, console)
    photographs = [open_photographs(each, config.truth) for each in sources]
    if photographs[0] is not None:
        if len(sources) > 1:
            raise ConfigError(
                f"{sources[0]} holds photographs, expected one such source at a time, got "
                f"{len(sources)} sources"
            )
        config = replace(config, sources=tuple(sources), compare=(*config.compare, *runs))
        return _photographs(config, photographs[0], console)
    return _videos(config, sources, runs, console)


def _recorded(config: EvaluationConfig, sources: list[str], console: Console) -> float:
    """What a tracker has published, beside another run."""
    from etam_ros.cli.terminal.tables import agreement_table
    from etam_ros.evaluation.recorded import compare_recorded
    from etam_ros.evaluation.report.agreement import (
        AGREEMENT,
        PairPictures,
        check_folder,
        write_agreement,
    )
    from etam_ros.media.result_folder import ResultFolder
    from etam_ros.media.run_record import RunRecord

    if len(sources) != 1:
        raise SourceError(
            f"--against compares one recorded bag with another, and {len(sources)} are given: "
            "etam eval RECORDED --against RERUN"
        )
    if config.compare:
        raise ConfigError(
            "--against already compares two recorded runs, expected no --compare: omit one of them"
        )
    pictures = PairPictures()
    record = RunRecord("eval", f"{sources[0]} {config.against}", "", files=AGREEMENT.files)
    if config.report:
        check_folder(Path(config.report))
    with (
        ResultFolder(Path(config.report), AGREEMENT, record) if config.report else nullcontext()
    ) as folder:
        found = compare_recorded(
            Path(sources[0]), Path(config.against), tracker=config.tracker,
            recover=config.recover, on_pair=pictures.see,
        )  # fmt: skip
        if folder is not None:
            about = {"recorded": sources[0], "rerun": config.against}
            bag = {"topic": config.topic, "recover": config.recover}
            write_agreement(folder.place, found, pictures, about | bag)
    _tell_notes(found.notes)
    console.print(agreement_table(f"{config.against} against {sources[0]}", found))
    if folder is not None:
        _tell_report(folder.place, console)
    if config.out:
        _write(Path(config.out), found.as_json())
    return found.j_and_f


def _videos(
    config: EvaluationConfig, sources: list[str], runs: list[str], console: Console
) -> float:
    """Judge every method on every video; everything is told once it is on disk."""
    from etam_ros.evaluation.runs.run import find_videos
    from etam_ros.evaluation.runs.store import open_report

    earlier = [*config.compare, *runs]
    before = {each: _read_run(each) for each in earlier}  # missing ones are said at once
    videos = find_videos(config, sources)
    if config.report:
        runs_on = "" if config.no_model else config.model
        source = " ".join(sources)
        with open_report(Path(config.report), source, runs_on, fresh=config.fresh) as folder:
            placed = replace(config, report=str(folder.place))
            run, report = _judged_videos(placed, videos, before, folder)
    else:
        run, report = _judged_videos(config, videos, before, None)
    results = list(run.results)
    if run.kept:
        console.print(f"{run.kept} of {len(videos)} videos were finished before")
    mean = _tell_videos(results, _title(results), console)
    if config.out:
        _write(Path(config.out), report)
    if config.report:
        _tell_report(folder.place, console)
    _tell_comparisons(before, results, console)
    if run.failures:
        raise SourceError(_failures(run))
    return mean


def _judged_videos(
    config: EvaluationConfig,
    videos: list[LabelledVideo],
    before: dict[str, list[Result]],
    folder: ResultFolder | None,
) -> tuple[Run, dict[str, Any]]:
    """Judge, and leave the report; the run, and all its means."""
    from etam_ros.cli.terminal.progress import frame_progress
    from etam_ros.evaluation.report.summary import judged_results, report_of
    from etam_ros.evaluation.runs.run import frames_to_step, run_evaluation
    from etam_ros.media.run_record import FAILED

    def count(_name: str, outcome: Outcome) -> None:
        if folder is not None:
            folder.frames += outcome.result["frames"]

    with frame_progress("evaluating", frames_to_step(config, videos)) as advance:
        try:
            run = run_evaluation(config, videos, advance, count)
        except KeyboardInterrupt:
            if folder is not None and not folder.keeps_earlier:
                typer.echo(f"stopped: the same command goes on in {config.report}", err=True)
            raise
    results = list(run.results)
    for result in results:
        _tell_notes(result.get("notes", ()), f"{result['video']}: ")
    if not judged_results(results):
        if run.failures:
            raise SourceError(_failures(run))
        names = ", ".join(video.name for video in videos)
        raise SourceError(
            f"{names[:160]} has no annotated frame after the first one, expected "
            "frames to evaluate"
        )
    report = report_of(results)
    if folder is not None:
        folder.runs_on = results[0]["runs_on"]
        _leave_report(run, report, before)
        folder.frames = sum(result["frames"] for result in results)
        if run.failures:
            folder.end(FAILED, _failures(run))
    return run, report


def _read_run(name: str) -> list[Result]:
    """The results of an earlier run; says where it is not whole."""
    from etam_ros.evaluation.report.photographs import is_photographs
    from etam_ros.evaluation.runs.store import REPORT, read_run
    from etam_ros.media.run_record import COMPLETE, read_record

    if is_photographs(Path(name)):
        raise SourceError(f"{name} is a report on photographs, expected one on videos")
    results = read_run(Path(name))
    record = read_record(Path(name) / REPORT.record)
    if record is not None and record.state != COMPLETE:
        _tell_notes([f"{name} is not whole, its run.json says {record.state}"])
    return results


def _tell_report(folder: Path, console: Console) -> None:
    from rich.text import Text

    console.print(Text(f"report: {folder / 'index.html'}"), soft_wrap=True)


def _tell_notes(notes: Iterable[str], of: str = "") -> None:
    """Say what is odd about a source."""
    for note in notes:
        typer.echo(f"note: {of}{note}", err=True)


def _title(results: list[Result]) -> str:
    """What was judged, in words."""
    protocol = results[0]["settings"]["protocol"]
    name = results[0]["runs_on"] or ", ".join(results[0]["settings"]["baselines"])
    words = f"{name}: {protocol['prompt']} on the first frame"
    if protocol["name"] == "semi":
        return words
    return f"{words}, {protocol['name']} up to {protocol['interactions']} interacted frames"


def _tell_videos(results: list[Result], title: str, console: Console) -> float:
    """Print the table of videos and what is known beside J&F; the mean J&F of the first."""
    from etam_ros.cli.terminal.tables import group_table, sequence_table, summary_lines
    from etam_ros.evaluation.report.summary import (
        groups_of,
        judged_results,
        methods_of,
        summary_of,
    )

    judged = judged_results(results)
    if not judged:
        raise SourceError(
            f"{title} has no results, expected a run over videos with annotated frames"
        )
    methods = methods_of(judged)
    groups = {name: groups_of(judged, name) for name in methods}
    if any(groups.values()):
        console.print(group_table(title, groups))
    else:
        console.print(sequence_table(title, judged, methods))
    summary = summary_of(judged, methods[0])
    for line in summary_lines(summary):
        console.print(line, soft_wrap=True, highlight=False)
    return float(summary["mean"]["j_and_f"])


def _tell_comparisons(
    earlier: dict[str, list[Result]], results: list[Result], console: Console
) -> None:
    from etam_ros.cli.terminal.tables import comparison_table
    from etam_ros.evaluation.report.comparison import compare

    for each, before in earlier.items():
        comparison = compare(before, results)
        console.print(comparison_table(f"J&F against {each}", comparison))


def _leave_report(run: Run, report: dict[str, Any], before: dict[str, list[Result]]) -> None:
    from etam_ros.evaluation.report.files import write_report

    assert run.folder is not None  # the caller has looked
    write_report(run.folder, list(run.results), report, before)


def _failures(run: Run) -> str:
    """What could not be judged."""
    name, reason = next(iter(run.failures.items()))
    others = f" (and {len(run.failures) - 1} more)" if len(run.failures) > 1 else ""
    rest = ", the rest is complete" if run.results else ""
    return f"{name} could not be evaluated{others}{rest}: {reason}"


def _photographs(
    config: EvaluationConfig, photographs: list[LabelledPhotograph], console: Console
) -> float:
    """Judge every method on every photograph of one source."""
    from etam_ros.cli.terminal.photographs import eval_photographs

    mean, report = eval_photographs(config, photographs, console)
    if config.out:
        _write(Path(config.out), report)
    return mean


def _write(path: Path, report: dict[str, Any]) -> None:
    from etam_ros.media.files import writing
    from etam_ros.runtime.atomic import write_file

    with writing(path):
        write_file(path, (json.dumps(report, indent=1, allow_nan=False) + "\n").encode())
