"""The soak of the node: what it says of tables, and that it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "soak_node.py"


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch):
    """The module that judges."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import soak_samples

    return soak_samples


def table(samples, growth_mib: float, noise_mib: float = 1.0, busy_mib: float = 0.0):
    """Rows of an hour; what `busy_mib` adds comes and goes, and is gone at rest."""
    rng = np.random.default_rng(0)
    found = []
    for second in range(0, 3600, 5):
        at_rest = second % 90 == 0
        rss = 400 + growth_mib * second / 3600 + float(rng.normal(0, noise_mib))
        rss += 0 if at_rest else busy_mib * float(rng.random())
        told = (second, 0, 0, int(at_rest))
        found.append(samples.Sample(second, rss, rss / 2, 28, 23, 201.0, 3, 90.0, 30.0, *told))
    return found


def test_what_comes_and_goes_is_flat_and_what_only_comes_grows(samples) -> None:
    def verdicts(growth_mib: float, noise_mib: float = 1.0) -> dict[str, str]:
        found = samples.trends(table(samples, growth_mib, noise_mib))
        return {each.name: each.verdict for each in found}

    flat = verdicts(0.0)
    assert set(flat.values()) == {"flat"}
    assert verdicts(40.0) == {**flat, "rss_mib": "grows", "anonymous_mib": "grows"}
    assert verdicts(0.0, noise_mib=200.0)["rss_mib"] != "flat"
    assert samples.trends(table(samples, 0.0)[:10]) == []


def test_memory_is_judged_where_nothing_else_changes_it(samples) -> None:
    def verdict(growth_mib: float, rows: slice) -> str:
        found = samples.trends(table(samples, growth_mib, busy_mib=400.0)[rows])
        return {each.name: each.verdict for each in found}["rss_mib"]

    assert verdict(0.0, slice(None)) == "flat"
    assert verdict(40.0, slice(None)) == "grows"
    assert verdict(0.0, slice(60)) == "unsure"  # too few at rest: all rows count, and tell nothing


def test_a_table_is_read_and_drawn_while_it_grows(samples, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    written = samples.Table(tmp_path / "soak.csv")
    rows = table(samples, 0.0)
    for row in rows:
        written.add(row)
    command = [sys.executable, str(SCRIPT), "--judge", str(tmp_path / "soak.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    written.close()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "flat"
    assert (tmp_path / "soak.png").stat().st_size > 1000


def test_a_node_is_soaked_for_a_moment(samples, tmp_path: Path) -> None:
    pytest.importorskip("rclpy")
    command = [sys.executable, str(SCRIPT), "--hours", "0.006", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "are too few to judge" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("wrong: ") == 1, done.stdout
    rows = samples.read_table(tmp_path / "soak.csv")
    assert all(row.threads > 1 and row.rss_mib > 50 for row in rows)
    assert rows
