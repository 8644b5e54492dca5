"""launch/follow.launch.py, where ROS has launch."""

from importlib.util import module_from_spec, spec_from_file_location

import pytest

launch = pytest.importorskip("launch")
pytest.importorskip("launch_ros")

from launch_ros.actions import Node  # noqa: E402
from launch_ros.utilities import evaluate_parameters  # noqa: E402

from etam_ros.paths import share_file  # noqa: E402


def load(name):
    spec = spec_from_file_location(f"launch_{name}", share_file(f"launch/{name}.launch.py"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def started(**arguments):
    """The nodes that are started with these arguments, by executable, and the context."""
    context = launch.LaunchContext()
    context.launch_configurations.update(arguments)
    nodes, waiting = {}, [load("follow").generate_launch_description()]
    while waiting:
        entity = waiting.pop(0)
        if isinstance(entity, Node):
            nodes[entity.node_executable] = entity
            continue
        waiting = [*(entity.visit(context) or ()), *waiting]
    return nodes, context


def remappings(node, context):
    def text(parts):
        return "".join(part.perform(context) for part in parts)

    return {text(topic): text(name) for topic, name in node._Node__remappings}


def test_it_has_its_own_arguments_and_all_of_the_tracker():
    def names(module):
        description = module.generate_launch_description()
        return {argument.name for argument in description.get_launch_arguments()}

    assert {"follower_name", "follower_params_file", "cmd_vel", "target", "resume"} <= names(
        load("follow")
    )
    assert names(load("tracker")) <= names(load("follow"))


def test_a_camera_goes_in_and_commands_come_out():
    nodes, context = started(image="/cam/image_raw", depth="/cam/depth", cmd_vel="/base/cmd_vel")
    assert set(nodes) == {"tracker_node", "follower"}
    tracker, follower = (remappings(node, context) for node in nodes.values())
    assert tracker["image"] == "/cam/image_raw"
    assert tracker["depth"] == "/cam/depth"
    assert follower["cmd_vel"] == "/base/cmd_vel"
    assert follower["objects"] == "/tracker/objects"
    assert follower["camera_info"] == tracker["camera_info"] == "/cam/camera_info"


def test_in_a_namespace_it_follows_what_its_own_tracker_sees():
    nodes, context = started(namespace="front", name="eye")
    follower = remappings(nodes["follower"], context)
    assert follower["objects"] == "/front/eye/objects"
    assert follower["cmd_vel"] == "cmd_vel"
    assert started(namespace="front", objects="seen")[0]


def test_parameters_keep_their_types():
    nodes, context = started(target="3", resume="true", result_timeout_s="1", autostart="false")
    _, given = evaluate_parameters(context, nodes["follower"]._Node__parameters)
    assert given == {
        "target": "3", "resume": True, "result_timeout_s": 1.0, "autostart": False,
    }  # fmt: skip
