"""rosdep finds every key of package.xml in every ROS 2 distribution that we name.

`scripts/rosdep_keys.py` has looked them up in rosdistro, at the date and commit in the table.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
from rosdep_keys import DISTRIBUTIONS, keys, places_of, released_in  # noqa: E402

TABLE = json.loads((ROOT / "test" / "rosdep_keys.json").read_text())


def test_every_key_was_looked_up_and_found_in_every_distribution():
    everywhere = " ".join(DISTRIBUTIONS)
    assert dict.fromkeys(keys(), everywhere) == TABLE["keys"], "run scripts/rosdep_keys.py"


def test_the_look_up_says_when_and_where():
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", TABLE["looked_up"])
    assert re.fullmatch(r"[0-9a-f]{40} of 20\d\d-\d\d-\d\d", TABLE["rosdistro"])


def test_a_key_is_found_among_packages_and_rules():
    with_one = (
        "repositories:\n  one: {release: {packages: [first, second]}}\n"
        "  alone: {release: {version: 1}}\n  never: {source: {type: git}}\n"
    )
    assert released_in(with_one) == {"first", "second", "alone"}
    released = {name: {"first"} if name == "jazzy" else set() for name in DISTRIBUTIONS}
    rules = {
        "python3-list": {"ubuntu": ["python3-list"]},
        "python3-new": {"ubuntu": {"*": ["python3-new"], "jammy": None}},
        "python3-old": {"ubuntu": {"jammy": ["python3-old"]}},
        "python3-elsewhere": {"debian": ["python3-elsewhere"]},
    }
    found = {key: places_of(key, released, rules) for key in ("first", *rules, "python3-none")}
    assert found == {
        "first": ["jazzy"],
        "python3-list": ["humble", "jazzy", "kilted", "lyrical"],
        "python3-new": ["jazzy", "kilted", "lyrical"],
        "python3-old": ["humble"],
        "python3-elsewhere": [],
        "python3-none": [],
    }
