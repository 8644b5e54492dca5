#!/usr/bin/env python3
"""Look the keys of package.xml up in a checkout of github.com/ros/rosdistro.

    python scripts/rosdep_keys.py ROSDISTRO     write test/rosdep_keys.json, print what is missing

A key is a package that a distribution has released, or one of rosdep's, which names the package of
each Ubuntu. Nothing is installed.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import yaml

ROOT: Final = Path(__file__).resolve().parents[1]
TABLE: Final = ROOT / "test" / "rosdep_keys.json"
DISTRIBUTIONS: Final = {
    "humble": "jammy",
    "jazzy": "noble",
    "kilted": "noble",
    "lyrical": "resolute",
}
"""The ROS 2 distributions that docs/install.md names, and the Ubuntu of each."""


def keys() -> list[str]:
    """What package.xml depends on."""
    package = ElementTree.parse(ROOT / "package.xml").getroot()
    return sorted({item.text or "" for item in package if item.tag.endswith("depend")})


def places_of(key: str, released: dict[str, set[str]], rules: dict[str, Any]) -> list[str]:
    """The distributions in which rosdep finds a key."""
    ubuntu = rules.get(key, {}).get("ubuntu")
    return [
        name
        for name, codename in DISTRIBUTIONS.items()
        if key in released[name] or _rule(ubuntu, codename)
    ]


def _rule(ubuntu: Any, codename: str) -> Any:
    """What rosdep installs on an Ubuntu: a list of packages, a codename's own rule, or nothing."""
    if isinstance(ubuntu, dict):
        return ubuntu.get(codename, ubuntu.get("*"))
    return ubuntu


def released_in(distribution: str) -> set[str]:
    """Every package that a distribution.yaml has released."""
    repositories = yaml.load(distribution, yaml.CSafeLoader)["repositories"]
    return {
        package
        for name, repository in repositories.items()
        if "release" in repository
        for package in repository["release"].get("packages", [name])
    }


def main(arguments: list[str]) -> int:
    """Write the table."""
    if len(arguments) != 1:
        sys.stderr.write((__doc__ or "").strip() + "\n")
        return 2

    def git(*words: str) -> str:
        command = ["git", "-C", arguments[0], *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    rules: dict[str, Any] = {}
    for name in ("base", "python"):
        rules |= yaml.load(git("show", f"HEAD:rosdep/{name}.yaml"), yaml.CSafeLoader)
    released = {
        name: released_in(git("show", f"HEAD:{name}/distribution.yaml")) for name in DISTRIBUTIONS
    }
    found = {key: places_of(key, released, rules) for key in keys()}
    told = {
        "looked_up": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "rosdistro": git("log", "-1", "--format=%H of %cs"),
        "keys": {key: " ".join(places) for key, places in found.items()},
    }
    TABLE.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    for key, places in found.items():
        if missing := DISTRIBUTIONS.keys() - set(places):
            sys.stdout.write(f"{key}: not in {', '.join(sorted(missing))}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
