"""Prove on a GPU, in one call, all that counts: is it right, how fast, and what it learns.

    python -m etam_ros.benchmark.on_gpu OUT [--minutes 9.5] [--device cuda|cpu]
        [--only tests,report,train] [--material packed.npz]

It needs torch, NumPy and OpenCV; TensorRT is measured where it is installed. Each part is a
process of its own under a time limit of its own: what fails or hangs is a line of the report, and
the rest goes on. OUT gets at most eight files of at most 16 MiB, and is complete at every moment.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from etam_ros.benchmark.on_gpu.findings import Findings
from etam_ros.benchmark.on_gpu.parts import PARTS, REPORT, TESTS, TRAIN, Call, run_call
from etam_ros.config import DEFAULT_MODEL, NetworkConfig
from etam_ros.errors import ConfigError, EtamError
from etam_ros.options import counts
from etam_ros.plain_options import add_options
from etam_ros.runtime import static_graphs
from etam_ros.runtime.backends.torch.stages import choose_device

MODELS: Final = "efficienttam_ti_512x512=random:0,etam_nano=,efficienttam_s=random:0"
"""Models and weights that are timed, what matters most first."""
COMPARED: Final = "etam_nano=,efficienttam_s_512x512=random:0,efficienttam_ti_1=random:0"
"""Models and weights that are compared with the CPU."""


def main() -> int:
    """Run the call, or one part of it; 0, or 2 for what the user can mend."""
    given = _parser().parse_args()
    if given.part:
        _run_part(given)
        return 0
    try:
        choose_device(given.device)
        counts("objects", given.objects)
        _check_material(given.material)
        with TemporaryDirectory(prefix="etam_on_gpu_") as scratch:
            call = Call(
                out=given.out,
                scratch=Path(scratch),
                seconds=60 * given.minutes,
                parts=tuple(given.only.split(",")),
                arguments=tuple(_passed_on(given)),
            )
            print(run_call(call), flush=True)
    except EtamError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m etam_ros.benchmark.on_gpu",
        description="Prove on a GPU: is it right, how fast, and what it learns.",
        epilog="Example: python -m etam_ros.benchmark.on_gpu report --material packed.npz",
    )
    parser.add_argument("out", type=Path, help="folder of what it leaves")
    parser.add_argument(
        "--minutes", type=float, default=9.5, help="after which all has ended (%(default)s)"
    )
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--only", default=",".join(PARTS), help="parts, as tests,train")
    parser.add_argument("--models", default=MODELS, help="to time, as MODEL=WEIGHTS,…")
    parser.add_argument("--compared", default=COMPARED, help="to compare, as MODEL=WEIGHTS,…")
    parser.add_argument("--objects", default="1,4,16", help="counts of them (%(default)s)")
    parser.add_argument("--frames", type=int, default=100, help="measured in each turn")
    parser.add_argument("--material", default="", help="packed material to train on")
    add_options(parser, NetworkConfig, "engine_dir")
    parser.set_defaults(engine_dir=NetworkConfig.engine_dir)
    parser.add_argument("--init", default=DEFAULT_MODEL, help="what training begins from")
    parser.add_argument("--part", default="", choices=("", *PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=0.0, help=argparse.SUPPRESS)
    return parser


def _check_material(material: str) -> None:
    """What is missing is said before minutes have gone by."""
    if material and not Path(material).exists():
        raise ConfigError(
            f"material {material} does not exist: create it with `python -m "
            "etam_ros.synthetic.material.pack`, or omit --material"
        )


def _passed_on(given: argparse.Namespace) -> list[str]:
    """What every part is told."""
    names = (
        "device", "models", "compared", "objects", "frames", "engine_dir", "material", "init",
    )  # fmt: skip
    values = vars(given)
    return [f"--{name.replace('_', '-')}={values[name]}" for name in names]


def _run_part(given: argparse.Namespace) -> None:
    """One part, in this process: findings go to a file in the folder that is given."""
    found = Findings(given.out / f"{given.part}.json", given.seconds)
    found.note_warnings(static_graphs.__name__)  # of what runs without its CUDA graph
    if given.part == TESTS:
        from etam_ros.benchmark.on_gpu.correctness import CorrectnessPlan, check

        check(CorrectnessPlan(_pairs(given.compared), given.device, given.engine_dir), found)
    elif given.part == REPORT:
        from etam_ros.benchmark.on_gpu.speed import GROUPS, SpeedPlan, measure

        groups = GROUPS if given.device == "cuda" else REHEARSED
        plan = SpeedPlan(
            _pairs(given.models),
            groups,
            counts("objects", given.objects),
            given.frames,
            given.device,
            given.engine_dir,
        )
        measure(plan, found)
    elif given.part == TRAIN:
        from etam_ros.benchmark.on_gpu.learning import learn

        learn(given.out, given.init, given.material, given.device, found)


REHEARSED: Final = ((("eager", "fp32"), ("graphs", "fp32"), ("graphs", "bf16")),)
"""What takes turns on a CPU."""


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(name, weights) for name, _, weights in (m.partition("=") for m in text.split(","))]


if __name__ == "__main__":
    sys.exit(main())
