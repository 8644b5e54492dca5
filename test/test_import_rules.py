"""Imports point one way: every module of the package is read and held to it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "etam_ros"
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))

# Which parts of etam_ros a part may import; "" are the modules beside __init__.py.
ALLOWED = {
    "": {""},
    "model": {"", "model"},
    "runtime": {"", "runtime"},
    "tracking": {"", "tracking", "runtime"},
    "evaluation": {"", "evaluation", "tracking", "runtime"},
    "training": {"", "training", "evaluation", "tracking", "runtime", "model"},
    "ros": {"", "ros", "evaluation", "tracking", "runtime", "msg", "srv"},
    "cli": {"", "cli", "evaluation", "training", "ros", "tracking", "runtime"},
}
MAY_IMPORT_MODEL = ("runtime/torch_", "runtime/export")
ROS_ONLY = {
    "action_msgs", "ament_index_python", "builtin_interfaces", "cv_bridge", "diagnostic_msgs",
    "geometry_msgs", "launch", "launch_ros", "lifecycle_msgs", "rcl_interfaces", "rclpy",
    "rosidl_runtime_py", "sensor_msgs", "std_msgs", "std_srvs", "tf2_ros", "vision_msgs",
    "visualization_msgs",
}  # fmt: skip
ENGINES = {
    "onnxruntime": "runtime/onnx",
    "openvino": "runtime/openvino",
    "tensorrt": "runtime/tensorrt",
    "tensorrt_rtx": "runtime/tensorrt_rtx",
}
# What a verb's file may import before it is called, so that `etam --help` is fast.
CLI_AT_ONCE = {"typer", "rich", "etam_ros", *sys.stdlib_module_names}
CLI_AT_ONCE_OURS = {"etam_ros", "etam_ros.config", "etam_ros.errors", "etam_ros.paths"}


def imports(tree: ast.AST, at_once_only: bool = False) -> Iterator[str]:
    """Names of imported modules; `at_once_only` leaves out functions and type checking."""
    for node in ast.iter_child_nodes(tree):
        if at_once_only and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if at_once_only and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield f"(relative import in line {node.lineno})"
            elif node.module == "etam_ros":
                yield from (f"etam_ros.{alias.name}" for alias in node.names)
            else:
                yield str(node.module)
        yield from imports(node, at_once_only)


def part_of(name: str) -> str:
    """The folder of etam_ros in which a module of ours lies."""
    first = name.removeprefix("etam_ros").lstrip(".").split(".", maxsplit=1)[0]
    return first if first in ALLOWED or first in ("msg", "srv") else ""


def violations(module: str, source: str) -> list[str]:
    """What a module, given as its path below etam_ros, imports against the rules."""
    tree = ast.parse(source)
    part = module.split("/", maxsplit=1)[0] if "/" in module else ""
    found = []
    for name in imports(tree):
        root = name.split(".")[0]
        if name.startswith("("):
            found.append(name)
        elif root == "etam_ros":
            allowed = set(ALLOWED[part])
            if module.startswith(MAY_IMPORT_MODEL):
                allowed.add("model")
            if part_of(name) not in allowed:
                found.append(name)
        elif (root in ROS_ONLY and part != "ros") or (
            root in ENGINES and not module.startswith(ENGINES[root])
        ):
            found.append(name)
    if part == "cli":
        found += [name for name in imports(tree, at_once_only=True) if not cheap(name)]
    return found


def cheap(name: str) -> bool:
    root = name.split(".", maxsplit=1)[0]
    if root.startswith("("):
        return True  # found already
    if root == "etam_ros":
        home = ".".join(name.split(".")[:2])
        return part_of(name) == "cli" or home in CLI_AT_ONCE_OURS or home == "etam_ros.__version__"
    return root in CLI_AT_ONCE


def test_there_are_modules_to_hold_to_the_rules():
    assert {path.parts[0] for path in MODULES if len(path.parts) > 1} == set(ALLOWED) - {""}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_imports_only_what_it_may(module):
    if module.as_posix() == "__init__.py":
        pytest.skip("names the public things of every part, and imports them on first use")
    assert violations(module.as_posix(), (PACKAGE / module).read_text()) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("config.py", "from etam_ros.tracking import Tracker"),
        ("model/layers.py", "import etam_ros.runtime.stages"),
        ("runtime/opening.py", "from etam_ros.model import EfficientTAM"),
        ("tracking/bank.py", "def f():\n    from etam_ros.model import layers"),
        ("tracking/bank.py", "import rclpy.node"),
        ("tracking/bank.py", "from etam_ros.msg import Prompt"),
        ("evaluation/overlay.py", "from sensor_msgs.msg import Image"),
        ("ros/node.py", "from etam_ros.model import layers"),
        ("runtime/torch_stages.py", "import tensorrt"),
        ("runtime/openvino_stages.py", "import onnxruntime"),
        ("cli/track.py", "import torch"),
        ("cli/track.py", "from etam_ros.records import Frame"),
        ("cli/track.py", "def track():\n    import rclpy"),
        ("cli/track.py", "from . import main"),
    ],
)
def test_a_wrong_import_is_found(module, source):
    assert len(violations(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("runtime/torch_stages.py", "from etam_ros.model import EfficientTAM"),
        ("runtime/onnx_stages.py", "import onnxruntime"),
        ("ros/node.py", "import rclpy\nfrom etam_ros.tracking import Tracker"),
        ("ros/messages.py", "from etam_ros.msg import Prompt"),
        ("cli/track.py", "import typer\nfrom etam_ros import __version__"),
        ("cli/track.py", "def track():\n    from etam_ros.tracking import Tracker"),
        ("cli/track.py", "if TYPE_CHECKING:\n    from etam_ros.records import Frame"),
    ],
)
def test_a_right_import_is_left_alone(module, source):
    assert violations(module, source) == []
