"""Imports point one way: every module of the package is read and held to it."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "etam_ros"
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))

# Which rooms of etam_ros a room may import beside itself, ground floor first: no room stands here
# before one that it imports. "" are the modules beside __init__.py and those of config/, which
# every room may import.
ALLOWED = {
    "": set(),
    "following": set(),
    "model": set(),
    "runtime": set(),
    "cues": {"runtime"},
    "tracking": {"cues", "runtime"},
    "segmenting": {"tracking", "runtime"},
    "drawing": set(),
    "media": {"drawing"},
    "console": {"drawing"},
    "offline": {"console", "media", "drawing", "segmenting", "tracking", "runtime"},
    "evaluation": {"media", "drawing", "segmenting", "tracking", "cues", "runtime"},
    "synthetic": {"media", "drawing"},
    "benchmark": {"synthetic", "evaluation", "drawing", "tracking", "runtime"},
    "training": {
        "synthetic", "evaluation", "media", "drawing", "tracking", "cues", "runtime", "model",
    },
    "ros": {
        "benchmark", "synthetic", "following", "console", "media", "drawing", "segmenting",
        "tracking", "runtime", "msg", "srv",
    },
    "demo": {"ros", "synthetic", "following", "media", "drawing", "tracking", "runtime"},
    "cli": {
        "demo", "ros", "training", "synthetic", "benchmark", "evaluation", "offline", "console",
        "media", "drawing", "segmenting", "tracking", "runtime",
    },
}  # fmt: skip
MAY_IMPORT_MODEL = ("runtime/backends/torch/", "runtime/export")
MAY_IMPORT_ROS = ("ros/", "demo/processes")
ROS_ONLY = {
    "action_msgs", "ament_index_python", "builtin_interfaces", "cv_bridge", "diagnostic_msgs",
    "geometry_msgs", "launch", "launch_ros", "lifecycle_msgs", "rcl_interfaces", "rclpy",
    "rosgraph_msgs", "rosidl_runtime_py", "sensor_msgs", "std_msgs", "std_srvs", "tf2_msgs",
    "tf2_ros", "vision_msgs", "visualization_msgs",
}  # fmt: skip
ENGINES = {
    "onnxruntime": "runtime/backends/onnxruntime/",
    "openvino": "runtime/backends/openvino/",
    "tensorrt": "runtime/backends/tensorrt/",
    "tensorrt_rtx": "runtime/backends/tensorrt/",
}
BAGS = {"rosbags", "mcap", "lz4", "zstandard"}
MAY_IMPORT_BAGS = ("media/bags/", "media/unpacking.py")
GENERATED = {"msg", "srv"}
MOST_FILES = 17  # __init__.py and 16 others
# What a verb's file may import before it is called, so that `etam --help` is fast.
CLI_AT_ONCE = {"typer", "rich", "etam_ros", *sys.stdlib_module_names}
CLI_AT_ONCE_OURS = {
    "etam_ros", "etam_ros.benchmark.config", "etam_ros.config", "etam_ros.errors",
    "etam_ros.console.config",
    "etam_ros.demo.config", "etam_ros.evaluation.config", "etam_ros.offline.config",
    "etam_ros.ending_signals", "etam_ros.idle_threads", "etam_ros.options",
    "etam_ros.paths", "etam_ros.training.config",
    "etam_ros.training.pretraining.config",
    *(f"etam_ros.config.{path.stem}" for path in (PACKAGE / "config").glob("[a-z]*.py")),
}  # fmt: skip


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
    return first if first in ALLOWED or first in GENERATED else ""


def violations(module: str, source: str) -> list[str]:
    """What a module, given as its path below etam_ros, imports against the rules."""
    tree = ast.parse(source)
    part = part_of(module.replace("/", "."))
    found = []
    for name in imports(tree):
        root = name.split(".")[0]
        if name.startswith("("):
            found.append(name)
        elif root == "etam_ros":
            allowed = {"", part, *ALLOWED[part]}
            if module.startswith(MAY_IMPORT_MODEL):
                allowed.add("model")
            if part_of(name) not in allowed:
                found.append(name)
        elif (
            (root in ROS_ONLY and not module.startswith(MAY_IMPORT_ROS))
            or (root in ENGINES and not module.startswith(ENGINES[root]))
            or (root in BAGS and not module.startswith(MAY_IMPORT_BAGS))
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
        allowed = {*CLI_AT_ONCE_OURS, "etam_ros.__version__"}
        return part_of(name) == "cli" or name in allowed
    return root in CLI_AT_ONCE


def test_there_are_modules_to_hold_to_the_rules():
    folders = {path.parts[0] for path in MODULES if len(path.parts) > 1}
    assert folders - {"config"} == set(ALLOWED) - {""}


@pytest.mark.parametrize("name", sorted(CLI_AT_ONCE_OURS))
def test_what_a_verb_imports_at_once_imports_no_more_itself(name):
    path = PACKAGE.joinpath(*name.split(".")[1:])
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    names = imports(ast.parse(file.read_text()), at_once_only=True)
    assert [each for each in names if not cheap(each)] == []


def test_no_room_stands_below_one_that_it_imports():
    floors = list(ALLOWED)
    for room, allowed in ALLOWED.items():
        assert all(floors.index(other) < floors.index(room) for other in allowed - GENERATED)


def module_name(path: Path) -> str:
    parts = ["etam_ros", *path.with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_no_modules_import_each_other_in_a_circle():
    names = {module_name(path): path for path in MODULES if path.name != "__init__.py"}
    graph = {
        name: set(imports(ast.parse((PACKAGE / path).read_text()))) & set(names)
        for name, path in names.items()
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_no_folder_holds_more_than_a_person_can_look_over():
    files = Counter(path.parent for path in MODULES)
    assert {str(folder): count for folder, count in files.items() if count > MOST_FILES} == {}


def test_no_two_classes_have_one_name():
    places: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.parse((PACKAGE / path).read_text()).body:
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(path.as_posix())
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


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
        ("runtime/engines.py", "from etam_ros.model import EfficientTAM"),
        ("tracking/bank.py", "def f():\n    from etam_ros.model import layers"),
        ("tracking/bank.py", "import rclpy.node"),
        ("tracking/bank.py", "from etam_ros.msg import Prompt"),
        ("drawing/overlay.py", "from sensor_msgs.msg import Image"),
        ("ros/tracker/node.py", "from etam_ros.model import layers"),
        ("runtime/backends/torch/stages.py", "import tensorrt"),
        ("runtime/backends/openvino/stages.py", "import onnxruntime"),
        ("training/data/labelled_bags.py", "from rosbags.rosbag2 import Reader"),
        ("cues/grabcut.py", "from etam_ros.tracking import Tracker"),
        ("synthetic/samples.py", "from etam_ros.training.config import TrainingConfig"),
        ("demo/report.py", "import rclpy"),
        ("cli/track.py", "import torch"),
        ("cli/track.py", "from etam_ros.records import Frame"),
        ("cli/train.py", "from etam_ros.training.loop import train"),
        ("cli/track.py", "def track():\n    import rclpy"),
        ("cli/track.py", "from . import main"),
    ],
)
def test_a_wrong_import_is_found(module, source):
    assert len(violations(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("runtime/backends/torch/stages.py", "from etam_ros.model import EfficientTAM"),
        ("runtime/backends/onnxruntime/stages.py", "import onnxruntime"),
        ("ros/tracker/node.py", "import rclpy\nfrom etam_ros.tracking import Tracker"),
        ("ros/messages.py", "from etam_ros.msg import Prompt"),
        ("cli/track.py", "import typer\nfrom etam_ros import __version__"),
        ("cli/train.py", "from etam_ros.training.config import TrainingConfig"),
        ("cli/track.py", "def track():\n    from etam_ros.tracking import Tracker"),
        ("cli/track.py", "if TYPE_CHECKING:\n    from etam_ros.records import Frame"),
    ],
)
def test_a_right_import_is_left_alone(module, source):
    assert violations(module, source) == []
