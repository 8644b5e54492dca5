"""The parameters of the follower are the fields of its configuration, in the YAML file too."""

from pathlib import Path

import yaml

from etam_ros.following.config import FollowerSettings
from etam_ros.paths import share_file
from etam_ros.ros.parameters import parameter_options

OPTIONS = parameter_options(FollowerSettings)


def test_the_yaml_file_has_every_parameter_with_its_default():
    text = share_file("config/follower.yaml").read_text(encoding="utf-8")
    flat = {}
    for key, value in yaml.safe_load(text)["/**"]["ros__parameters"].items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        flat |= {f"{key}.{name}".rstrip("."): each for name, each in inner}
    expected = {name: default for name, (default, _) in OPTIONS.items()}
    assert flat == expected
    assert {k: type(v) for k, v in flat.items()} == {k: type(v) for k, v in expected.items()}


def test_the_yaml_file_describes_every_parameter():
    text = share_file("config/follower.yaml").read_text(encoding="utf-8")
    words = " ".join(line.strip().lstrip("# ") for line in text.splitlines())
    assert [n for n, (_, option) in OPTIONS.items() if option.full_description not in words] == []


def test_the_documentation_names_every_parameter():
    text = (Path(__file__).parents[3] / "docs" / "planners.md").read_text(encoding="utf-8")
    assert [name for name in OPTIONS if f"`{name}`" not in text] == []
