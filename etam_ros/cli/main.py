"""Entry point of `etam`: finds the verb, imports its file, and turns errors into one line."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, Final

try:
    import typer
    from typer.core import TyperCommand, TyperGroup
except ModuleNotFoundError as error:  # whoever asks the doctor why nothing works is answered
    from etam_ros.cli.terminal.plain_doctor import main_without

    sys.exit(main_without(str(error.name), sys.argv[1:]))

from etam_ros import __version__
from etam_ros.cli.terminal.errors import EXIT_BUG, exit_code
from etam_ros.cli.terminal.speaking import (
    check_current_folder,
    open_standard_streams,
    silence_stdout,
    whoever_listens,
)
from etam_ros.idle_threads import let_idle_threads_sleep

_FOLLOW: Final = "Follow objects"
_LEARN: Final = "Train and evaluate"
_MACHINE: Final = "This machine"


@dataclass(frozen=True)
class Verb:
    """What `etam --help` says of a verb without importing its file.

    Attributes:
        leaves_files: its work is files; what it prints beside them nobody has to hear.
    """

    help: str
    example: str
    panel: str
    ros_arguments: bool = False
    leaves_files: bool = False


# A verb `name` lives in etam_ros/cli/name.py, as a function `name` or a typer app called `app`.
VERBS: Final = {
    "track": Verb(
        "Track objects through a video, a folder of images, a bag or a camera.",
        "etam track clip.mp4 --prompts prompts.json --out followed",
        _FOLLOW,
        leaves_files=True,
    ),
    "segment": Verb(
        "Segment objects in one picture, by clicks and boxes, or everything in it.",
        "etam segment photo.jpg --click 320,240 --out segmented",
        _FOLLOW,
        leaves_files=True,
    ),
    "node": Verb(
        "Run the ROS 2 tracker node.",
        "etam node --ros-args -r image:=/camera/image_raw",
        _FOLLOW,
        ros_arguments=True,
    ),
    "play": Verb(
        "Publish a video, a folder of images, a bag or a camera as ROS 2 images.",
        "etam play clip.mp4 --loop --ros-args -r image:=/camera/image_raw",
        _FOLLOW,
        ros_arguments=True,
    ),
    "web": Verb(
        "Serve a web page to watch, prompt and correct the tracker, on a laptop or a phone.",
        "etam web --host 0.0.0.0",
        _FOLLOW,
        ros_arguments=True,
    ),
    "demo": Verb(
        "See it work: node, player and clicks on a generated clip, or on yours.",
        "etam demo",
        _FOLLOW,
        leaves_files=True,
    ),
    "eval": Verb(
        "Evaluate masks on videos, bags or photographs with ground truth.",
        "etam eval DAVIS --prompt 1-click --baseline all --report scores",
        _LEARN,
        leaves_files=True,
    ),
    "train": Verb(
        "Train a model on generated clips, or fine-tune one on your own recordings.",
        "etam train --init etam_nano --data recordings --bce-share 0 --taught-presence 0 "
        "--lr 1e-4 --out tuned",
        _LEARN,
        leaves_files=True,
    ),
    "pretrain": Verb(
        "Train a light image encoder to reproduce the features of a better one.",
        "etam pretrain --teacher efficienttam_s_512x512 --data photographs --out pretraining",
        _LEARN,
        leaves_files=True,
    ),
    "doctor": Verb(
        "Report what is installed, what runs here, and how to get the rest.",
        "etam doctor --json",
        _MACHINE,
    ),
    "weights": Verb(
        "List, download and locate the weights of the models.",
        "etam weights get efficienttam_ti_512x512",
        _MACHINE,
    ),
    "export": Verb(
        "Write a model as ONNX files.",
        "etam export efficienttam_ti_512x512 --precision fp16 --engine-dir engines",
        _MACHINE,
        leaves_files=True,
    ),
    "build": Verb(
        "Build a faster engine of a model for this machine, and check it against PyTorch.",
        "etam build etam_nano --backend openvino",
        _MACHINE,
        leaves_files=True,
    ),
    "verify": Verb(
        "Check an engine against PyTorch again.",
        "etam verify etam_nano --backend openvino",
        _MACHINE,
    ),
    "bench": Verb(
        "Measure the stages, the tracker and the node on this machine.",
        "etam bench --model efficienttam_ti_512x512",
        _MACHINE,
    ),
}


class RosCommand(TyperCommand):
    """A verb that hands everything from `--ros-args` on to ROS, in `ctx.args`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep ROS arguments out of the option parser: `-p` and `-r` are theirs."""
        own, ros = split_ros_arguments(args)
        super().parse_args(ctx, own)
        ctx.args = [*ctx.args, *ros]
        return list(ctx.args)


def split_ros_arguments(args: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part our arguments from ROS's, which run from `--ros-args` to a lone `--` or the end."""
    own: list[str] = []
    ros: list[str] = []
    inside = False
    for arg in args:
        if not inside and arg == "--ros-args":
            inside = True
        (ros if inside else own).append(arg)
        if inside and arg == "--":
            inside = False
    return own, ros


