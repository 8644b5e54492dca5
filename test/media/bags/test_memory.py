"""Bags are read one message at a time: memory does not grow with their length."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rosbags")
from rosbags.rosbag2 import CompressionMode

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from bag_files import MCAP, SQLITE, raw, stamp_ns, write_bag

FRAMES, HW = 160, (480, 640)  # 147 MB
GROWTH_MIB = 24
READS = """
import resource, sys
from etam_ros.media.sources import open_source

def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

with open_source(sys.argv[1], recover=sys.argv[2] == "recover") as source:
    for number, frame in enumerate(source):
        if number == 20:
            before = peak_mib()
print(number + 1, peak_mib() - before)
"""


@pytest.mark.parametrize("recover", ["whole", "recover"])
@pytest.mark.parametrize(
    ("plugin", "mode"),
    [
        (MCAP, CompressionMode.STORAGE),
        (MCAP, CompressionMode.FILE),
        (SQLITE, CompressionMode.MESSAGE),
    ],
    ids=["mcap", "compressed file", "sqlite3"],
)
def test_memory_stays_constant(tmp_path, plugin, mode, recover):
    messages = (
        ("/image", raw(np.full((*HW, 3), number % 256, np.uint8), stamp_ns(number)))
        for number in range(FRAMES)
    )
    path = write_bag(tmp_path / "bag", messages, plugin, compression=mode)
    command = [sys.executable, "-c", READS, str(path), recover]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    frames, growth_mib = done.stdout.split()
    assert int(frames) == FRAMES
    assert float(growth_mib) < GROWTH_MIB
