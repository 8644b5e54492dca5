"""What the parity gate said of an engine, kept beside the export."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import Any, Final

from etam_ros.runtime.exported import ExportedModel, locked
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
    with locked(exported.folder):
        verdicts = _verdicts(exported)
        verdicts[key] = {"failures": report.failures, "report": asdict(report)}
        path = exported.folder / VERDICTS
        making = path.with_suffix(f".{os.getpid()}")
        making.write_text(json.dumps(verdicts, indent=1) + "\n")
        making.replace(path)


def _verdicts(exported: ExportedModel) -> dict[str, Any]:
    try:
        found = json.loads((exported.folder / VERDICTS).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
