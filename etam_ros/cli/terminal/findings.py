"""What is on this machine, found out piece by piece, for `etam doctor`.

Nothing here raises: a piece that is missing, or breaks while it is imported, is a finding too.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from etam_ros.console.config import LIBRARIES
from etam_ros.idle_threads import threads_in_words

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


def _version(module: Any) -> str:
    return str(getattr(module, "__version__", "installed"))


@dataclass(frozen=True)
class Piece:
    """Something to look for.

    Attributes:
        group, name, without, remedy: as in Finding.
        module: imported to see whether it works; None leaves everything to `describe`.
        describe: gives the detail, from the imported module; its version, if nothing else.
    """

    group: str
    name: str
    without: str
    remedy: str
    module: str | None
    describe: Callable[[Any], str] = _version

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


def _python(_: Any) -> str:
    return f"{platform.python_version()}, {platform.machine()}, {sys.prefix}"


def _torch(torch: Any) -> str:
    if not torch.cuda.is_available():
        has_gpu = any(map(os.path.exists, ("/dev/nvidia0", "/etc/nv_tegra_release")))
        why = (
            "this build has no CUDA for the GPU of this machine, " + GUIDE if has_gpu else "no GPU"
        )
        return f"{torch.__version__}, CPU with {threads_in_words()} ({why})"
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return f"{torch.__version__}, CUDA {torch.version.cuda} on {', '.join(names)}"


def _av(av: Any) -> str:
    av.codec.Codec("libx264", "w")
    return f"{av.__version__}, writes H.264"


def _web(_: Any) -> str:
    """Without importing them: half of a second for what few use."""
    lacking = [name for name in LIBRARIES if find_spec(name) is None]
    if lacking:
        raise LookupError(f"{', '.join(lacking)} not installed")
    return ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES)


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
    from etam_ros.ros.transport import TRANSPORTS, VARIABLES, apply_profile, in_words

    for variable in VARIABLES:
        chosen = os.environ.get(variable)
        if chosen and not Path(chosen).is_file():
            raise LookupError(f"{variable} names {chosen}, which is not a file")
        if chosen:
            return f"yours: {in_words()}"
    if os.environ.get(TRANSPORTS):
        return f"yours: {in_words()}"
    environment = dict(os.environ)
    apply_profile(environment)
    return f"in what `etam` and our launch files start: {in_words(environment)}"


def _weights(_: Any) -> str:
    from etam_ros.runtime.backends.torch.weights import list_weights

    here = [entry.name for entry in list_weights() if entry.local_path is not None]
    if not here:
        raise LookupError("none downloaded")
    return ", ".join(here)


def _ros_remedy(package: str) -> str:
    distro = os.environ.get("ROS_DISTRO")
    command = f"sudo apt install ros-{distro or 'DISTRO'}-{package.replace('_', '-')}"
    return command if distro else f"{command}, where ROS 2 is installed; not on PyPI, {GUIDE}"


_PYTHON: Final = "Python and its packages"
_ROS: Final = "ROS 2"
_FILES: Final = "Files"
_BACKENDS: Final = "Backends"

NEEDED_TO_TRACK: Final = frozenset({"Python", "NumPy", "PyTorch", "OpenCV"})
NEEDED_BY_NODE: Final = NEEDED_TO_TRACK | {"rclpy", "etam_ros messages"}


def pieces() -> list[Piece]:
    """Everything that this release uses, but for the backends."""
    rclpy_remedy = f"source /opt/ros/DISTRO/setup.bash, or the wheels: {GUIDE}"
    rebuild = f"with ROS there, build again: pip install . or colcon build, {GUIDE}"
    own_converter = "nothing: images are converted without it"
    no_boxes = "boxes from a detector, and results as boxes (Detection2DArray)"
    no_launch = "ros2 launch etam_ros tracker.launch.py; etam node still works"
    by_name = "tracking by a model's name alone"
    get_weights = "etam weights get efficienttam_ti_512x512"
    get_web = _extra("web", *LIBRARIES, "rosbags")
    readers = {
        "huggingface_hub": "etam weights",
        "safetensors": ".safetensors weights",
        "typer": "every command but etam doctor",
        "rich": "tables and progress of the commands",
    }
    return [
        Piece(_PYTHON, "Python", "", "", None, _python),
        Piece(_PYTHON, "NumPy", "everything", "pip install numpy", "numpy"),
        Piece(_PYTHON, "PyTorch", "everything", f"pip install torch, {GUIDE}", "torch", _torch),
        Piece(_PYTHON, "OpenCV", "everything", "pip install opencv-python", "cv2"),
        Piece(_PYTHON, "PyAV", "video files in and out", "pip install av", "av", _av),
        *(
            Piece(_PYTHON, name, needs, f"pip install {name}", name)
            for name, needs in readers.items()
        ),
        Piece(_PYTHON, "web page", "etam web, etam node --web", get_web, None, _web),
        Piece(_ROS, "rclpy", "etam node, play, demo", rclpy_remedy, None, _rclpy),
        Piece(_ROS, "etam_ros messages", "etam node, demo", rebuild, "etam_ros.msg", _messages),
        Piece(_ROS, "DDS profile", "large images", f"unset it, {GUIDE}", None, _profile),
        Piece(_ROS, "cv_bridge", own_converter, _ros_remedy("cv_bridge"), None, _cv_bridge),
        Piece(_ROS, "vision_msgs", no_boxes, _ros_remedy("vision_msgs"), "vision_msgs.msg"),
        Piece(_ROS, "launch_ros", no_launch, _ros_remedy("launch_ros"), "launch_ros.actions"),
        Piece(_FILES, "weights", by_name, get_weights, None, _weights),
    ]


def backends() -> list[Piece]:
    """The backends beside torch, and what `auto` makes of them."""
    on_cpu, on_gpu = "faster engines on a CPU", "faster engines on an NVIDIA GPU"
    jetpack = "comes with JetPack 6.1 and later, elsewhere: pip install tensorrt"
    rows = (
        ("onnx", "onnxruntime", on_cpu, _extra("onnx", "onnxruntime", "onnx", "onnxscript")),
        ("openvino", "openvino", on_cpu, _extra("openvino")),
        ("tensorrt", "tensorrt", on_gpu, jetpack),
        ("tensorrt_rtx", "tensorrt_rtx", on_gpu, _extra("tensorrt-rtx")),
    )
    found = [
        Piece(_BACKENDS, name, without, remedy, None, partial(_library, name, module))
        for name, module, without, remedy in rows
    ]
    return [*found, Piece(_BACKENDS, "auto", "", "", None, _auto)]


def _extra(name: str, *otherwise: str) -> str:
    """The command that installs what an extra of ours names, from a checkout and anywhere else.

    Args:
        name: of the extra.
        otherwise: what to install where our own metadata does not say.
    """
    mark = f'extra == "{name}"'
    with suppress(metadata.PackageNotFoundError):
        needs = (need.split(";") for need in metadata.requires("etam_ros") or ())
        wanted = [f"'{need[0].strip()}'" for need in needs if mark in need[-1]]
        if wanted:
            return f"pip install {' '.join(wanted)}"
    return f"pip install {' '.join(otherwise) or f'{name} onnx onnxscript'}"


def find_all() -> list[Finding]:
    """Look for everything; takes seconds, most of them to import PyTorch."""
    found = [piece.find() for piece in pieces()]
    torch = next(item for item in found if item.name == "PyTorch")
    found.append(replace(torch, group=_BACKENDS, name="torch", remedy=""))
    looked_for = backends() if torch.status == "ok" else backends()[:-1]
    return found + [piece.find() for piece in looked_for]


def _library(name: str, module: str, _: Any) -> str:
    """Loaded by its backend: a library that is installed can be broken."""
    if find_spec(module) is None:
        raise LookupError("not installed")
    import torch

    from etam_ros.runtime.engines import ENGINES

    backend = next(each for each in ENGINES if each.name == name)
    backend.import_library()
    if backend.devices == ("cpu",):
        where = " and ".join(backend.precisions("cpu"))
    elif torch.cuda.is_available():
        where = "on sm{}{}".format(*torch.cuda.get_device_capability())
    else:
        others = " (builds for others: etam build --target)" if backend.aims else ""
        where = f"no GPU here to run on{others}"
    return f"{module} {backend.version()}, {where}"


def _auto(_: Any) -> str:
    from etam_ros.config import DEFAULT_MODEL
    from etam_ros.runtime.engines import explain_auto

    return f"{DEFAULT_MODEL}: {explain_auto(DEFAULT_MODEL)}"
