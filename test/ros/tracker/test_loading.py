"""What the node says of faster engines once it has loaded a network."""

import pytest

from etam_ros.config import NodeConfig
from etam_ros.ros.tracker.loading import faster_engine
from etam_ros.runtime.engines import explain_auto

ON_TORCH = "etam_nano on torch, cpu, fp32"


def test_where_auto_found_no_engine_the_command_that_builds_one_is_said():
    said, known = faster_engine(NodeConfig(), ON_TORCH), explain_auto("etam_nano")
    assert ("etam build etam_nano --backend" in said) == ("etam build" in known)
    if said:
        assert said.split("`")[1] in known
        assert "\n" not in said


@pytest.mark.parametrize(
    ("config", "loaded"),
    [
        (NodeConfig(backend="torch"), ON_TORCH),
        (NodeConfig(weights="random:0"), ON_TORCH),
        (NodeConfig(), "etam_nano on openvino, cpu, fp32"),
    ],
)
def test_who_chose_and_who_has_one_already_is_told_nothing(config, loaded):
    assert faster_engine(config, loaded) == ""
