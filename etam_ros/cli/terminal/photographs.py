"""What `etam eval` does with photographs: judge, tell, leave a report, compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.text import Text

from etam_ros.errors import ConfigError, SourceError
from etam_ros.evaluation.config import EvaluationConfig

if TYPE_CHECKING:
    from etam_ros.evaluation.image_folders import LabelledPhotograph
    from etam_ros.evaluation.image_scoring import MaskScore
    from etam_ros.evaluation.report.mask_pictures import MaskPictures

NETWORK: Final = ("model", "weights", "backend", "precision", "device", "engine_dir")


def eval_photographs(
    config: EvaluationConfig, photographs: Sequence[LabelledPhotograph], console: Console
) -> tuple[float, dict[str, Any]]:
    """Judge every method on every photograph, tell, and leave a report where one is wanted.

    Returns:
        the mean IoU of the first method, 0..1, and everything there is to know, for --out.

    Raises:
        ConfigError, SourceError: something cannot be read, written or compared.
    """
    from etam_ros.cli.terminal.tables import image_table
    from etam_ros.evaluation.image_scoring import mean_iou
    from etam_ros.evaluation.report.mask_pictures import MaskPictures
    from etam_ros.evaluation.report.photographs import (
        PHOTOGRAPHS,
        check_folder,
        read_photographs,
        write_photographs,
    )
    from etam_ros.evaluation.truth_prompts import PROMPT_KINDS
    from etam_ros.media.result_folder import ResultFolder
    from etam_ros.media.run_record import RunRecord

    prompt = config.prompt or "1-click"
    if prompt not in PROMPT_KINDS:
        raise ConfigError(f"prompt is {prompt!r}, expected one of {', '.join(PROMPT_KINDS)}")
    if config.protocol != "semi":
        raise ConfigError(
            f"protocol is {config.protocol}, but photographs are prompted only once: omit "
            "--protocol"
        )
    before = {each: read_photographs(Path(each)) for each in config.compare}
    pictures = MaskPictures()
    runs_on = "" if config.no_model else config.model
    record = RunRecord("eval", " ".join(config.sources), runs_on, files=PHOTOGRAPHS.files)
    if config.report:
        check_folder(Path(config.report))
    with (
        ResultFolder(Path(config.report), PHOTOGRAPHS, record) if config.report else nullcontext()
    ) as folder:
        name, scores = _judge(config, photographs, prompt, pictures)
        title = f"{name}: {prompt}"
        report = _report_of(config, title, scores, pictures)
        if folder is not None:
            folder.runs_on = "" if config.no_model else name
            write_photographs(folder.place, report, pictures, before)
    console.print(image_table(title, scores))
    if folder is not None:
        console.print(Text(f"report: {folder.place / 'index.html'}"), soft_wrap=True)
    tell_comparisons(before, report, console)
    return mean_iou(next(iter(scores.values()))), _numbers(config, report, scores)


def _judge(
    config: EvaluationConfig,
    photographs: Sequence[LabelledPhotograph],
    prompt: str,
    pictures: MaskPictures,
) -> tuple[str, dict[str, list[MaskScore]]]:
    """What it ran on, and the scores by method; the pictures are of the first."""
    from etam_ros.cli.terminal.progress import frame_progress
    from etam_ros.evaluation.baselines import IMAGE_BASELINES
    from etam_ros.evaluation.image_scoring import judge_photographs
    from etam_ros.evaluation.runs.run import chosen_baselines
    from etam_ros.tracking import open_stages

    baselines = chosen_baselines(config, IMAGE_BASELINES, "photographs")
    network = {name: getattr(config, name) for name in NETWORK}
    with nullcontext() if config.no_model else open_stages(**network) as stages:
        name = stages.name if stages else ", ".join(baselines)
        first = config.model if stages else baselines[0]
        with frame_progress("evaluating", len(photographs)) as advance:

            def on_photograph(photograph: str) -> None:
                pictures.end(photograph)
                advance()

            def on_mask(image: Any, score: MaskScore, mask: Any, truth: Any, method: str) -> None:
                if method == first:
                    pictures.see(image, score, mask, truth)

            scores = judge_photographs(
                photographs, prompt, (config.model, stages) if stages else None, baselines,
                save=Path(config.save) if config.save else None, on_photograph=on_photograph,
                on_mask=on_mask,
            )  # fmt: skip
    if not all(scores.values()):
        raise SourceError(
            f"{config.sources[0]} has no object that covers over 2 % of a photograph"
        )
    return name, scores


def _numbers(
    config: EvaluationConfig,
    report: Mapping[str, Any],
    scores: Mapping[str, Sequence[MaskScore]],
) -> dict[str, Any]:
    """Everything there is to know, for --out."""
    from etam_ros.evaluation.image_scoring import photographs_report

    model = "" if config.no_model else config.model
    about = {"model": model, "weights": config.weights, "runs_on": report["runs_on"]}
    plain = photographs_report({name: list(each) for name, each in scores.items()}, model)
    return plain | (about if model else {}) | {"prompt": report["prompt"]}


def _report_of(
    config: EvaluationConfig,
    title: str,
    scores: Mapping[str, Sequence[MaskScore]],
    pictures: MaskPictures,
) -> dict[str, Any]:
    from etam_ros.evaluation.report.photographs import KIND, method_report
    from etam_ros.evaluation.runs.settings import machine, weights_hash
    from etam_ros.versions import versions

    runs_on, _, prompt = title.rpartition(": ")
    network = {name: getattr(config, name) for name in NETWORK if name != "engine_dir"}
    network["weights"] = weights_hash("" if config.no_model else config.model, config.weights)
    return {
        "kind": KIND,
        "prompt": prompt,
        "runs_on": runs_on,
        "methods": {
            name: method_report([asdict(each) for each in found]) for name, found in scores.items()
        },
        "network": None if config.no_model else network,
        "baselines": [name for name in scores if config.no_model or name != config.model],
        "fingerprints": pictures.fingerprints,
        "machine": machine(),
        "versions": versions(),
    }


def tell_reports(folders: Sequence[str], console: Console) -> float:
    """Print the table of the last of some reports, and the others beside it; its mean IoU, 0..1.

    Raises:
        SourceError: one is of something else, or they cannot be compared.
    """
    from etam_ros.cli.terminal.tables import image_table
    from etam_ros.evaluation.image_scoring import MaskScore
    from etam_ros.evaluation.report.photographs import read_photographs

    *earlier, last = folders
    report = read_photographs(Path(last))
    scores = {
        name: [MaskScore(**each) for each in method["masks"]]
        for name, method in report["methods"].items()
    }
    console.print(image_table(f"{last}: {report['prompt']}", scores))
    tell_comparisons({each: read_photographs(Path(each)) for each in earlier}, report, console)
    return float(next(iter(report["methods"].values()))["mean"]["iou"])


def tell_comparisons(
    before: Mapping[str, Mapping[str, Any]], report: Mapping[str, Any], console: Console
) -> None:
    """Print what is different from each of some earlier reports."""
    from etam_ros.cli.terminal.tables import comparison_table
    from etam_ros.evaluation.report.photographs import compare_photographs

    for name, each in before.items():
        comparison = compare_photographs(each, report)
        console.print(comparison_table(f"IoU against {name}", comparison))
