"""`etam track` as a process, what it is given, and what it leaves."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from warm_python import warm_python

COLUMNS = [
    "frame", "stamp_ns", "id", "label", "occluded", "visibility", "iou_score", "cx", "cy",
    "x0", "y0", "x1", "y1", "area",
]  # fmt: skip


@dataclass
class Run:
    """How a command ended and what it said."""

    returncode: int
    stdout: str
    stderr: str


def start(*arguments, redirect="", **options):
    """Start `etam track` as a process of its own.

    Args:
        redirect: what a shell is to do with its streams.
        options: of `subprocess.Popen`.
    """
    if not (redirect or options):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        words = ("track", *map(str, arguments))
        return warm_python().start("etam_ros.cli.main", *words, environment=environment)
    command = [sys.executable, "-m", "etam_ros.cli.main", "track", *map(str, arguments)]
    if redirect:
        command = ["sh", "-c", f'exec "$@" {redirect}', "sh", *command]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, env=environment, **pipes, **options)


def tiny(source, out, prompts, *more):
    return (
        source, "--out", out, "--prompts", prompts, "--model", "tiny_test",
        "--weights", "random:0", *more,
    )  # fmt: skip


def rows_of(out):
    with (out / "objects.csv").open(newline="") as file:
        table = csv.DictReader(file)
        assert table.fieldnames == COLUMNS
        return list(table)


def write_prompts(path, *entries):
    path.write_text(json.dumps(entries))
    return path


def refused(ended, *words):
    """The run ended with exit code 2 and one line that has these words."""
    assert ended.returncode == 2, ended.stderr
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("error: ")
    for word in words:
        assert word in lines[0]


def write_frames(folder, count=6):
    """Pictures of 90x120 with a bright square that moves."""
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 80, (90, 120, 3), np.uint8)
    for index in range(count):
        picture = noise.copy()
        picture[30:60, 20 + 8 * (index % 8) : 50 + 8 * (index % 8)] = (40, 200, 230)
        cv2.imwrite(str(folder / f"{index:05d}.png"), picture)
    return folder
