"""Every command in README.md and docs/ names things that exist."""

from __future__ import annotations

import ast
import re
import shlex
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import pytest
import typer

from etam_ros.cli import main
from etam_ros.config import GROUPS, NodeConfig, PlayerConfig

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    [
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("docs/tutorials/*.md"),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "engines/README.md")),
    ]
)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
LAUNCH = ROOT / "launch" / "tracker.launch.py"
WITH_FILES = [
    *DOCUMENTS,
    *(ROOT / name for name in ("SECURITY.md", "QUALITY_DECLARATION.md", "examples/README.md")),
]
WRITTEN_BY_READERS = {"test/cues/test_brightness.py"}  # in a tutorial
PLACEHOLDER = re.compile(r"[A-Z]{2,}|\.\.\.|…|\[")


def code_of(path: Path) -> list[str]:
    """Lines of fenced and of indented blocks, continued ones joined, and inline code."""
    text = path.read_text()
    blocks = re.findall(r"^ *```[a-z]*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^    (\S.*)$", prose.replace("\\\n", " "), re.MULTILINE)
    return [line.strip() for line in [*lines, *indented]] + re.findall(r"`([^`\n]+)`", prose)


def commands(*starts: str) -> list[object]:
    """Commands of all documents that begin so, as (document, words)."""
    found = []
    for path in DOCUMENTS:
        for line in code_of(path):
            for part in re.split(r"\s+&&\s+|\s+\|\s+", line):
                if part.startswith(starts):
                    words = shlex.split(part, comments=True)
                    found.append(pytest.param(words, id=f"{path.name}: {part[:60]}"))
    return found


def options_of(command: object) -> set[str]:
    return {name for param in command.params for name in (*param.opts, *param.secondary_opts)}


def check_etam(words: list[str]) -> None:
    """Hold `etam ...`, without its first word, to the verbs and options there are."""
    own, ros = main.split_ros_arguments(words)
    group = typer.main.get_command(main.app)
    if not own or own[0].startswith("-") or PLACEHOLDER.match(own[0]):
        assert {word for word in own if word.startswith("-")} <= options_of(group) | {"--help"}
        return
    assert own[0] in main.VERBS
    command = main._load(own[0])
    rest = own[1:]
    if isinstance(command, main.TyperGroup) and rest and not rest[0].startswith("-"):
        verbs = rest[0].split("|")
        assert set(verbs) <= set(command.commands)
        command, rest = command.commands[verbs[0]], rest[1:]
    known = options_of(command) | {"--help", "--debug"}
    for word in rest:
        if re.match(r"\[?--?[a-z]", word):
            assert re.sub(r"[\[\]]|=.*", "", word) in known
    check_ros_arguments(ros)


def check_ros_arguments(ros: list[str]) -> None:
    """Parameters have to be the node's or the player's."""
    parameters = {item.name for config in (NodeConfig, PlayerConfig) for item in fields(config)}
    for group, config in GROUPS.items():
        parameters |= {f"{group}.{item.name}" for item in fields(config)}
    for flag, value in pairwise(ros):
        if flag == "-p":
            assert value.split(":=")[0] in parameters | {"use_sim_time"}


@pytest.mark.parametrize("words", commands("etam "))
def test_etam_commands_exist(words):
    check_etam(words[1:])


@pytest.mark.parametrize("verb", main.VERBS)
def test_examples_in_the_help_are_right(verb):
    check_etam(shlex.split(main.VERBS[verb].example)[1:])


@pytest.mark.parametrize("words", commands("make "))
def test_make_targets_exist(words):
    targets = [word for word in words[1:] if "=" not in word]
    assert targets
    assert set(targets) <= TARGETS


@pytest.mark.parametrize("words", commands("ros2 run etam_ros "))
def test_executables_exist(words):
    assert (ROOT / "scripts" / words[3]).is_file()
    if words[3] == "etam":
        check_etam(words[4:])
    else:
        check_ros_arguments(words[4:])


def strings_of(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    values = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return {value for value in values if isinstance(value, str)}


@pytest.mark.parametrize("words", commands("ros2 launch etam_ros "))
def test_launch_arguments_exist(words):
    path = ROOT / "launch" / words[3]
    assert path.is_file()
    strings = strings_of(path)
    if "launch/tracker.launch.py" in strings:  # included, arguments and all
        strings |= strings_of(LAUNCH)
    if "record_command" in path.read_text():
        strings |= strings_of(ROOT / "etam_ros" / "ros" / "recording.py")
    strings |= {item.name for item in fields(NodeConfig)}
    for word in words[4:]:
        if ":=" in word:
            assert word.split(":=")[0] in strings


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_messages_and_services_exist(path):
    for kind, name in re.findall(r"etam_ros/(msg|srv)/(\w+)", path.read_text()):
        assert (ROOT / kind / f"{name}.{kind}").is_file()


@pytest.mark.parametrize("path", WITH_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_programs_that_are_named_exist(path):
    named = re.findall(r"\b(?:test|scripts|examples)/[a-z_/]+\.py\b", path.read_text())
    missing = {name for name in named if not (ROOT / name).is_file()}
    assert missing <= WRITTEN_BY_READERS


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#\s]+)", path.read_text()):
        if "://" not in target and "reference/" not in target:  # made by `make docs`
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_python_examples_import_what_exists(path):
    blocks = re.findall(r"^```python\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)
    for block in blocks:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("etam_ros"):
                module = __import__(str(node.module), fromlist=["x"])
                for alias in node.names:
                    assert hasattr(module, alias.name)


def test_there_are_commands_to_check():
    assert len(commands("etam ")) > 5
    assert {"demo", "test", "setup", "bench", "check"} <= TARGETS
    assert LAUNCH.is_file()
