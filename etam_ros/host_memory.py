"""Memory of a process that runs for weeks and is to stay as large as it is.

glibc gives each thread a heap of its own, up to eight for each core, and keeps what was freed in
it. Threads of a node come and go with its states, images and models change their sizes: one heap
after the other would grow to the largest that any thread ever needed.
"""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Mapping
from typing import Any, Final

ARENAS: Final = 2
"""One for the main thread, one for all others: they hold Python's lock most of the time."""
_ARENA_MAX: Final = -8  # M_ARENA_MAX of malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
LARGEST_KEPT: Final = 32 * 1024 * 1024
"""Bytes of a block; glibc takes no more."""
MOST_KEPT: Final = 64 * 1024 * 1024
"""Bytes that stay with the process once they are free."""


def limit_heaps(environment: Mapping[str, str] = os.environ) -> bool:
    """Have few heaps from now on, unless the user has said how many; whether that was done."""
    own = "MALLOC_ARENA_MAX" in environment or "arena_max" in environment.get("GLIBC_TUNABLES", "")
    mallopt = None if own else _function("mallopt")
    return mallopt is not None and bool(mallopt(_ARENA_MAX, ARENAS))


def keep_large_blocks(environment: Mapping[str, str] = os.environ) -> bool:
    """Use the memory of one picture for the next, unless the user has set this up; whether done.

    For a process through which pictures stream and little else: glibc returns a few megabytes to
    the system as soon as they are free, and the kernel clears them page by page for the next
    picture. That took 3 of the 5 ms in which a picture of 720p is received.
    """
    tunables = environment.get("GLIBC_TUNABLES", "")
    named = any(f"MALLOC_{each}_" in environment for each in ("TRIM_THRESHOLD", "MMAP_THRESHOLD"))
    own = named or "trim_threshold" in tunables or "mmap_threshold" in tunables
    mallopt = None if own else _function("mallopt")
    return mallopt is not None and bool(
        mallopt(_MMAP_THRESHOLD, LARGEST_KEPT) and mallopt(_TRIM_THRESHOLD, MOST_KEPT)
    )


def settle() -> None:
    """Leave all that exists now out of Python's search for garbage; called once all is loaded.

    Python looks through everything only once a quarter as many objects have come as there were:
    50,000 with PyTorch and rclpy, megabytes of garbage, and a tenth of a second without a frame.
    Beside what is left out there are few, so that it looks often and is done at once.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # counts what is left: the quarter is one of that from now on


def give_back() -> None:
    """Return to the system what is garbage, and what was freed and is kept for later."""
    gc.unfreeze()
    gc.collect()
    trim = _function("malloc_trim")
    if trim is not None:
        trim(0)


def _function(name: str) -> Any:
    """Of the C library; None where it has no such function, as others than glibc."""
    return getattr(ctypes.CDLL(None), name, None)
