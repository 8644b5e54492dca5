"""Run `etam` as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def etam() -> Run:
    """Call `etam("weights", "list", KEY="value in the environment")` in a process of its own."""

    def run(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **environment}
        return subprocess.run(
            [sys.executable, "-m", "etam_ros.cli.main", *args],
            capture_output=True,
            text=True,
            env=env,
            timeout=120,
            check=False,
        )

    return run
