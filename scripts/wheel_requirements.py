#!/usr/bin/env python3
"""Print what to install for the ROS 2 wheels of Jazzy, or of another distribution.

    python scripts/wheel_requirements.py kilted requirements     of building, running, testing
    python scripts/wheel_requirements.py kilted constraints      the pins, without those of ROS

pyproject.toml names the wheels of Jazzy, and pip has no way to choose others.
"""

from __future__ import annotations

import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:  # before anything is installed
    from pip._vendor import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
NAMED = "ros-jazzy-"
ENDED = ("ros-jazzy-fastrtps-cmake-module", "ros-jazzy-python-cmake-module")
"""Wheels of Jazzy that no later distribution has or needs."""
NEW = ("ament-cmake-ros-core",)
"""What later distributions need for building, and Jazzy does not have."""


def requirements(distribution: str) -> list[str]:
    """What pyproject.toml names, with the wheels of that distribution."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = told["project"]
    named = [
        *told["build-system"]["requires"],
        *project["dependencies"],
        *project["optional-dependencies"]["dev"],
    ]
    if distribution == "jazzy":
        return list(dict.fromkeys(named))
    kept = dict.fromkeys(each for each in named if not each.startswith(ENDED))
    kept |= dict.fromkeys(NAMED + name for name in NEW)
    return [each.replace(NAMED, f"ros-{distribution}-") for each in kept]


def constraints() -> list[str]:
    """The pins of constraints.txt that are not of Jazzy."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith(("ros-", "rclpy"))]


def main() -> int:
    """Print what the arguments ask for."""
    if len(sys.argv) != 3 or sys.argv[2] not in ("requirements", "constraints"):
        sys.stderr.write((__doc__ or "").strip() + "\n")
        return 2
    lines = requirements(sys.argv[1]) if sys.argv[2] == "requirements" else constraints()
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
