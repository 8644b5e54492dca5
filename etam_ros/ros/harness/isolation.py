"""A corner of the network of one's own, for processes that tests, demos and benchmarks start.

Two runs on one machine must not hear each other, and nothing may leave the machine: each run
holds a ROS domain id under a file lock and stays on localhost.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from etam_ros.errors import EtamError
from etam_ros.ros.transport import apply_profile

FIRST_DOMAIN: Final = 1
LAST_DOMAIN: Final = 101
"""Above it, ports of Fast DDS reach into the range that Linux hands out to clients."""


@contextmanager
def isolated_domain() -> Iterator[dict[str, str]]:
    """Hold a ROS domain nobody else here uses, and give the environment of its processes.

    Yields:
        A copy of `os.environ` with ROS_DOMAIN_ID (1..101), discovery on localhost alone,
        ROS_LOG_DIR in a temporary folder that goes away on exit, and the large-image transport
        profile (unless the user has set one).

    Raises:
        EtamError: all domains are taken.
    """
    domain, lock = _take_domain()
    try:
        with tempfile.TemporaryDirectory(prefix="etam_ros_log_") as log_dir:
            environment = dict(os.environ)
            environment["ROS_DOMAIN_ID"] = str(domain)
            environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
            if environment.get("ROS_DISTRO") == "humble":  # later ones warn of the old name
                environment["ROS_LOCALHOST_ONLY"] = "1"
            environment["ROS_LOG_DIR"] = log_dir
            environment.pop("ROS_STATIC_PEERS", None)
            apply_profile(environment)
            yield environment
    finally:
        os.close(lock)  # gives the lock back


def _take_domain() -> tuple[int, int]:
    """A free domain id and the open, locked file that holds it."""
    count = LAST_DOMAIN - FIRST_DOMAIN + 1
    for step in range(count):
        domain = FIRST_DOMAIN + (os.getpid() + step) % count
        path = Path(tempfile.gettempdir()) / f"etam_ros_domain_{domain}.lock"
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except PermissionError:  # another user's
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        return domain, lock
    raise EtamError(
        f"all ROS domains {FIRST_DOMAIN}..{LAST_DOMAIN} are locked in {tempfile.gettempdir()}, "
        "expected one to be free: end some of the processes that use them"
    )
