"""The transport profile, QoS by what is offered, and the launch file."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import fields
from importlib.util import module_from_spec, spec_from_file_location

import pytest
from rclpy.qos import ReliabilityPolicy

from etam_ros.config import NodeConfig
from etam_ros.paths import share_file
from etam_ros.ros.qos import choose_reliability
from etam_ros.ros.transport import PROFILE, VARIABLES, apply_profile

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT


def test_the_profile_is_applied_for_old_and_new_fast_dds():
    environment = {}
    path = apply_profile(environment)
    assert path == share_file(PROFILE)
    assert environment == dict.fromkeys(VARIABLES, str(path))


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_profile_of_the_user_stays(variable):
    environment = {variable: "/my/own.xml"}
    assert apply_profile(environment) is None
    assert environment == {variable: "/my/own.xml"}


def test_the_profile_holds_many_large_images():
    space = "{http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles}"
    root = ElementTree.parse(share_file(PROFILE)).getroot()
    assert int(root.find(f".//{space}segment_size").text) >= 10 * 1920 * 1080 * 3
    assert {kind.text for kind in root.iter(f"{space}type")} == {"SHM", "UDPv4"}


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
