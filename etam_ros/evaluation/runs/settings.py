"""Everything that a result depends on, so that results can be reused, compared and reproduced."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from etam_ros.evaluation.protocols.rounds import EvaluationProtocol
from etam_ros.runtime.backends.torch.weights import resolve_weights
from etam_ros.versions import versions


@dataclass(frozen=True)
class RunSettings:
    """All settings that results depend on, except the videos; sent to workers.

    Attributes:
        protocol: how objects are prompted and corrected.
        model, weights, backend, precision, device, engine_dir: as in `open_stages`; an empty
            model evaluates baselines only.
        baselines: evaluated in addition to the model.
        threads: of the process.
        with_sheets: whether pictures for `--save` are made.
        with_page: whether pictures for the page are made.
    """

    protocol: EvaluationProtocol
    model: str
    weights: str = ""
    backend: str = "auto"
    precision: str = "auto"
    device: str = "auto"
    engine_dir: str = ""
    baselines: tuple[str, ...] = ()
    threads: int = 1
    with_sheets: bool = False
    with_page: bool = False

    def as_json(self) -> dict[str, Any]:
        """The settings as they are stored with a result; equal for equal settings."""
        protocol = asdict(self.protocol)
        if self.protocol.name == "semi":
            protocol = {"name": "semi", "prompt": self.protocol.prompt}
        if self.protocol.name == "offline":
            del protocol["correct_below"]
        network = {
            "model": self.model,
            "weights": weights_hash(self.model, self.weights),
            "backend": self.backend,
            "precision": self.precision,
            "device": self.device,
        }
        return {
            "protocol": protocol,
            "network": network if self.model else None,
            "baselines": list(self.baselines),
            "threads": self.threads,
        }


@lru_cache(maxsize=8)
def weights_hash(model: str, weights: str) -> str:
    """First 16 digits of the SHA-256 of the weights file; random:SEED is returned unchanged.

    Raises:
        WeightsError: the file is missing.
    """
    if not model:
        return ""
    path = Path(resolve_weights(model, weights))
    if not path.is_file():
        return weights
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@lru_cache(maxsize=1)
def machine() -> dict[str, Any]:
    """The properties of this machine that results and speed depend on."""
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
    }


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def key_of(settings: RunSettings, fingerprint: str) -> str:
    """A key of 16 digits, equal for results that would be equal on one machine."""
    said = json.dumps([settings.as_json(), fingerprint, versions()], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]
