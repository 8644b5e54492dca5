"""Record what an evaluation needs to repeat a run; Ctrl-C ends it and finishes the bag.

    ros2 launch etam_ros record.launch.py image:=/camera/image_raw
    ros2 launch etam_ros record.launch.py image:=/camera/image_raw output:=run_1 split_s:=300
    ros2 launch etam_ros record.launch.py image:=/camera/image_raw compressed:=true

Starts `ros2 bag record`, and neither camera nor tracker: it can be started and ended while they
run.
"""

import os

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction
from launch.substitutions import LaunchConfiguration

from etam_ros.ros.recording import OPTIONS, TOPICS, record_command

SECONDS_TO_FINISH = "60"
"""A recorder that is killed while it writes out what it holds leaves a bag without its end."""


def generate_launch_description() -> LaunchDescription:
    """Declare an argument per topic and per option."""
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in (TOPICS | OPTIONS).items()
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=_record)])


def _record(context: LaunchContext) -> list:
    values = {name: LaunchConfiguration(name).perform(context) for name in TOPICS | OPTIONS}
    command = record_command(values, os.environ.get("ROS_DISTRO", ""))
    recorder = ExecuteProcess(
        cmd=command,
        name="recorder",
        output="screen",
        sigterm_timeout=SECONDS_TO_FINISH,
        sigkill_timeout=SECONDS_TO_FINISH,
    )
    return [recorder]
