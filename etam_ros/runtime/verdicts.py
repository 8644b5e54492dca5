"""What the parity gate said of an engine, kept beside the export."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from typing import Any, Final

from etam_ros.runtime.atomic import lock_of, write_file
from etam_ros.runtime.exported import ExportedModel
from etam_ros.runtime.parity import ParityReport
from etam_ros.runtime.sealed import is_whole, sealed

VERDICTS: Final = "parity.json"
logger = logging.getLogger(__name__)


def read_verdict(exported: ExportedModel, key: str) -> list[str] | None:
    """What the gate found off, or None where it has not looked yet, or that is damaged."""
    verdict = _verdicts(exported).get(key)
    if not isinstance(verdict, dict) or verdict.get("key") != key or not is_whole(verdict):
        return None
    return [str(failure) for failure in verdict["failures"]]


def write_verdict(exported: ExportedModel, key: str, report: ParityReport) -> None:
    """Keep what the gate said, where the folder can be written."""
    verdict = sealed({"key": key, "failures": report.failures, "report": asdict(report)})
    try:
        with lock_of(exported.folder):
            text = json.dumps(_verdicts(exported) | {key: verdict}, indent=1) + "\n"
            write_file(exported.folder / VERDICTS, text.encode())
    except OSError as error:
        logger.warning(
            "what the parity gate says cannot be kept in %s (%s): it will look again next time; "
            "`etam verify` by somebody who may write there spares that",
            exported.folder,
            error.strerror or error,
        )


def _verdicts(exported: ExportedModel) -> dict[str, Any]:
    try:
        found = json.loads((exported.folder / VERDICTS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
