"""The `etam` command itself: finding verbs, help, errors and exit codes."""

from __future__ import annotations

import signal
import subprocess
import sys
from importlib import import_module
from itertools import pairwise

import pytest
import typer

from etam_ros import __version__
from etam_ros.cli import main
from etam_ros.cli.terminal.interrupts import stop_on_interrupt
from etam_ros.errors import PromptError


@pytest.fixture
def broken_verb(monkeypatch):
    """Let `etam doctor` raise what the test sets."""

    def install(error: BaseException) -> None:
        def doctor() -> None:
            raise error

        monkeypatch.setattr(import_module("etam_ros.cli.doctor"), "doctor", doctor)

    return install


def test_version_is_printed(etam):
    done = etam("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"etam {__version__}\n", "")


@pytest.mark.parametrize("args", [(), ("--help",), ("-h",)])
def test_help_lists_every_verb(etam, args):
    done = etam(*args)
    assert done.returncode == 0
    for name, verb in main.VERBS.items():
        assert name in done.stdout
        assert verb.help in done.stdout


@pytest.mark.parametrize("args", [["--help"], ["train", "--help"], ["pretrain", "--help"]])
def test_help_imports_neither_torch_nor_ros(args):
    code = (
        f"import sys; sys.argv = ['etam', *{args}]\n"
        "from etam_ros.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'cv2', 'rclpy', 'numpy', 'av'} & set(sys.modules)\n"
        "sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("verb", main.VERBS)
def test_help_of_a_verb_ends_with_its_example(etam, verb):
    done = etam(verb, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith(main.VERBS[verb].example)


@pytest.mark.parametrize("verb", main.VERBS)
def test_help_is_whole_in_a_narrow_terminal(etam, verb):
    said = etam(verb, "--help", COLUMNS="80").stdout
    assert "…" not in said
    words = said.replace("│", " ").split()
    for option in etam(verb, "--help").stdout.split():
        if option.startswith("--"):
            assert option in words
    above = said.split("╭")[0]
    lines = [line.strip() for line in above.splitlines()]
    broken = [
        line for line, after in pairwise(lines)
        if line and after and len(line) + 1 + len(after.split()[0]) < 78
    ]  # fmt: skip
    assert broken == []  # lines end where the terminal does, not where those of the source do


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("trak",), "No such command 'trak': see `etam --help`"),
        (("doctor", "--fast"), "No such option: --fast: see `etam doctor --help`"),
        (("--fast",), "No such option: --fast: see `etam --help`"),
        (("weights", "get"), "see `etam weights get --help`"),
    ],
)
def test_usage_errors_are_one_line_and_exit_code_2(etam, args, said):
    done = etam(*args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.rstrip().endswith(said)
    assert done.stderr.count("\n") == 1


def test_an_error_of_ours_is_one_line_and_exit_code_2(broken_verb, capsys):
    broken_verb(PromptError("prompt is empty:\n give points"))
    assert main.run(["doctor"]) == 2
    assert capsys.readouterr().err == "error: prompt is empty: give points\n"


def test_a_bug_is_one_line_that_names_debug(broken_verb, capsys):
    broken_verb(KeyError("x"))
    assert main.run(["doctor"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "unexpected KeyError: 'x'" in said
    assert "--debug" in said


@pytest.mark.parametrize("args", [["--debug", "doctor"], ["doctor", "--debug"]])
def test_debug_shows_the_traceback_wherever_it_stands(broken_verb, capsys, args):
    broken_verb(PromptError("prompt is empty"))
    assert main.run(args) == 2
    said = capsys.readouterr().err
    assert "Traceback (most recent call last)" in said
    assert said.endswith("error: prompt is empty\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), typer.Abort()])
def test_ctrl_c_is_exit_code_130_without_words(broken_verb, capsys, error):
    broken_verb(error)
    assert main.run(["doctor"]) == 130
    assert "error" not in capsys.readouterr().err


def test_a_missing_library_sends_to_the_doctor(broken_verb, capsys):
    broken_verb(ModuleNotFoundError("No module named 'rclpy'", name="rclpy"))
    assert main.run(["doctor"]) == 2
    said = capsys.readouterr().err
    assert "rclpy" in said
    assert "`etam doctor`" in said


def test_a_missing_module_of_ours_is_a_bug(broken_verb, capsys):
    broken_verb(ModuleNotFoundError("No module named 'etam_ros.x'", name="etam_ros.x"))
    assert main.run(["doctor"]) == 1
    assert "etam_ros.x" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_traceback():
    command = f"{sys.executable} -m etam_ros.cli.main --help | true"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""


def test_words_that_nobody_can_be_told_change_no_exit_code():
    command = [sys.executable, "-m", "etam_ros.cli.main", "nothing"]
    for redirect in ("2> /dev/full", "2>&-"):
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {redirect}', "sh", *command], capture_output=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (2, b"", b"")


def test_a_current_folder_that_is_gone_is_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert main.run(["weights", "path", "etam_nano"]) == 2
    assert capsys.readouterr().err == (
        "error: the current folder cannot be used (No such file or directory): change to "
        "another one\n"
    )


def test_the_end_of_a_session_lets_a_run_finish_unless_nohup_is_asked_for():
    before = signal.getsignal(signal.SIGHUP)
    try:
        with stop_on_interrupt(b"") as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop()
        assert signal.signal(signal.SIGHUP, signal.SIG_IGN) == before
        with stop_on_interrupt(b"") as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop()
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    ("args", "own", "ros"),
    [
        (["a.mp4", "--loop"], ["a.mp4", "--loop"], []),
        (["--ros-args", "-p", "x:=1"], [], ["--ros-args", "-p", "x:=1"]),
        (
            ["a.mp4", "--ros-args", "-r", "image:=/i", "--", "--loop"],
            ["a.mp4", "--loop"],
            ["--ros-args", "-r", "image:=/i", "--"],
        ),
    ],
)
def test_ros_arguments_are_parted_from_ours(args, own, ros):
    assert main.split_ros_arguments(args) == (own, ros)


def test_ros_arguments_reach_the_verb_untouched():
    seen = []
    app = typer.Typer()

    @app.command(cls=main.RosCommand)
    def play(ctx: typer.Context, source: str, loop: bool = False) -> None:
        seen.append((source, loop, list(ctx.args)))

    ros = ["--ros-args", "-p", "model:=x", "-r", "image:=/camera/image_raw", "--help"]
    typer.main.get_command(app).main(["clip.mp4", "--loop", *ros], standalone_mode=False)
    assert seen == [("clip.mp4", True, ros)]


def test_debug_among_ros_arguments_is_left_to_ros():
    assert main._take_debug(["node", "--ros-args", "--debug"]) == (
        ["node", "--ros-args", "--debug"],
        False,
    )
