"""The transport profile, QoS by what is offered, and the launch file."""

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from dataclasses import fields
from importlib import metadata
from importlib.util import module_from_spec, spec_from_file_location

import pytest
from rclpy.qos import ReliabilityPolicy

from etam_ros.config import NodeConfig
from etam_ros.paths import share_file
from etam_ros.ros import transport
from etam_ros.ros.qos import choose_reliability
from etam_ros.ros.shared_memory import MIB
from etam_ros.ros.transport import (
    PROFILE,
    TRANSPORTS,
    VARIABLES,
    apply_profile,
    in_words,
    segment_mib,
    why_nothing_comes,
)

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT


@pytest.mark.parametrize(("rclpy", "named"), [(0, VARIABLES), (7, VARIABLES), (9, VARIABLES[1:])])
def test_the_profile_is_applied_for_old_and_new_fast_dds(rclpy, named, monkeypatch):
    monkeypatch.setattr(transport, "rclpy_major", lambda: rclpy)
    environment = {}
    path = apply_profile(environment)
    assert path == share_file(PROFILE)
    assert environment == dict.fromkeys(named, str(path))


def test_the_version_of_rclpy_is_known():
    assert transport.rclpy_major() == int(metadata.version("rclpy").split(".")[0])


def test_the_middleware_finds_nothing_deprecated_in_the_profile(ros_environment):
    environment = {k: v for k, v in ros_environment.items() if k not in VARIABLES}
    apply_profile(environment)
    program = "import rclpy; rclpy.init(); rclpy.create_node('one'); rclpy.shutdown()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert done.stderr == ""


@pytest.mark.parametrize("variable", [*VARIABLES, TRANSPORTS])
def test_what_the_user_chose_stays(variable):
    environment = {variable: "/my/own.xml"}
    assert apply_profile(environment) is None
    assert environment == {variable: "/my/own.xml"}
    assert "/my/own.xml" in in_words(environment)


def test_the_profile_holds_many_large_images():
    space = "{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}"
    root = ElementTree.parse(share_file(PROFILE)).getroot()
    assert int(root.find(f".//{space}segment_size").text) >= 10 * 1920 * 1080 * 3
    assert {kind.text for kind in root.iter(f"{space}type")} == {"SHM", "UDPv4"}


@pytest.mark.parametrize(
    ("free", "mib"),
    [(None, 64), (2**34, 64), (256 * MIB, 64), (64 * MIB, 16), (48 * MIB, 12), (0, 0)],
)
def test_a_segment_leaves_room_for_those_of_others(free, mib):
    assert segment_mib(free) == mib


def test_where_there_is_little_room_the_profile_is_a_smaller_copy(monkeypatch, tmp_path):
    monkeypatch.setattr(transport, "free_bytes", lambda: 64 * MIB)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    environment = {}
    path = apply_profile(environment)
    assert set(environment.values()) == {str(path)}
    whole, smaller = share_file(PROFILE).read_text(), path.read_text()
    assert smaller == whole.replace("67108864", str(16 * MIB))
    assert "16 MiB of shared memory a process, 64 MiB free" in in_words(environment)
    assert "--shm-size" in why_nothing_comes(environment)
    monkeypatch.setattr(transport, "free_bytes", lambda: 3 * MIB)
    assert apply_profile(empty := {}) is None
    assert empty == {}


@pytest.mark.parametrize("name", ["rmw_cyclonedds_cpp", "rmw_zenoh_cpp"])
def test_other_middleware_hears_nothing_of_fast_dds(name):
    environment = {"RMW_IMPLEMENTATION": name}
    assert apply_profile(environment) is None
    assert environment == {"RMW_IMPLEMENTATION": name}
    for words in (why_nothing_comes(environment), in_words(environment)):
        assert name in words
        assert "FAST" not in words.upper()


def test_segments_of_other_users_are_named_as_the_cause(monkeypatch):
    monkeypatch.setattr(transport, "other_users", lambda: ["camera"])
    assert "user camera runs ROS" in why_nothing_comes({})
    assert why_nothing_comes({}).endswith("this node with FASTDDS_BUILTIN_TRANSPORTS=UDPv4")
    words = why_nothing_comes({"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"})
    assert words.endswith("and without ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST, which undoes that")


@pytest.mark.parametrize(
    ("wanted", "offered", "chosen"),
    [
        ("auto", [], BEST_EFFORT),
        ("auto", [RELIABLE], RELIABLE),
        ("auto", [RELIABLE, BEST_EFFORT], BEST_EFFORT),
        ("auto", [ReliabilityPolicy.UNKNOWN], BEST_EFFORT),
        ("reliable", [BEST_EFFORT], RELIABLE),
        ("best_effort", [RELIABLE], BEST_EFFORT),
    ],
)
def test_the_reliability_follows_the_publishers_only_on_auto(wanted, offered, chosen):
    assert choose_reliability(wanted, offered) == chosen


def test_the_node_imports_no_torch_before_it_serves_signals():
    program = (
        "import etam_ros.ros.tracker.executable, sys; print({'torch', 'rclpy'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    assert result.stdout.strip() == "set()"


def test_the_launch_file_has_an_argument_for_every_parameter_of_the_top_level():
    pytest.importorskip("launch_ros")
    spec = spec_from_file_location("tracker_launch", share_file("launch/tracker.launch.py"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    arguments = module.generate_launch_description().get_launch_arguments()
    names = {argument.name for argument in arguments}
    assert {item.name for item in fields(NodeConfig)} <= names
    assert {"namespace", "params_file", *module.TOPICS} <= names
