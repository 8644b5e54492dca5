"""launch/record.launch.py and the command line that it makes."""

from importlib.util import module_from_spec, spec_from_file_location

import pytest

from etam_ros.errors import ConfigError
from etam_ros.paths import share_file
from etam_ros.ros.recording import OPTIONS, TOPICS, record_command

OF_THE_NODE = ["/tracker/objects", "/tracker/label_image", "/tracker/applied_prompts",
               "/tracker/events"]  # fmt: skip
ELSEWHERE = ["/diagnostics", "/tf", "/tf_static"]


def test_the_documented_command():
    assert record_command({"image": "/camera/image_raw"}, "jazzy") == [
        "ros2", "bag", "record", "--storage", "mcap", "--topics",
        "/camera/image_raw", "/camera/camera_info", "/depth", *OF_THE_NODE, *ELSEWHERE,
    ]  # fmt: skip


def test_before_jazzy_topics_stand_alone():
    command = record_command({"output": "run_1"}, "humble")
    assert command[:7] == ["ros2", "bag", "record", "--storage", "mcap", "--output", "run_1"]
    assert command[7:] == ["/image", "/camera_info", "/depth", *OF_THE_NODE, *ELSEWHERE]


def test_names_are_those_of_the_node():
    values = {
        "image": "left/image", "name": "eye", "namespace": "front", "depth": "",
        "compressed": "true", "with_overlay": "true", "split_s": "300",
        "storage": "sqlite3", "options": "--max-cache-size 1000000000",
        "more_topics": "/odom battery",
    }  # fmt: skip
    assert record_command(values, "kilted") == [
        "ros2", "bag", "record", "--storage", "sqlite3", "--max-bag-duration", "300",
        "--max-cache-size", "1000000000", "--topics",
        "/front/left/image/compressed", "/front/left/camera_info", "/front/eye/objects",
        "/front/eye/label_image", "/front/eye/applied_prompts", "/front/eye/events", *ELSEWHERE,
        "/front/eye/overlay/compressed", "/odom", "/front/battery",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"), [("compressed", "perhaps"), ("split_s", "-1"), ("options", "'")]
)
def test_what_cannot_be_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name} is"):
        record_command({name: value}, "jazzy")


def test_the_launch_file_has_every_argument_and_runs_that_command(monkeypatch):
    launch = pytest.importorskip("launch")
    pytest.importorskip("launch.actions")  # our folder of that name is no module
    path = share_file("launch/record.launch.py")
    spec = spec_from_file_location("launch_record", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    description = module.generate_launch_description()
    arguments = {each.name: each for each in description.get_launch_arguments()}
    assert set(arguments) == {*TOPICS, *OPTIONS}
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    context = launch.LaunchContext()
    for argument in arguments.values():
        argument.execute(context)
    context.launch_configurations["image"] = "/camera/image_raw"
    (recorder,) = module._record(context)
    words = ["".join(part.perform(context) for part in word) for word in recorder.cmd]
    assert words == record_command({"image": "/camera/image_raw"}, "jazzy")
