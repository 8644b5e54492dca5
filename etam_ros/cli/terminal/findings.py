"""What is on this machine, found out piece by piece, for `etam doctor`.

Nothing here raises: a piece that is missing, or breaks while it is imported, is a finding too.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

GUIDE: Final = "see docs/install.md"


@dataclass(frozen=True)
class Finding:
    """One piece and its state.

    Attributes:
        group: heading it stands under.
        name: of the piece.
        status: "ok", "missing" or "broken".
        detail: version and the like, or what went wrong.
        without: what its absence switches off.
        remedy: the command that mends it.
    """

    group: str
    name: str
    status: str
    detail: str
    without: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Piece:
    """Something to look for.

    Attributes:
        group, name, without, remedy: as in Finding.
        module: imported to see whether it works; None leaves everything to `describe`.
        describe: gives the detail, from the imported module.
    """

    group: str
    name: str
    without: str
    remedy: str
    module: str | None
    describe: Callable[[Any], str]

    def find(self) -> Finding:
        """Look for it."""
        try:
            module = import_module(self.module) if self.module else None
            return Finding(self.group, self.name, "ok", self.describe(module))
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except ModuleNotFoundError as error:
            itself = f"{self.module}.".startswith(f"{error.name}.")
            detail = "not installed" if itself else f"needs {error.name}"
            return self._amiss("missing", detail)
        except LookupError as error:
            return self._amiss("missing", str(error.args[0] if error.args else error))
        except BaseException as error:
            return self._amiss("broken", f"{type(error).__name__}: {_first_line(error)}")

    def _amiss(self, status: str, detail: str) -> Finding:
        return Finding(self.group, self.name, status, detail, self.without, self.remedy)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0][:200]


def _version(module: Any) -> str:
    return str(getattr(module, "__version__", "installed"))


def _python(_: Any) -> str:
    return f"{platform.python_version()}, {platform.machine()}, {sys.prefix}"


def _torch(torch: Any) -> str:
    if not torch.cuda.is_available():
        has_gpu = any(map(os.path.exists, ("/dev/nvidia0", "/etc/nv_tegra_release")))
        why = "this build has no CUDA for the GPU here, " + GUIDE if has_gpu else "no GPU"
        return f"{torch.__version__}, CPU with {torch.get_num_threads()} threads ({why})"
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return f"{torch.__version__}, CUDA {torch.version.cuda} on {', '.join(names)}"


def _av(av: Any) -> str:
    av.codec.Codec("libx264", "w")
    return f"{av.__version__}, writes H.264"


def _own_process(code: str) -> str:
    """Run Python where it may die: what it prints, or ImportError with its last words."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ImportError(said[-1])
    return done.stdout.strip()


def _rclpy(_: Any) -> str:
    """In a process of its own: with a wrong RMW_IMPLEMENTATION it ends the interpreter."""
    if find_spec("rclpy") is None:
        raise LookupError("not installed")
    code = "import rclpy.utilities as u; print(u.get_rmw_implementation_identifier())"
    rmw = _own_process(code)
    wheels = (str(item.metadata["Name"] or "") for item in metadata.distributions())
    parts = (name.lower().replace("_", "-").split("-") for name in wheels)
    from_wheel = next((p[1] for p in parts if p[0] == "ros" and p[2:] == ["rclpy"]), "")
    distro = os.environ.get("ROS_DISTRO") or (f"{from_wheel}, wheels" if from_wheel else "unknown")
    return f"{distro}, {rmw}"


def _messages(messages: Any) -> str:
    kind = messages.TrackedObjectArray.__class__
    kind.__import_type_support__()
    if kind._TYPE_SUPPORT is None:
        raise ImportError("their type support does not load")
    return "built and loadable"


def _cv_bridge(_: Any) -> str:
    """In a process of its own: built against another NumPy it can crash the interpreter."""
    if find_spec("cv_bridge") is None:
        raise LookupError("not installed")
    _own_process("import cv_bridge; cv_bridge.CvBridge()")
    return "works"


def _profile(_: Any) -> str:
    from etam_ros.paths import share_file
    from etam_ros.ros.transport import PROFILE, VARIABLES

    for variable in VARIABLES:
        chosen = os.environ.get(variable)
        if chosen and not Path(chosen).is_file():
            raise LookupError(f"{variable} names {chosen}, which is not a file")
        if chosen:
            return f"yours, {chosen}"
    return f"ours, in what `etam` and our launch files start: {share_file(PROFILE)}"


def _weights(_: Any) -> str:
    from etam_ros.runtime.backends.torch.weights import list_weights

    here = [entry.name for entry in list_weights() if entry.local_path is not None]
    if not here:
        raise LookupError("none downloaded")
    return ", ".join(here)


def _ros_remedy(package: str) -> str:
    distro = os.environ.get("ROS_DISTRO")
    if distro:
        return f"sudo apt install ros-{distro}-{package.replace('_', '-')}"
    return f"comes with a ROS 2 installation, {GUIDE}"


