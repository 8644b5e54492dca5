"""What a GPU does: every way to run the models, timed on the same frames, written to a folder.

    python -m etam_ros.benchmark.gpu_report OUT_DIR [--minutes 9] [--device cuda]

Frames of 720p lie in host memory, and masks come to lie there. All ways take turns in the same
run. It needs torch, numpy and OpenCV; TensorRT and TensorRT for RTX are measured where they are
installed, and plans are built from what ENGINE_DIR holds or can be exported to it. Whatever fails
is one line of the report, and the rest goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from etam_ros.benchmark.gpu_clock import Turn, turns, words_of
from etam_ros.benchmark.gpu_opening import machine, open_timed
from etam_ros.benchmark.gpu_report_page import page
from etam_ros.benchmark.side_by_side import EAGER
from etam_ros.runtime import Stages
from etam_ros.runtime.engines import is_installed

Ways = tuple[tuple[str, str], ...]
"""Backends and precisions."""
MODELS: Final = (
    ("efficienttam_ti_512x512", "random:0"),
    ("etam_nano", ""),
    ("efficienttam_s", "random:0"),
)
"""Models and weights, what matters most first."""
UNTRAINED: Final = "random:0"
OBJECTS: Final = (1, 2, 4, 8, 16)
GROUPS: Final = (
    ((EAGER, "fp16"), ("torch", "fp16"), (EAGER, "bf16"), ("torch", "bf16")),
    ((EAGER, "fp16"), ("torch", "fp16"), ("tensorrt", "fp16"), ("tensorrt_rtx", "fp16")),
    ((EAGER, "bf16"), ("torch", "bf16"), ("tensorrt", "bf16"), ("tensorrt_rtx", "bf16")),
)
"""Backends and precisions that take turns; each is held against eager torch of its precision.

Building plans can take longer than there is time: it comes when all else is written."""


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        models: names and weights.
        groups: backends and precisions that take turns.
        objects: numbers of objects.
        frames: measured in each turn.
        source_hw: (H, W) of the frames.
        device: cuda, or cpu to try the script.
        seconds: after which no further part is begun.
        engine_dir: of plans and exports; empty for the default one.
    """

    models: tuple[tuple[str, str], ...] = MODELS
    groups: tuple[Ways, ...] = GROUPS
    objects: tuple[int, ...] = OBJECTS
    frames: int = 100
    source_hw: tuple[int, int] = (720, 1280)
    device: str = "cuda"
    seconds: float = 540.0
    engine_dir: str = ""


@dataclass
class Report:
    """What was found.

    Attributes:
        machine: GPU, versions.
        opened: how long each way took to open and to warm up.
        turns: a row for each model, number of objects and way.
        notes: what was left out or failed, and why.
    """

    machine: dict[str, str]
    opened: list[dict[str, Any]] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Write report.json and report.md."""
        (folder / "report.json").write_text(json.dumps(asdict(self), indent=1) + "\n")
        (folder / "report.md").write_text(page(self.machine, self.opened, self.turns, self.notes))


def measure(plan: Plan, folder: Path, say: Callable[[str], None] = print) -> Report:
    """Measure all of a plan, and write the report after each part."""
    end_s = time.monotonic() + plan.seconds
    report = Report(machine())
    folder.mkdir(parents=True, exist_ok=True)
    parts = [(model, ways) for ways in plan.groups for model in plan.models]
    for index, (model, ways) in enumerate(parts):
        now_s = time.monotonic()
        share_s = now_s + (end_s - now_s) / (len(parts) - index)
        here = _installed(model[0], ways, report)
        measured = {turn.way for turn in report.turns if turn.model == model[0]}
        if {" ".join(way) for way in here} <= measured:
            continue  # nothing of this group is new
        with noted(report, model[0], say), ExitStack() as stack:
            opened = dict(_opened(plan, (model, here), report, stack, share_s, say))
            _take_turns(plan, model[0], opened, report, share_s, say)
        report.write(folder)
    return report


def _installed(model: str, ways: Ways, report: Report) -> Ways:
    """The ways whose libraries are there; the others are noted."""
    here = [way for way in ways if way[0] in (EAGER, "torch") or is_installed(way[0])]
    report.notes += [
        f"{model} on {' '.join(way)}: not installed" for way in ways if way not in here
    ]
    return tuple(here)


def _take_turns(
    plan: Plan,
    model: str,
    ways: dict[str, Stages],
    report: Report,
    end_s: float,
    say: Callable[[str], None],
) -> None:
    """Measure the ways of a model for every number of objects that there is time for."""
    for objects in plan.objects if ways else ():
        what = f"{model}, {objects} objects, {', '.join(ways)}"
        if time.monotonic() > end_s:
            report.notes.append(f"{what}: no time was left")
            continue
        with noted(report, what, say):
            say(what)
            report.turns += turns(model, ways, objects, plan.frames, plan.source_hw, report.notes)


def _opened(
    plan: Plan,
    part: tuple[tuple[str, str], Ways],
    report: Report,
    stack: ExitStack,
    end_s: float,
    say: Callable[[str], None],
) -> Iterator[tuple[str, Stages]]:
    """Open every way of a model that can be opened, within half of the time."""
    (model, weights), ways = part
    if not weights and find_spec("safetensors") is None:
        weights = UNTRAINED
        report.notes.append(
            f"{model}: untrained, safetensors is not installed to read its weights"
        )
    last_s = (time.monotonic() + end_s) / 2
    for way in ways:
        name = " ".join(way)
        if time.monotonic() > last_s:
            report.notes.append(f"{model} on {name}: not opened, no time was left")
            continue
        with noted(report, f"{model} on {name}", say):
            say(f"{model}: opening {name}")
            opened, stages = open_timed(
                (model, weights), way, plan.device, plan.engine_dir, max(plan.objects)
            )
            stack.enter_context(stages)
            report.opened.append({"model": model, "way": name, **opened})
            yield name, stages


@contextmanager
def noted(report: Report, what: str, say: Callable[[str], None]) -> Iterator[None]:
    """Make what fails a note, and go on."""
    try:
        yield
    except Exception as error:  # a library may fail in any way, and the others still count
        note = f"{what}: {words_of(error)}"
        report.notes.append(note)
        say(note)


def main() -> None:
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(description="Measure every way to run the models on a GPU.")
    parser.add_argument("out", type=Path, help="folder of report.json and report.md")
    parser.add_argument("--minutes", type=float, default=9.0, help="after which it ends")
    parser.add_argument("--frames", type=int, default=100, help="measured in each turn")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--models", default="", help="as MODEL=WEIGHTS,MODEL=WEIGHTS")
    parser.add_argument("--objects", default="1,2,4,8,16")
    parser.add_argument("--engine-dir", default="", help="of plans and exports")
    given = parser.parse_args()
    models = tuple(
        (name, weights) for name, _, weights in (m.partition("=") for m in given.models.split(","))
    )
    plan = Plan(
        models=models if given.models else MODELS,
        objects=tuple(int(each) for each in given.objects.split(",")),
        frames=given.frames,
        device=given.device,
        seconds=60 * given.minutes,
        engine_dir=given.engine_dir,
    )
    measure(plan, given.out)
    print((given.out / "report.md").read_text())


if __name__ == "__main__":
    main()
