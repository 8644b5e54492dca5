"""The Fast DDS profile without which camera images get lost between processes.

The default shared-memory segment holds less than one 720p picture, so that best-effort images
vanish. The profile widens it. It must be in the environment before the first ROS context exists.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

from etam_ros.paths import share_file

PROFILE: Final = "config/fastdds_large_images.xml"
VARIABLES: Final = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
"""Fast DDS 2 (up to Jazzy) reads the first, Fast DDS 3 (from Kilted) the second."""


def apply_profile(environment: MutableMapping[str, str] = os.environ) -> Path | None:
    """Point Fast DDS at the profile for large images, unless the user set a profile already.

    Args:
        environment: changed in place; by default this process's own.

    Returns:
        The profile, or None when the user's own stays.
    """
    if any(environment.get(name) for name in VARIABLES):
        return None
    path = share_file(PROFILE)
    for name in VARIABLES:
        environment[name] = str(path)
    return path
