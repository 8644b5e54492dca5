"""Run `etam` as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from warm_process import run_warm

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def etam(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Call `etam("weights", "list", KEY="value in the environment")` in a process of its own.

    With a PYTHONPATH, what it imports matters: it is a new interpreter.
    """

    def run(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **environment}
        if "PYTHONPATH" not in environment:
            return run_warm(args, env, tmp_path_factory.mktemp("said"), timeout_s=120)
        return subprocess.run(
            [sys.executable, "-m", "etam_ros.cli.main", *args],
            capture_output=True,
            text=True,
            env=env,
            timeout=120,
            check=False,
        )

    return run
