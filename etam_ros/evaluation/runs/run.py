"""A run over many videos, which reuses finished results and evaluates the rest."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from etam_ros.config import BagConfig
from etam_ros.errors import ConfigError, SourceError
from etam_ros.evaluation.baselines import VIDEO_BASELINES
from etam_ros.evaluation.config import EvaluationConfig
from etam_ros.evaluation.protocols.rounds import EvaluationProtocol
from etam_ros.evaluation.runs.one_video import OnFrame, Outcome
from etam_ros.evaluation.runs.ray_cluster import judge_on_ray
from etam_ros.evaluation.runs.settings import RunSettings, key_of
from etam_ros.evaluation.runs.store import Result, RunFolder, file_name, in_order
from etam_ros.evaluation.runs.workers import Failures, OnOutcome, judge_here, judge_in_processes
from etam_ros.evaluation.truth.moved import moved_photographs
from etam_ros.evaluation.truth.opening import open_videos
from etam_ros.evaluation.truth.videos import LabelledVideo
from etam_ros.evaluation.truth_prompts import PROMPT_KINDS
from etam_ros.media.files import writing
from etam_ros.runtime.atomic import write_file

EVERY_BASELINE: Final = "all"


@dataclass(frozen=True, eq=False)
class Run:
    """Results of a run.

    Attributes:
        results: of videos, by name.
        failures: errors of other videos, by name.
        kept: number of results that existed already.
        folder: of the report, or None.
    """

    results: tuple[Result, ...]
    failures: Failures
    kept: int
    folder: RunFolder | None


def settings_of(config: EvaluationConfig) -> RunSettings:
    """The settings that determine the results.

    Raises:
        ConfigError: two values exclude each other.
    """
    corrects = config.protocol != "semi"
    prompt = config.prompt or ("3-clicks" if corrects else "mask")
    if prompt not in PROMPT_KINDS:
        raise ConfigError(f"prompt is {prompt!r}, expected one of {', '.join(PROMPT_KINDS)}")
    names = chosen_baselines(config, VIDEO_BASELINES, "videos")
    if corrects and names:
        raise ConfigError(
            f"--protocol {config.protocol} corrects masks, but baselines take no corrections: "
            "omit --baseline, or use --protocol semi"
        )
    processors = os.cpu_count() or 1
    return RunSettings(
        EvaluationProtocol(
            config.protocol, prompt, config.interactions, config.clicks, config.correct_below
        ),
        model="" if config.no_model else config.model,
        weights=config.weights,
        backend=config.backend,
        precision=config.precision,
        device=config.device,
        engine_dir=config.engine_dir,
        baselines=names,
        threads=config.threads or max(1, processors // config.jobs),
        with_sheets=bool(config.save),
        with_page=bool(config.report),
    )


def chosen_baselines(config: EvaluationConfig, known: Sequence[str], what: str) -> tuple[str, ...]:
    """The requested baselines, checked against the existing ones.

    Raises:
        ConfigError: one is unknown, or there is nothing to evaluate.
    """
    names = tuple(dict.fromkeys(name for name in config.baseline.split(",") if name))
    names = tuple(known) if names == (EVERY_BASELINE,) else names
    if strangers := [name for name in names if name not in known]:
        raise ConfigError(
            f"baseline is {strangers[0]!r}, expected {', '.join(known)} or {EVERY_BASELINE}, "
            f"as they are for {what}"
        )
    if config.no_model and not names:
        raise ConfigError(
            f"nothing to evaluate: --no-model needs --baseline, expected {', '.join(known)} or "
            f"{EVERY_BASELINE}"
        )
    return names


def find_videos(config: EvaluationConfig, sources: Sequence[str]) -> list[LabelledVideo]:
    """The requested videos of all sources, by name.

    Raises:
        SourceError: a source cannot be read, or does not contain a requested video.
    """
    if config.truth and len(sources) != 1:
        raise SourceError(f"--truth is for one source, got {len(sources)}: evaluate one at a time")
    bags = BagConfig(config.topic, config.recover)
    found: list[LabelledVideo] = []
    for each in sources:
        if config.moved:
            found += moved_photographs(each, config.moved, config.moved_frames)
        else:
            found += open_videos(each, config.truth, bags, truth_from=config.truth_from)
    videos = sorted(unique_names(found), key=lambda video: video.name)
    names = {name for name in config.sequences.split(",") if name}
    if strangers := names - {video.name for video in videos}:
        raise SourceError(
            f"{', '.join(sources)} holds no sequence {', '.join(sorted(strangers))}, it holds "
            f"{', '.join(video.name for video in videos)}"
        )
    return [video for video in videos if not names or video.name in names]


def unique_names(videos: Sequence[LabelledVideo]) -> list[LabelledVideo]:
    """The same videos, with a number added to names, or names of files, that occur repeatedly."""
    taken: set[str] = set()
    found = []
    for video in videos:
        plain = video.name.encode("utf-8", "replace").decode()  # only UTF-8 can be printed
        name, count = plain, 1
        while file_name(name) in taken:
            count += 1
            name = f"{plain}-{count}"
        taken.add(file_name(name))
        found.append(replace(video, name=name))
    return found


def frames_to_step(config: EvaluationConfig, videos: Sequence[LabelledVideo]) -> int | None:
    """Maximum number of frames of all passes, for a progress bar; None if unknown."""
    counts = [video.frame_count() for video in videos]
    passes = config.interactions if config.protocol == "offline" else 1
    methods = (not config.no_model) + len(chosen_baselines(config, VIDEO_BASELINES, "videos"))
    known = [count for count in counts if count is not None]
    return passes * methods * sum(known) if len(known) == len(counts) else None


def run_evaluation(
    config: EvaluationConfig,
    videos: Sequence[LabelledVideo],
    on_frame: OnFrame = lambda: None,
    on_video: OnOutcome = lambda *_: None,
) -> Run:
    """Evaluate videos, except those with results in the report folder.

    Args:
        on_frame: called after each frame of each pass, as far as this is known.
        on_video: called with each finished video.

    Raises:
        ConfigError: the folder contains results of other settings; or as for `settings_of`.
        SourceError: something cannot be written.
        EtamError: an error that affects all videos, not a single one.
    """
    settings = settings_of(config)
    folder = RunFolder(Path(config.report)) if config.report else None
    finished: dict[str, Result] = {}
    if folder is not None and config.fresh:
        folder.forget()
    elif folder is not None:
        keys = {video.name: key_of(settings, video.fingerprint()) for video in videos}
        finished = folder.finished(keys, settings)
    results = dict(finished)

    def on_outcome(name: str, outcome: Outcome) -> None:
        results[name] = outcome.result
        if folder is not None:
            folder.keep(name, outcome)
        if outcome.sheet:
            _save_sheet(Path(config.save), name, outcome.sheet)
        on_video(name, outcome)

    left = [video for video in videos if video.name not in finished]
    failures = _judge(config, settings, left, on_outcome, on_frame) if left else {}
    return Run(tuple(in_order(list(results.values()))), failures, len(finished), folder)


def _judge(
    config: EvaluationConfig,
    settings: RunSettings,
    videos: Sequence[LabelledVideo],
    on_outcome: OnOutcome,
    on_frame: OnFrame,
) -> Failures:
    if config.ray:
        return judge_on_ray(videos, settings, config.ray, config.jobs, on_outcome, on_frame)
    if config.jobs > 1:
        return judge_in_processes(videos, settings, config.jobs, on_outcome, on_frame)
    return judge_here(videos, settings, on_outcome, on_frame)


def _save_sheet(folder: Path, name: str, sheet: bytes) -> None:
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_file(folder / f"{file_name(name)}.jpg", sheet)
