"""What we use of ROS in Python is in every distribution that we name, or there is a way round.

`scripts/ros_api.py` has looked the uses of rclpy, launch, launch_ros and rosidl up in the sources
of the distributions, and finds those of the code again here.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
from ros_api import Use, read_api, uses_of  # noqa: E402
from ros_messages import versions_in  # noqa: E402

TABLE = json.loads((ROOT / "test" / "ros_api.json").read_text())
USES = {str(use): (use, where) for use, where in uses_of().items()}
WAYS_ROUND = {
    "rclpy.event_handler.SubscriptionEventCallbacks": (
        "ros/tracker/image_subscription.py",
        "except ImportError:  # Humble",
    ),
    "rclpy.qos_event.SubscriptionEventCallbacks": (
        "ros/tracker/image_subscription.py",
        "except ImportError:  # Humble",
    ),
    "rclpy: add_post_set_parameters_callback": (
        "ros/parameters.py",
        'not hasattr(node, "add_post_set_parameters_callback")',
    ),
    "rosidl: backend_type": ("ros/image_conversion.py", 'getattr(data, "backend_type", '),
    "rosidl: to_bytes": ("ros/image_conversion.py", 'hasattr(data, "to_bytes")'),
}
"""What some distribution lacks: the file that sees to it, and the words that do."""
NAMESAKES = {"_state", "data", "enabled", "parameters", "sequence_number"}
"""Names of ours and of messages, which some version of rclpy has for something else too."""


def test_what_we_use_was_looked_up():
    spec = importlib.util.find_spec("rclpy")
    if spec is None or spec.origin is None:
        pytest.skip("rclpy is not here")
    rclpy = read_api(Path(spec.origin).parents[1], "rclpy")
    assert rclpy is not None
    unknown = {
        where: text
        for text, (use, where) in USES.items()
        if text not in TABLE["uses"]
        and (rclpy.has(use) if use.package == "rclpy" else _is_looked_up(use))
    }
    assert not unknown, "look them up in the sources of each distribution: scripts/ros_api.py"


def _is_looked_up(use):
    """Whether the table has to have it: not what only may be something of launch or rosidl."""
    if use.package == "rosidl":
        return use.dotted or use.parameter
    return use.name[0] != "_" and use.dotted


def test_what_was_looked_up_is_still_used():
    assert sorted(TABLE["uses"].keys() - USES.keys()) == []


def test_every_distribution_has_it_or_there_is_a_way_round():
    lacking = {
        text: names
        for text, names in TABLE["uses"].items()
        if names != TABLE["read"][USES[text][0].package] and USES[text][0].name not in NAMESAKES
    }
    assert {text: (lacking[text], USES[text][1]) for text in lacking.keys() - WAYS_ROUND} == {}
    for file, words in WAYS_ROUND.values():
        assert words in (ROOT / "etam_ros" / file).read_text()


def test_the_documentation_names_the_versions_that_were_read():
    text = (ROOT / "docs" / "install.md").read_text()
    for name, versions in TABLE["versions"].items():
        shown = ("rclpy", "launch", "launch_ros", "rosidl_generator_py", "sensor_msgs")
        row = " | ".join([name.capitalize(), *(versions[package] for package in shown)])
        assert f"| {row} |" in text


def test_uses_are_found_and_told_apart(tmp_path):
    (tmp_path / "etam_ros").mkdir()
    (tmp_path / "etam_ros" / "one.py").write_text(
        "import rclpy\n"
        "from rclpy.node import Node as Base\n"
        "def run(node: Base):\n"
        "    rclpy.init(args=[])\n"
        "    node.create_timer(1.0, print, clock=None)\n"
    )
    (tmp_path / "rclpy").mkdir()
    (tmp_path / "rclpy" / "__init__.py").write_text("def init(*, args=None): pass\n")
    (tmp_path / "rclpy" / "node.py").write_text(
        "class Node:\n    def create_timer(self, period, callback): pass\n"
    )
    api = read_api(tmp_path, "rclpy")
    assert api is not None
    found = {str(use): api.has(use) for use in uses_of(tmp_path)}
    assert found == {
        "rclpy.node.Node": True,
        "rclpy.init": True,
        "rclpy: init(args=)": True,
        "rclpy: create_timer": True,
        "rclpy: create_timer(clock=)": False,  # this rclpy is too old for it
    }
    assert read_api(tmp_path, "launch") is None
    assert not api.has(Use("rclpy", "destroy_timer"))


def test_messages_are_read_with_their_fields_constants_and_parts(tmp_path):
    (tmp_path / "a_msgs" / "msg").mkdir(parents=True)
    (tmp_path / "a_msgs" / "srv").mkdir()
    (tmp_path / "a_msgs" / "package.xml").write_text("<package><version>1.2.3</version></package>")
    (tmp_path / "a_msgs" / "msg" / "Shape.msg").write_text(
        "# of any kind\nuint8 BOX=1\nstring<=8 NAME = 'box'\nfloat64[<=4] size 1.0\nuint8[] data\n"
        "a_msgs/Shape[3] parts # more\n"
    )
    (tmp_path / "a_msgs" / "srv" / "Make.srv").write_text("---\nint32 NONE=0\nbool success\n")
    code = (
        "from a_msgs.msg import Shape\nfrom a_msgs.srv import Make\n"
        "from etam_ros.msg import Prompt\nfrom rclpy.node import Node\n"
        "Shape(size=[], parts=[], data=b'', kind=Shape.BOX)\n"
        "Make.Response(success=True)\nMake.Request(reason='')\n"
        "Prompt(box=[])\n"
        "getattr(Node, '_overrides', None)\n"
    )
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "one.py").write_text(code)
    api = read_api(tmp_path, "rosidl")
    assert api is not None
    uses = uses_of(tmp_path)
    assert {str(use) for use in uses if use.package == "rclpy"} >= {"rclpy: _overrides"}
    assert {str(use): api.has(use) for use in uses if use.package == "rosidl"} == {
        "a_msgs.msg.Shape": True,
        "a_msgs.msg.Shape.BOX": True,
        "a_msgs.srv.Make": True,
        "a_msgs.srv.Make.Request": True,
        "a_msgs.srv.Make.Response": True,
        "rosidl: Shape(size=)": True,
        "rosidl: Shape(parts=)": True,
        "rosidl: Shape(data=)": True,
        "rosidl: Shape(kind=)": False,
        "rosidl: Response(success=)": True,
        "rosidl: Request(reason=)": False,
    }
    assert {"a_msgs.msg.Shape.NAME", "a_msgs.srv.Make.Response.NONE"} <= api.names
    assert versions_in(tmp_path) == {"a_msgs": "1.2.3"}
