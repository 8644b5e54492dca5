"""launch/operator.launch.py, where ROS has launch."""

from importlib.util import module_from_spec, spec_from_file_location

import pytest

launch = pytest.importorskip("launch")
pytest.importorskip("launch_ros")

from etam_ros.paths import share_file  # noqa: E402


def load(name):
    spec = spec_from_file_location(f"launch_{name}", share_file(f"launch/{name}.launch.py"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def operator():
    return load("operator")


def context_with(**values):
    context = launch.LaunchContext()
    context.launch_configurations.update(values)
    return context


def test_it_has_its_own_arguments_and_all_of_the_tracker(operator):
    def names(module):
        description = module.generate_launch_description()
        return {argument.name for argument in description.get_launch_arguments()}

    assert {"tracker", "rviz", "rviz_config", "frame"} <= names(operator)
    assert names(load("tracker")) <= names(operator)


def test_rviz_is_left_out_on_request_and_missed_in_words(operator, monkeypatch, tmp_path):
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    config = str(share_file("config/tracker.rviz"))
    assert operator._start_rviz(context_with(rviz="false")) == []
    (told,) = operator._start_rviz(context_with(rviz="true", rviz_config=config, frame="camera"))
    assert isinstance(told, launch.actions.LogInfo)
    assert "rviz2 is not installed" in operator.NO_RVIZ


def test_rviz_is_told_the_names_of_the_tracker(operator, monkeypatch, tmp_path):
    index = tmp_path / "share" / "ament_index" / "resource_index" / "packages"
    index.mkdir(parents=True)
    (index / "rviz2").touch()
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    context = context_with(
        rviz="true",
        rviz_config=str(share_file("config/tracker.rviz")),
        frame="front_optical",
        name="eye",
        namespace="front",
        overlay="/show",
    )
    names = operator._names(context)
    assert names["/tracker"] == "/front/eye"
    assert names["/tracker/overlay"] == "/show"
    assert names["camera_optical_frame"] == "front_optical"
    (node,) = operator._start_rviz(context)
    assert node.node_package == "rviz2"
