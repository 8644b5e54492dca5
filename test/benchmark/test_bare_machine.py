"""What is run on a lent GPU imports nothing that such a machine may not have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from etam_ros.synthetic.collage.procedural import procedural_material
from etam_ros.synthetic.material.archive import pack_material

ABSENT = (
    "PIL", "av", "filelock", "huggingface_hub", "matplotlib", "onnx", "platformdirs", "rclpy",
    "rich", "rosbags", "safetensors", "typer", "yaml",
)  # fmt: skip
SCRIPT = f"""
import sys
from pathlib import Path

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {ABSENT}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from etam_ros.benchmark.on_gpu import __main__, correctness, learning, speed
from etam_ros.training import by_the_clock
from etam_ros.training.data.clip_sources import open_clips

clip = open_clips([Path(sys.argv[1])]).clip(0, frames=2, size=32)
print(*clip.images.shape)
"""


def test_torch_numpy_and_opencv_are_enough(tmp_path: Path) -> None:
    packed = tmp_path / "material.npz"
    pack_material(procedural_material(), packed, max_bytes=2**25)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(packed)], capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 32 32 3\n"