_PYTHON: Final = "Python and its packages"
_ROS: Final = "ROS 2"
_FILES: Final = "Files"
_BACKENDS: Final = "Backends"
_GPU_LIBRARIES: Final = {
    "tensorrt": (
        ("tensorrt", "tensorrt-cu12", "tensorrt-cu13"),
        "comes with JetPack 6.1 and later, elsewhere: pip install tensorrt",
    ),
    "tensorrt_rtx": (("tensorrt-rtx",), "pip install 'etam_ros[tensorrt-rtx]'"),
}
"""Packages that bring a library, and how to get it."""

NEEDED_TO_TRACK: Final = frozenset({"Python", "NumPy", "PyTorch", "OpenCV"})
NEEDED_BY_NODE: Final = NEEDED_TO_TRACK | {"rclpy", "etam_ros messages"}


def pieces() -> list[Piece]:
    """Everything that this release uses."""
    rclpy_remedy = f"source /opt/ros/DISTRO/setup.bash, or the wheels: {GUIDE}"
    rebuild = f"with ROS there, build again: pip install . or colcon build, {GUIDE}"
    return [
        Piece(_PYTHON, "Python", "", "", None, _python),
        Piece(_PYTHON, "NumPy", "everything", "pip install numpy", "numpy", _version),
        Piece(_PYTHON, "PyTorch", "everything", f"pip install torch, {GUIDE}", "torch", _torch),
        Piece(_PYTHON, "OpenCV", "everything", "pip install opencv-python", "cv2", _version),
        Piece(_PYTHON, "PyAV", "video files in and out", "pip install av", "av", _av),
        Piece(
            _PYTHON,
            "huggingface_hub",
            "etam weights",
            "pip install huggingface_hub",
            "huggingface_hub",
            _version,
        ),
        Piece(
            _PYTHON,
            "safetensors",
            ".safetensors weights",
            "pip install safetensors",
            "safetensors",
            _version,
        ),
        Piece(_ROS, "rclpy", "etam node, play, demo", rclpy_remedy, None, _rclpy),
        Piece(_ROS, "etam_ros messages", "etam node, demo", rebuild, "etam_ros.msg", _messages),
        Piece(_ROS, "DDS profile", "large images", f"unset it, {GUIDE}", None, _profile),
        Piece(
            _ROS,
            "cv_bridge",
            "nothing: our own converter does it",
            _ros_remedy("cv_bridge"),
            None,
            _cv_bridge,
        ),
        Piece(
            _ROS,
            "vision_msgs",
            "nothing yet: boxes from a detector come in a later release",
            _ros_remedy("vision_msgs"),
            "vision_msgs.msg",
            lambda _: "installed",
        ),
        Piece(
            _ROS,
            "launch_ros",
            "ros2 launch etam_ros tracker.launch.py; etam node still works",
            _ros_remedy("launch_ros"),
            "launch_ros.actions",
            lambda _: "installed",
        ),
        Piece(
            _FILES,
            "weights",
            "tracking by a model's name alone",
            "etam weights get efficienttam_ti_512x512",
            None,
            _weights,
        ),
    ]


def find_all() -> list[Finding]:
    """Look for everything; takes seconds, most of them to import PyTorch."""
    found = [piece.find() for piece in pieces()]
    torch = next(item for item in found if item.name == "PyTorch")
    found.append(Finding(_BACKENDS, "torch", torch.status, torch.detail, torch.without))
    for name, package in (("onnx", "onnxruntime"), ("openvino", "openvino")):
        without, remedy = "faster engines on a CPU", f"pip install 'etam_ros[{name}]'"
        describe = partial(_engine_library, package)
        found.append(Piece(_BACKENDS, name, without, remedy, None, describe).find())
    for name, (wheels, remedy) in _GPU_LIBRARIES.items():
        describe = partial(_gpu_library, wheels)
        without = "faster engines on an NVIDIA GPU"
        found.append(Piece(_BACKENDS, name, without, remedy, None, describe).find())
    if torch.status == "ok":
        found.append(Piece(_BACKENDS, "auto", "", "", None, _auto).find())
    return found


def _engine_library(package: str, _: Any) -> str:
    """Told from its metadata: an engine's library is imported in its own backend file alone."""
    from etam_ros.runtime.backends.cpu_backend import has_bf16

    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        raise LookupError("not installed") from None
    if package != "openvino":
        return f"{package} {version}, fp32"
    return f"{package} {version}, " + ("fp32 and bf16" if has_bf16() else "fp32: no bf16 here")


def _auto(_: Any) -> str:
    from etam_ros.config import DEFAULT_MODEL
    from etam_ros.runtime.engines import explain_auto

    return f"{DEFAULT_MODEL}: {explain_auto(DEFAULT_MODEL)}"


def _gpu_library(packages: tuple[str, ...], _: Any) -> str:
    """Told from its metadata, too; which GPU there is."""
    import torch

    for package in packages:
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
        if torch.cuda.is_available():
            major, minor = torch.cuda.get_device_capability()
            return f"{package} {version}, on sm{major}{minor}"
        target = " (builds for others: etam build --target)" if "rtx" in package else ""
        return f"{package} {version}, no GPU here to run on{target}"
    raise LookupError("not installed")
