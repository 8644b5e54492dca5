"""What GitHub reads of this repository is in the form that it expects, and names what exists.

The workflows themselves run at GitHub alone: here they are held to the published schemas, and the
shell of their steps is parsed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
from rosdep_keys import DISTRIBUTIONS  # noqa: E402

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TEMPLATES = ROOT / ".github" / "ISSUE_TEMPLATE"
FORMS = [
    ("github-workflows", WORKFLOWS),
    ("github-issue-forms", [TEMPLATES / "bug.yml", TEMPLATES / "wish.yml"]),
    ("github-issue-config", [TEMPLATES / "config.yml"]),
    ("citation-file-format", [ROOT / "CITATION.cff"]),
]
JOBS = {
    name: job
    for workflow in WORKFLOWS
    for name, job in yaml.safe_load(workflow.read_text())["jobs"].items()
}


@pytest.mark.parametrize(("schema", "files"), FORMS, ids=[schema for schema, _ in FORMS])
def test_files_keep_to_their_schema(schema, files):
    pytest.importorskip("check_jsonschema")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def steps_that_run() -> dict[str, str]:
    """The shell of every step, with a word in place of what GitHub fills in."""
    return {
        f"{name} {number}": re.sub(r"\$\{\{.*?\}\}", "word", step["run"])
        for name, job in JOBS.items()
        for number, step in enumerate(job["steps"])
        if "run" in step
    }


@pytest.mark.parametrize(("step", "shell"), steps_that_run().items())
def test_the_shell_of_steps_parses_and_calls_what_there_is(step, shell):
    done = subprocess.run(["bash", "-n"], input=shell, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"\bmake ([a-z-]+)", shell)) <= set(targets)
    for path in re.findall(r"(?<!\S)(?:\.ci|test|scripts)/[\w./]*", shell):
        assert (ROOT / path).exists(), path


def test_every_distribution_that_we_name_has_a_job():
    assert JOBS["colcon"]["strategy"]["matrix"]["distribution"] == list(DISTRIBUTIONS)
    assert "make test-kilted" in steps_that_run().values()


def test_the_oldest_and_the_newest_python_have_a_job():
    told = re.search(r"\((3, \d+)\) <= .* <= \((3, \d+)\)", (ROOT / "Makefile").read_text())
    assert told is not None
    ends = [version.replace(", ", ".") for version in told.groups()]
    assert JOBS["wheels"]["strategy"]["matrix"]["python"] == ends
