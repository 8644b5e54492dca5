"""The heaps of the C library are few, unless the user has said how many."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest

MANY_THREADS = """
import ctypes, re, threading
from etam_ros.host_memory import give_back, limit_heaps
print(limit_heaps())
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
barrier = threading.Barrier(12)
def use():
    barrier.wait()
    libc.malloc(100_000)
    barrier.wait()
threads = [threading.Thread(target=use) for _ in range(12)]
[each.start() for each in threads]
[each.join() for each in threads]
give_back()
maps = [line.split() for line in open("/proc/self/maps")]
begins = [int(words[0].split("-")[0], 16) for words in maps if len(words) == 5]
print(sum(begin % 2**26 == 0 for begin in begins))
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="no glibc")
@pytest.mark.parametrize(
    ("own", "limited"),
    [({}, True), ({"MALLOC_ARENA_MAX": "6"}, False),
     ({"GLIBC_TUNABLES": "glibc.malloc.arena_max=6"}, False)],
)  # fmt: skip
def test_threads_share_few_heaps(own, limited):
    left = {"MALLOC_ARENA_MAX", "GLIBC_TUNABLES"}
    environment = {name: value for name, value in os.environ.items() if name not in left}
    command = [sys.executable, "-c", MANY_THREADS]
    done = subprocess.run(
        command, env={**environment, **own}, capture_output=True, text=True, check=True
    )
    said, heaps = done.stdout.split()
    assert said == str(limited)
    assert (int(heaps) <= 1) == limited, done.stdout


GARBAGE = """
import gc
from etam_ros.host_memory import give_back, settle
class Knot:
    alive = 0
    def __init__(self):
        Knot.alive += 1
        self.knot = self
    def __del__(self):
        Knot.alive -= 1
loaded = [[number] for number in range(400_000)]
early = Knot()
settle()
most = 0
for _ in range(100_000):
    Knot()
    most = max(most, Knot.alive)
early = None
print(most, Knot.alive > 0, gc.get_freeze_count() > 400_000)
give_back()
print(Knot.alive, gc.get_freeze_count())
"""


def test_garbage_does_not_pile_up_beside_all_that_is_loaded():
    command = [sys.executable, "-c", GARBAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    most, some, frozen, left, unfrozen = done.stdout.split()
    assert int(most) < 30_000, "a quarter of all that is loaded would be 100,000"
    assert (some, frozen, left, unfrozen) == ("True", "True", "0", "0")


PICTURES = """
import resource
from etam_ros.host_memory import keep_large_blocks, limit_heaps
limit_heaps()
print(keep_large_blocks())
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
kept = [b""] * 3
for turn in range(100):
    if turn == 50:
        before = faults()
    received = bytearray(2_764_800)
    kept = [bytes(received), *kept[:2]]
print(faults() - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="no glibc")
@pytest.mark.parametrize("own", [{}, {"MALLOC_TRIM_THRESHOLD_": "131072"}])
def test_pictures_use_the_memory_of_those_before(own):
    left = ("MALLOC_", "GLIBC_TUNABLES")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(left)}
    command = [sys.executable, "-c", PICTURES]
    done = subprocess.run(
        command, env={**environment, **own}, capture_output=True, text=True, check=True
    )
    said, faults = done.stdout.split()
    assert said == str(not own)
    assert (int(faults) < 500) == (not own), done.stdout  # a picture is 675 pages
