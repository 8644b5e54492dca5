"""From ROS arguments to a context: whatever is wrong with them or with the machine is one line."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from etam_ros.errors import ConfigError, EtamError

NO_SECURITY: Final = "doesn't have the security libraries"
"""Fast DDS says so where it was built without DDS security, as in the wheels."""
NO_PEER: Final = "Unable to resolve peer"
EXPECTED: Final = {
    "--params-file": "a YAML file of parameters that can be read",
    "--log-level": "debug, info, warn, error or fatal, or LOGGER:=LEVEL",
    "-p": "NAME:=VALUE, the value in YAML",
    "--param": "NAME:=VALUE, the value in YAML",
    "__node": "a name of letters, digits and underscores that begins with no digit",
    "__ns": "/ or names behind a / each, such as /front",
    "": "FROM:=TO, both of them names of letters, digits, underscores and single slashes",
}
"""What each argument of ROS is to be; remapping is what is left."""
HIGHEST_DOMAIN: Final = 232
"""Of DDS; the ports of higher ones do not exist, and Fast DDS ends the process."""
_IN_SOURCES: Final = re.compile(r",? at /?\S+\.(c|cpp|cc|h|hpp):\d+")
_REFUSED: Final = re.compile(r"Couldn't parse [^']*'(?P<argument>.*)'\. Error: (?P<reason>.*)")
_LEXER: Final = re.compile(r"(Expected lexeme|error not set)")


def require_rclpy() -> Any:
    """The module rclpy; EtamError that says how to get it where it is missing."""
    try:
        import rclpy
    except ImportError as error:
        raise EtamError(
            f"rclpy cannot be imported ({error}): source a ROS 2 workspace, or install "
            "ros-jazzy-rclpy and ros-jazzy-rmw-fastrtps-cpp from PyPI"
        ) from error
    return rclpy


def init(rclpy: Any, ros_arguments: Sequence[str]) -> None:
    """Start ROS, its own signal handlers left out.

    Args:
        rclpy: the module.
        ros_arguments: from `--ros-args` on.

    Raises:
        ConfigError: an argument is refused, or the log cannot be written.
    """
    from rclpy.signals import SignalHandlerOptions
    from rclpy.utilities import remove_ros_args

    check_log_folder(os.environ)
    check_domain(os.environ)
    try:
        strangers = remove_ros_args(list(ros_arguments))
        if not strangers:
            options = SignalHandlerOptions.NO
            rclpy.init(args=list(ros_arguments), signal_handler_options=options)
    except Exception as error:
        raise ConfigError(refusal(str(error))) from error
    if strangers:
        raise ConfigError(
            f"arguments are {' '.join(strangers)!r}, expected only ROS arguments: put "
            "parameters and topics after --ros-args, as -p NAME:=VALUE and -r NAME:=TOPIC"
        )


def refusal(said: str) -> str:
    """What rcl has against its arguments, in our words: which one, why, and what is expected."""
    said = " ".join(_IN_SOURCES.sub("", said).split())
    found = _REFUSED.search(said)
    if found is None and said.startswith("["):  # the list of those that are unknown
        return f"ROS arguments are refused: {said}, expected -p, -r, --params-file or --log-level"
    if found is None:
        return f"ROS cannot start: {said}"
    argument, reason = found["argument"], found["reason"]
    flag, _, value = argument.partition(" ")
    expected = EXPECTED.get(flag) or EXPECTED.get(value.partition(":=")[0], EXPECTED[""])
    because = "" if _LEXER.match(reason) else f" ({reason})"
    return f"ROS argument {argument!r:.300} is refused{because:.300}, expected {expected}"


def node_refusal(error: Exception) -> ConfigError | None:
    """What rclpy has against a node that is to be made, in one line; None for any other error."""
    if not type(error).__module__.startswith("rclpy"):
        return None
    said = " ".join(_IN_SOURCES.sub("", str(error)).split())
    hint = "look at -p, -r and --params-file"
    if NO_SECURITY in said:
        hint = "ROS_SECURITY_ENABLE asks for it: take the middleware of a ROS installation"
    if NO_PEER in said:
        hint = "ROS_STATIC_PEERS names it: correct it, or give an address instead of a name"
    return ConfigError(f"the node cannot be made: {said:.500}; {hint}")


def check_domain(environment: Mapping[str, str]) -> None:
    """Raise ConfigError for a ROS domain that cannot be, before the middleware meets it.

    Args:
        environment: of this process.
    """
    told = environment.get("ROS_DOMAIN_ID", "")
    if told and not (re.fullmatch(r"[0-9]{1,4}", told) and int(told) <= HIGHEST_DOMAIN):
        raise ConfigError(
            f"ROS_DOMAIN_ID is {told!r:.80}, expected a number from 0 to {HIGHEST_DOMAIN}: set it "
            "to that of the other nodes, or unset it"
        )


def check_log_folder(environment: Mapping[str, str]) -> None:
    """Raise ConfigError where ROS could not write its log, before it says so in its own words.

    Args:
        environment: of this process.
    """
    told = environment.get("ROS_LOG_DIR")
    home = environment.get("ROS_HOME") or f"{environment.get('HOME', '')}/.ros"
    folder = Path(told or f"{home}/log").expanduser()
    if not (told or environment.get("ROS_HOME") or environment.get("HOME")):
        raise ConfigError(
            "HOME is not set, so ROS has no folder for its log, expected a writable folder: set "
            "ROS_LOG_DIR to one, such as /tmp/ros_log"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError("Permission denied")
    except OSError as error:
        raise ConfigError(
            f"the log of ROS cannot be written to {folder} ({error.strerror or error}), "
            "expected a writable folder: set ROS_LOG_DIR to one, such as /tmp/ros_log"
        ) from error
