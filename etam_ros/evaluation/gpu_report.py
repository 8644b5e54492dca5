"""What a GPU does: every way to run the models, timed on the same frames, written to a folder.

    python -m etam_ros.evaluation.gpu_report OUT_DIR [--minutes 9] [--device cuda]

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
from pathlib import Path
from typing import Any, Final

import torch

from etam_ros.evaluation.gpu_clock import MIB, Turn, turns, words_of
from etam_ros.evaluation.gpu_report_page import page
from etam_ros.evaluation.side_by_side import EAGER, open_way
from etam_ros.runtime import Stages
from etam_ros.runtime.engines import is_installed

MODELS: Final = (
    ("efficienttam_ti_512x512", "random:0"),
    ("etam_nano", ""),
    ("efficienttam_s", "random:0"),
)
"""Models and weights, what matters most first."""
OBJECTS: Final = (1, 2, 4, 8, 16)
WAYS: Final = (
    (EAGER, "fp16"), ("torch", "fp16"), (EAGER, "bf16"), ("torch", "bf16"),
    ("tensorrt", "fp16"), ("tensorrt_rtx", "fp16"), ("tensorrt", "bf16"), ("tensorrt_rtx", "bf16"),
)  # fmt: skip
"""Backends and precisions; each is held against eager torch of its precision."""


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        models: names and weights.
        ways: backends and precisions.
        objects: numbers of objects.
        frames: measured in each turn.
        source_hw: (H, W) of the frames.
        device: cuda, or cpu to try the script.
        seconds: after which no further part is begun.
        engine_dir: of plans and exports; empty for the default one.
    """

    models: tuple[tuple[str, str], ...] = MODELS
    ways: tuple[tuple[str, str], ...] = WAYS
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
    for index, (model, weights) in enumerate(plan.models):
        left = len(plan.models) - index
        share_s = time.monotonic() + (end_s - time.monotonic()) / left
        with noted(report, model, say), ExitStack() as stack:
            ways = dict(_opened(plan, (model, weights), report, stack, share_s, say))
            for objects in plan.objects:
                if time.monotonic() > share_s:
                    report.notes.append(f"{model}, {objects} objects: no time was left")
                    continue
                with noted(report, f"{model}, {objects} objects", say):
                    say(f"{model}: {objects} objects on {', '.join(ways)}")
                    report.turns += turns(
                        model, ways, objects, plan.frames, plan.source_hw, report.notes
                    )
                report.write(folder)
        report.write(folder)
    return report


def _opened(
    plan: Plan,
    model_and_weights: tuple[str, str],
    report: Report,
    stack: ExitStack,
    end_s: float,
    say: Callable[[str], None],
) -> Iterator[tuple[str, Stages]]:
    """Open every way of a model that can be opened, within half of the time."""
    model, weights = model_and_weights
    last_s = (time.monotonic() + end_s) / 2
    for backend, precision in plan.ways:
        name = f"{backend} {precision}"
        if time.monotonic() > last_s:
            report.notes.append(f"{model} on {name}: not opened, no time was left")
            continue
        with noted(report, f"{model} on {name}", say):
            if backend not in (EAGER, "torch") and not is_installed(backend):
                report.notes.append(f"{model} on {name}: not installed")
                continue
            say(f"{model}: opening {name}")
            opened, stages = _open(plan, model, weights, (backend, precision))
            stack.enter_context(stages)
            report.opened.append({"model": model, "way": name, **opened})
            yield name, stages


def _open(
    plan: Plan, model: str, weights: str, way: tuple[str, str]
) -> tuple[dict[str, float | None], Stages]:
    """Open and warm up one way: the seconds and the device's memory it took, and its stages."""
    steps: list[str] = []

    def open_it() -> Stages:
        return open_way(
            model, weights, *way, plan.device, engine_dir=plan.engine_dir, on_step=steps.append
        )

    free = _free_bytes()
    build_s, stages = _timed(open_it)
    load_s = build_s
    if steps:  # something was built: what the next start takes is another number
        stages.close()
        load_s, stages = _timed(open_it)
    warm_s, _ = _timed(lambda: _warm(stages, max(plan.objects)))
    took = {
        "build_s": round(build_s, 2) if steps else None,
        "load_s": round(load_s, 2),
        "warm_up_s": round(warm_s, 2),
        "held_mib": round((free - _free_bytes()) / MIB),
    }
    return took, stages


def _free_bytes() -> int:
    """What is free on the GPU, without what PyTorch keeps for later."""
    if not torch.cuda.is_available():
        return 0
    torch.cuda.empty_cache()
    return torch.cuda.mem_get_info()[0]


def _warm(stages: Stages, objects: int) -> None:
    stages.warm_up(objects)
    stages.synchronize()


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start_s = time.perf_counter()
    result = call()
    return time.perf_counter() - start_s, result


@contextmanager
def noted(report: Report, what: str, say: Callable[[str], None]) -> Iterator[None]:
    """Make what fails a note, and go on."""
    try:
        yield
    except Exception as error:  # a library may fail in any way, and the others still count
        note = f"{what}: {words_of(error)}"
        report.notes.append(note)
        say(note)


def machine() -> dict[str, str]:
    """GPU and versions."""
    found = {"torch": str(torch.__version__)}
    if torch.cuda.is_available():
        from etam_ros.runtime.gpu_engines import driver_version

        properties = torch.cuda.get_device_properties(0)
        found["GPU"] = f"{properties.name}, sm{properties.major}{properties.minor}"
        found["memory"] = f"{properties.total_memory / 2**30:.0f} GiB"
        found["CUDA"] = f"{torch.version.cuda}, driver {driver_version()}"
    for backend in ("tensorrt", "tensorrt_rtx"):
        if is_installed(backend):
            from etam_ros.runtime.gpu_engines import import_library

            found[backend] = str(import_library(backend).__version__)
    return found


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