class VerbGroup(TyperGroup):
    """The group of all verbs; lists them from the table and imports the one that is invoked."""

    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """All verbs, in the order of the table."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:
        """The verb of that name, imported now, or None."""
        if cmd_name not in VERBS:
            return None
        return _placeholder(cmd_name) if self._listing else _load(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """List the verbs without importing them."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


def _placeholder(name: str) -> TyperCommand:
    verb = VERBS[name]
    return TyperCommand(name, help=verb.help, rich_help_panel=verb.panel)


def _load(name: str) -> TyperCommand | TyperGroup:
    verb = VERBS[name]
    module = import_module(f"etam_ros.cli.{name}")
    verb_app = getattr(module, "app", None)
    if verb_app is None:
        verb_app = typer.Typer(add_completion=False, rich_markup_mode="rich")
        command_class = RosCommand if verb.ros_arguments else TyperCommand
        verb_app.command(name, cls=command_class)(getattr(module, name))
    command: Any = typer.main.get_command(verb_app)
    command.name = name
    for each in (command, *getattr(command, "commands", {}).values()):
        each.help = _unwrapped(each.help or "")
    command.epilog = f"[bold]Example:[/bold] {verb.example}"
    loaded: TyperCommand | TyperGroup = command
    return loaded


def _unwrapped(text: str) -> str:
    """Paragraphs of one line each: the terminal breaks them where its own lines end."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text)


app = typer.Typer(
    cls=VerbGroup,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Each verb has its own help: etam track --help",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"etam {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", help="Show the traceback of an error; also accepted after a command."
        ),
    ] = False,
) -> None:
    """Follow whatever you point at, on live camera images or in recorded video."""


def run(args: Sequence[str]) -> int:
    """Run one command line.

    Args:
        args: the arguments after `etam`.

    Returns:
        Exit code: 0, 2 for what the user can mend, 1 for a bug, 130 after Ctrl-C.
    """
    own, debug = _take_debug(args)
    let_idle_threads_sleep()
    try:
        check_current_folder()
        command = typer.main.get_command(app)
        verb = VERBS.get(own[0]) if own else None
        with whoever_listens() if verb and verb.leaves_files else nullcontext():
            result = command.main(own or ["--help"], prog_name="etam", standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:
        return exit_code(error, debug=debug)
    return result if isinstance(result, int) else 0


def _take_debug(args: Sequence[str]) -> tuple[list[str], bool]:
    """Take `--debug` out, wherever it stands before `--` or `--ros-args`."""
    ends = [args.index(mark) for mark in ("--", "--ros-args") if mark in args]
    end = min(ends, default=len(args))
    own = [arg for arg in args[:end] if arg != "--debug"]
    return [*own, *args[end:]], len(own) < end


def main() -> None:
    """Run `etam` with the arguments of this process."""
    open_standard_streams()
    code = run(sys.argv[1:])
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        silence_stdout()
        code = code or EXIT_BUG
    sys.exit(code)


if __name__ == "__main__":
    main()
