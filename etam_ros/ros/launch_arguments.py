"""Launch arguments made of configuration fields; for launch files alone, which have `launch`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from launch import LaunchContext  # type: ignore[attr-defined]
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, TextSubstitution
from launch.utilities.type_utils import perform_typed_substitution
from launch_ros.parameter_descriptions import ParameterValue

from etam_ros.options import Checked, option_of


def topic_arguments(
    topics: Mapping[str, tuple[str, str]], usual: Mapping[str, Any] | None = None
) -> list[DeclareLaunchArgument]:
    """One for each topic.

    Args:
        topics: name of the argument -> name in the node, and description.
        usual: defaults of those that are not called as in the node.
    """
    return [
        DeclareLaunchArgument(
            name, default_value=(usual or {}).get(name, topic), description=description
        )
        for name, (topic, description) in topics.items()
    ]


def parameter_arguments(
    config: type[Checked], without: tuple[str, ...] = ()
) -> list[DeclareLaunchArgument]:
    """One for each field, empty by default: the parameters file says it then."""
    arguments = []
    for item in fields(config):  # type: ignore[arg-type]
        option = option_of(item)
        choices = f" One of: {', '.join(option.choices)}." if option.choices else ""
        if item.name not in without:
            arguments.append(
                DeclareLaunchArgument(
                    item.name, default_value="", description=option.full_description + choices
                )
            )
    return arguments


def given_parameters(context: LaunchContext, config: type[Checked]) -> dict[str, Any]:
    """The parameters whose arguments are not empty, in their own type."""
    given: dict[str, Any] = {}
    for item in fields(config):  # type: ignore[arg-type]
        text = LaunchConfiguration(item.name, default="").perform(context)
        kind: Any = type(item.default)
        if text and kind is str:
            given[item.name] = ParameterValue(text, value_type=str)  # "0" stays a string
        elif text and kind is bool:
            given[item.name] = perform_typed_substitution(
                context, [TextSubstitution(text=text)], bool
            )
        elif text:
            given[item.name] = kind(text)
    return given
