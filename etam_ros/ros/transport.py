"""The Fast DDS profile without which camera images get lost between processes.

The default shared-memory segment holds less than one 720p picture, so that best-effort images
vanish. The profile widens it, as far as /dev/shm has room: a container has 64 MB by default. It
must be in the environment before the first ROS context exists.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import MutableMapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from etam_ros.paths import share_file
from etam_ros.ros.shared_memory import FOLDER, MIB, free_bytes, other_users

PROFILE: Final = "config/fastdds_large_images.xml"
VARIABLES: Final = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
"""Fast DDS 2 (up to Jazzy) reads the first, Fast DDS 3 (from Kilted) the second.

The middleware of Kilted reads the first too, and warns of it in the log of every process.
"""
JAZZY_RCLPY: Final = 7
"""The major version of Jazzy's rclpy."""
TRANSPORTS: Final = "FASTDDS_BUILTIN_TRANSPORTS"
"""How users choose transports without a profile, which would be stronger."""
WHOLE_MIB: Final = 64
SHARE: Final = 4
"""A segment takes at most one part in so many of what is free: camera, node and viewers have one
each."""
LEAST_MIB: Final = 2
"""Below it Fast DDS's own default is as good, and needs no file."""
_SIZE: Final = re.compile(r"(?<=<segment_size>)\d+(?=</segment_size>)")


def apply_profile(environment: MutableMapping[str, str] = os.environ) -> Path | None:
    """Point Fast DDS at the profile for large images, unless the user chose something already.

    Args:
        environment: changed in place; by default this process's own.

    Returns:
        The profile; None when the user's own choice stays, the middleware is another one, or
        /dev/shm has no room for any.
    """
    chosen = any(environment.get(name) for name in (*VARIABLES, TRANSPORTS))
    if chosen or not is_fast_dds(environment):
        return None
    size_mib = segment_mib(free_bytes())
    if size_mib < LEAST_MIB:
        return None
    path = share_file(PROFILE)
    if size_mib < WHOLE_MIB:
        path = _smaller(path, size_mib)
    for name in variables_read():
        environment[name] = str(path)
    return path


def variables_read() -> tuple[str, ...]:
    """Of `VARIABLES`, those that the middleware here reads without a warning."""
    return VARIABLES if rclpy_major() <= JAZZY_RCLPY else VARIABLES[1:]


def rclpy_major() -> int:
    """The major version of rclpy, without importing it; 0 where nobody knows."""
    try:
        return int(version("rclpy").partition(".")[0])
    except (PackageNotFoundError, ValueError):
        return 0


def is_fast_dds(environment: MutableMapping[str, str] = os.environ) -> bool:
    """Whether a process with this environment speaks through Fast DDS, ROS's default."""
    return "fastrtps" in (environment.get("RMW_IMPLEMENTATION") or "rmw_fastrtps_cpp")


def segment_mib(free: int | None) -> int:
    """The mebibytes of the segment to ask for.

    Args:
        free: bytes in /dev/shm; None where nobody knows.
    """
    return WHOLE_MIB if free is None else min(WHOLE_MIB, free // MIB // SHARE)


def in_words(environment: MutableMapping[str, str] = os.environ) -> str:
    """How images reach a process with this environment: for diagnostics and `etam doctor`."""
    if not is_fast_dds(environment):
        return environment["RMW_IMPLEMENTATION"]
    free = free_bytes()
    room = "" if free is None else f", {free // MIB} MiB free in {FOLDER}"
    chosen = next((environment[name] for name in VARIABLES if environment.get(name)), "")
    if not chosen and environment.get(TRANSPORTS):
        return f"Fast DDS with {TRANSPORTS}={environment[TRANSPORTS]}{room}"
    if not chosen:
        return f"Fast DDS with its own defaults{room}"
    try:
        size = _SIZE.search(Path(chosen).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return f"Fast DDS, and its profile {chosen} cannot be read ({error})"
    segment = f", {int(size[0]) // MIB} MiB of shared memory a process" if size else ""
    return f"Fast DDS with {chosen}{segment}{room}"


def why_nothing_comes(environment: MutableMapping[str, str] = os.environ) -> str:
    """What to do where publishers are known and no image comes from them."""
    if not is_fast_dds(environment):
        return (
            f"look at {environment['RMW_IMPLEMENTATION']}: which network interfaces it uses, and "
            "whether the kernel's buffers hold an image (net.core.rmem_max)"
        )
    others = other_users()
    if others:
        names = ", ".join(others)
        return (
            f"user {names} runs ROS on this machine too, and processes of two users share no "
            f"memory: run camera and node as one user, or this node with {TRANSPORTS}=UDPv4"
            f"{_without_localhost(environment)}"
        )
    free = free_bytes()
    if free is not None and segment_mib(free) < WHOLE_MIB:
        return (
            f"{FOLDER} has {free // MIB} MiB free, expected {WHOLE_MIB * SHARE}: give the "
            "container more (--shm-size=512m or --ipc=host)"
        )
    return f"start them with the large-image transport profile, {variables_read()[0]}"


def _without_localhost(environment: MutableMapping[str, str]) -> str:
    """On one machine alone ROS gives Fast DDS shared memory back, whatever was chosen."""
    alone = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_LOCALHOST_ONLY": "1"}
    named = [f"{name}={value}" for name, value in alone.items() if environment.get(name) == value]
    return f" and without {' and '.join(named)}, which undoes that" if named else ""


def _smaller(profile: Path, size_mib: int) -> Path:
    """A copy of the profile with a smaller segment, in a temporary folder; the same for all."""
    text = _SIZE.sub(str(size_mib * MIB), profile.read_text(encoding="utf-8"))
    folder = Path(tempfile.gettempdir()) / f"etam_ros_{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"fastdds_{size_mib}_mib.xml"
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
    return path
