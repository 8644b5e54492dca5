"""How threads of PyTorch wait for each other: asleep, so that a busy machine is not stalled."""

from __future__ import annotations

import os
from typing import Final

WAITING: Final = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
"""Who sets one of them has chosen."""


def let_idle_threads_sleep() -> None:
    """Have threads that wait for others give up their core; before torch is imported.

    OpenMP reads it once. By default its threads spin, and where another process is busy, as on any
    robot, all of them wait for the one that has no core meanwhile: frames then take several times
    as long. Alone on a machine there is little between the two.
    """
    if not any(os.environ.get(name) for name in WAITING):
        os.environ["OMP_WAIT_POLICY"] = "passive"


def threads_in_words() -> str:
    """How many threads compute, and how they wait for each other; once torch is loaded."""
    import torch

    chosen = next((f"{name}={os.environ[name]}" for name in WAITING if os.environ.get(name)), "")
    return f"{torch.get_num_threads()} threads{f', {chosen}' if chosen else ''}"
