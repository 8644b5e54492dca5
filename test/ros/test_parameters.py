"""Parameters are the fields of the configuration classes, in the YAML file too."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from etam_ros.config import GROUPS, NodeConfig
from etam_ros.errors import ConfigError
from etam_ros.paths import share_file
from etam_ros.ros.parameters import NodeParameters, Settings, parameter_options, settings_from


@pytest.fixture
def node(ros_context):
    node = Node("parameters", context=ros_context, use_global_arguments=False)
    yield node
    node.destroy_node()


def accept(settings):
    """Nothing is wrong with any settings."""


def set_one(node, name, value):
    return node.set_parameters([Parameter(name, value=value)])[0]


def test_settings_hold_every_group():
    assert {item.name for item in fields(Settings)} == {"node", *GROUPS}
    assert settings_from({}) == Settings()


@pytest.mark.parametrize("name", parameter_options())
def test_a_wrong_value_is_refused_under_the_full_name_of_its_parameter(name):
    with pytest.raises(ConfigError, match=rf"^{re.escape(name)} is b'' of type bytes, expected"):
        settings_from({name: b""})


def test_the_yaml_file_has_every_parameter_with_its_default():
    text = share_file("config/tracker.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)["/**"]["ros__parameters"]
    flat = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            flat[key] = value
    expected = {name: default for name, (default, _) in parameter_options().items()}
    assert flat == expected
    assert {k: type(v) for k, v in flat.items()} == {k: type(v) for k, v in expected.items()}


def test_the_yaml_file_describes_every_parameter():
    text = share_file("config/tracker.yaml").read_text(encoding="utf-8")
    words = " ".join(line.strip().lstrip("# ") for line in text.splitlines())
    for name, (_, option) in parameter_options().items():
        assert option.full_description in words, name


def test_the_documentation_names_every_parameter():
    documentation = Path(__file__).parents[2] / "docs" / "ros.md"
    text = documentation.read_text(encoding="utf-8")
    assert [name for name in parameter_options() if f"`{name}`" not in text] == []


def test_every_parameter_is_declared_with_description_and_range(node):
    NodeParameters(node, lambda: True, accept, accept)
    for name, (default, option) in parameter_options().items():
        descriptor = node.describe_parameter(name)
        assert option.description in descriptor.description
        assert node.get_parameter(name).value == default
        ranges = list(descriptor.integer_range) + list(descriptor.floating_point_range)
        limits = [(r.from_value, r.to_value) for r in ranges]
        assert limits == ([] if option.minimum is None else [(option.minimum, option.maximum)])
        for choice in option.choices:
            assert choice in descriptor.additional_constraints


def test_an_accepted_change_is_handed_on_as_new_settings(node):
    seen = []
    parameters = NodeParameters(node, lambda: False, accept, seen.append)
    assert set_one(node, "tracker.max_objects", 3).successful
    assert set_one(node, "image_timeout_s", 7).successful, "an integer may stand for a float"
    assert [s.tracker.max_objects for s in seen] == [3, 3]
    assert parameters.settings is seen[-1]
    assert parameters.settings.node.image_timeout_s == 7


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tracker.max_objects", 0),
        ("tracker.max_objects", "many"),
        ("overlay.opacity", 1.5),
        ("overlay.opacity", 2),
        ("tracker.overlap", "blend"),
        ("image_timeout_s", float("nan")),
        ("model", "efficienttam_s"),
    ],
)
def test_a_change_that_cannot_be_leaves_everything_as_it_was(node, name, value):
    seen = []
    parameters = NodeParameters(node, lambda: False, accept, seen.append)
    result = set_one(node, name, value)
    assert not result.successful
    assert result.reason
    assert seen == []
    assert parameters.settings == Settings()
    assert node.get_parameter(name).value == parameter_options()[name][0]


def test_while_unconfigured_all_parameters_may_change(node):
    parameters = NodeParameters(node, lambda: True, accept, accept)
    for name, (default, option) in parameter_options().items():
        other = option.choices[-1] if option.choices else {bool: not default, str: "x"}.get(
            type(default), option.maximum and type(default)(option.maximum)
        )  # fmt: skip
        assert set_one(node, name, other).successful, name
    assert parameters.settings.node.model == "x"
    assert parameters.settings.node != NodeConfig()


def test_values_given_at_start_are_checked(ros_context):
    overrides = [Parameter("tracker.overlap", value="blend")]
    node = Node(
        "overridden", context=ros_context, use_global_arguments=False,
        parameter_overrides=overrides,
    )  # fmt: skip
    with pytest.raises(ConfigError, match="settle, keep"):
        NodeParameters(node, lambda: True, accept, accept)
    node.destroy_node()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["tracker.max_object", "modell"], "modell, tracker.max_object;"),
        ([f"other.{number}" for number in range(10)], "other.7 and 2 more;"),
        (["model", "use_sim_time", "qos_overrides./image.subscription.depth"], None),
    ],
)
def test_parameters_that_do_not_exist_are_named(ros_context, capfd, given, said):
    values = {"model": "x", "use_sim_time": False}
    node = Node(
        "overridden", context=ros_context, use_global_arguments=False,
        parameter_overrides=[Parameter(name, value=values.get(name, 1)) for name in given],
    )  # fmt: skip
    NodeParameters(node, lambda: True, accept, accept)
    node.destroy_node()
    told = capfd.readouterr().err
    if said is None:
        assert told == ""
    else:
        assert "ignored because /overridden has none of these names: " in told
        assert said in told


def test_what_the_owner_cannot_serve_is_refused_with_its_words(node):
    def check(settings):
        if settings.tracker.recent_memories > 6:
            raise ConfigError("recent_memories is more than the plan was built for: build another")

    seen = []
    parameters = NodeParameters(node, lambda: False, check, seen.append)
    refused = set_one(node, "tracker.recent_memories", 7)
    assert not refused.successful
    assert refused.reason == "recent_memories is more than the plan was built for: build another"
    assert parameters.settings == Settings()
    assert node.get_parameter("tracker.recent_memories").value == 6
    assert set_one(node, "tracker.recent_memories", 5).successful
    assert [s.tracker.recent_memories for s in seen] == [5]


def test_settings_stay_equal_to_the_parameters_when_a_later_validator_refuses(node):
    def refuse_three(parameters):
        wrong = any((p.name, p.value) == ("tracker.max_objects", 3) for p in parameters)
        return SetParametersResult(successful=not wrong, reason="not today" if wrong else "")

    node.add_on_set_parameters_callback(refuse_three)  # rclpy asks the newest first
    seen = []
    parameters = NodeParameters(node, lambda: False, accept, seen.append)
    assert set_one(node, "tracker.max_objects", 3).reason == "not today"
    assert node.get_parameter("tracker.max_objects").value == 16
    assert parameters.settings == Settings()
    assert seen == []
    assert set_one(node, "image_timeout_s", 7.0).successful
    assert parameters.settings.tracker.max_objects == 16, "the refused value does not come back"
