"""What `etam doctor` says, in plain text or JSON: needs neither typer nor rich."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Final

from etam_ros import __version__
from etam_ros.cli.terminal.findings import NEEDED_BY_NODE, NEEDED_TO_TRACK, Finding, find_all

_RUNS: Final = (
    ("The tracker (etam track)", NEEDED_TO_TRACK),
    ("The node (etam node)", NEEDED_BY_NODE),
)


def main_without(module: str, args: Sequence[str]) -> int:
    """Serve `etam doctor` where the command line cannot be made, and refuse everything else.

    Args:
        module: that is missing.
        args: the arguments after `etam`.

    Returns:
        exit code.
    """
    if args and args[0] == "doctor":
        findings = find_all()
        print(as_json(findings) if "--json" in args else as_text(findings))
        return 0 if tracker_runs(findings) else 1
    print(
        f"error: etam needs the Python module {module}, which is not installed here: "
        f"pip install {module}; `etam doctor` says what else is missing",
        file=sys.stderr,
    )
    return 2


def tracker_runs(findings: Sequence[Finding]) -> bool:
    """Whether everything is there that tracking needs."""
    return not _lacking(findings, NEEDED_TO_TRACK)


def verdicts(findings: Sequence[Finding]) -> list[str]:
    """What runs here, and what stands in the way of what does not, one line each."""
    lines = []
    for what, needed in _RUNS:
        lacking = ", ".join(_lacking(findings, needed))
        lines.append(f"{what} does not run here: {lacking}." if lacking else f"{what} runs here.")
    return lines


def as_json(findings: Sequence[Finding]) -> str:
    """The report for programs."""
    report = {
        "etam_ros": __version__,
        "tracker_runs": tracker_runs(findings),
        "node_runs": not _lacking(findings, NEEDED_BY_NODE),
        "findings": [asdict(item) for item in findings],
    }
    return json.dumps(report, indent=2)


def as_text(findings: Sequence[Finding]) -> str:
    """The report for people."""
    lines = [f"etam_ros {__version__}"]
    for group, items in groupby(findings, key=lambda item: item.group):
        lines += ["", group]
        for item in items:
            lines.append(f"  {item.name:<20}{item.status:<9}{item.detail}")
            lines += [f"{'':31}switches off: {item.without}"] if item.without else []
            lines += [f"{'':31}to get it: {item.remedy}"] if item.remedy else []
    return "\n".join([*lines, "", *verdicts(findings)])


def _lacking(findings: Sequence[Finding], needed: frozenset[str]) -> list[str]:
    return sorted(needed - {item.name for item in findings if item.status == "ok"})
