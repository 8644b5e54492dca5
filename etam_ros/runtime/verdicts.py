"""What the parity gate said of an engine, kept beside the export."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

from etam_ros.runtime.atomic import lock_of, write_file
from etam_ros.runtime.exported import ExportedModel
from etam_ros.runtime.parity import ParityReport

VERDICTS: Final = "parity.json"


def read_verdict(exported: ExportedModel, key: str) -> list[str] | None:
    """What the gate found off, or None where it has not looked yet."""
    try:
        return list(_verdicts(exported)[key]["failures"])
    except (KeyError, TypeError):
        return None


def write_verdict(exported: ExportedModel, key: str, report: ParityReport) -> None:
    """Keep what the gate said."""
    with lock_of(exported.folder):
        verdicts = _verdicts(exported)
        verdicts[key] = {"failures": report.failures, "report": asdict(report)}
        text = json.dumps(verdicts, indent=1) + "\n"
        write_file(exported.folder / VERDICTS, text.encode())


def _verdicts(exported: ExportedModel) -> dict[str, Any]:
    try:
        found = json.loads((exported.folder / VERDICTS).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
