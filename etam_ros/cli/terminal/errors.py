"""What the command line says when something goes wrong, and how it exits.

An error that the user can mend is one line and exit code 2; anything else is a bug, exit code 1.
"""

from __future__ import annotations

import traceback
from typing import Final

import typer

from etam_ros.errors import EtamError

EXIT_BUG: Final = 1
EXIT_USER: Final = 2
EXIT_CUT: Final = 3
"""The source ended before its time; what could be read of it was worked on."""
EXIT_INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it

# Typer has click inside or beside it, depending on its version: take the class from either.
_UsageProblem: Final[type] = typer.BadParameter.__mro__[2]


def exit_code(error: BaseException, *, debug: bool = False) -> int:
    """Say on stderr what went wrong.

    Args:
        error: whatever came out of a verb.
        debug: print the traceback first.

    Returns:
        The exit code that goes with it.
    """
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        return EXIT_INTERRUPTED
    if isinstance(error, BrokenPipeError):  # `etam ... | head`: nobody reads any more
        return EXIT_BUG
    if debug:
        traceback.print_exception(type(error), error, error.__traceback__)
    if isinstance(error, _UsageProblem):
        say_error(_usage_text(error))
        return EXIT_USER
    if isinstance(error, EtamError):
        say_error(str(error))
        return EXIT_USER
    if isinstance(error, ModuleNotFoundError) and _comes_from_elsewhere(error):
        say_error(
            f"this needs the Python module {error.name}, which is not installed here: "
            "`etam doctor` says how to get it"
        )
        return EXIT_USER
    hint = "" if debug else "; run it again with --debug to see where"
    say_error(f"unexpected {type(error).__name__}: {error}{hint}")
    return EXIT_BUG


def say_error(message: str) -> None:
    """Print `error: message` on stderr, as one line."""
    mark = typer.style("error:", fg="red", bold=True)
    typer.echo(f"{mark} {' '.join(message.split())}", err=True)


def _comes_from_elsewhere(error: ModuleNotFoundError) -> bool:
    """Whether a library is missing, or the messages that only an installation beside ROS has."""
    name = error.name or ""
    return not name.startswith("etam_ros.") or name in ("etam_ros.msg", "etam_ros.srv")


def _usage_text(error: BaseException) -> str:
    message = getattr(error, "format_message", error.__str__)().rstrip(".")
    context = getattr(error, "ctx", None)
    return f"{message}: see `{context.command_path} --help`" if context else message
