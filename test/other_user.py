"""Programs that run without the rights of root: as another user where the tests are root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
MAY_READ = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
"""Python and this checkout, wherever they lie; what is written goes by the user's own rights."""
AS_NOBODY = [*NOBODY, *MAY_READ]


def skip_unless_nobody_can_be() -> None:
    """Skip a test where no process of another user can be started."""
    command = [*AS_NOBODY, sys.executable, "-c", "pass"]
    if not shutil.which("setpriv") or subprocess.run(command, check=False).returncode:
        pytest.skip("processes of another user cannot be started here, which needs root")


def unprivileged() -> list[str]:
    """What to put before a command for it to have the rights of an ordinary user."""
    if os.geteuid() != 0:
        return []
    skip_unless_nobody_can_be()
    return AS_NOBODY
