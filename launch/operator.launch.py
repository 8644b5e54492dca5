"""Start the tracker node, and RViz with what an operator needs to point at objects.

    ros2 launch etam_ros operator.launch.py image:=/camera/image_raw
    ros2 launch etam_ros operator.launch.py namespace:=front frame:=front_camera_optical_frame
    ros2 launch etam_ros operator.launch.py tracker:=false    # RViz for a node that runs elsewhere
    ros2 launch etam_ros operator.launch.py rviz:=false web:=true web_host:=0.0.0.0   # a browser

Takes every argument of tracker.launch.py as well.
"""

import atexit
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from ament_index_python.packages import PackageNotFoundError, get_package_prefix
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
)
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch.utilities.type_utils import perform_typed_substitution
from launch_ros.actions import Node

from etam_ros.console.config import WebConfig
from etam_ros.paths import share_file
from etam_ros.ros.tracker.rviz.config_file import FIXED_FRAME, NODE, absolute, with_names

NO_RVIZ = (
    "rviz2 is not installed, the tracker goes on without it: apt install ros-$ROS_DISTRO-rviz2, "
    "or click in rqt_image_view on the overlay"
)


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments of RViz; those of the tracker are declared by its own file."""
    arguments = [
        DeclareLaunchArgument("tracker", default_value="true", description="Start the tracker."),
        DeclareLaunchArgument("rviz", default_value="true", description="Start RViz."),
        DeclareLaunchArgument(
            "web", default_value="false", description="Serve the page in the browser."
        ),
        DeclareLaunchArgument(
            "web_host",
            default_value=WebConfig.host,
            description="Address of the page; 0.0.0.0 for every network, behind a token.",
        ),
        DeclareLaunchArgument(
            "web_port", default_value=str(WebConfig.port), description="Port of the page."
        ),
        DeclareLaunchArgument(
            "rviz_config",
            default_value=str(share_file("config/tracker.rviz")),
            description="What RViz shows; the names in it are replaced by those of the tracker.",
        ),
        DeclareLaunchArgument(
            "frame",
            default_value=FIXED_FRAME,
            description="Coordinate frame of the camera, as its images name it.",
        ),
    ]
    tracker = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(share_file("launch/tracker.launch.py"))),
        condition=IfCondition(LaunchConfiguration("tracker")),
    )
    page = OpaqueFunction(function=_start_page)
    return LaunchDescription([*arguments, tracker, page, OpaqueFunction(function=_start_rviz)])


def _start_page(context: LaunchContext) -> list:
    if not perform_typed_substitution(context, [LaunchConfiguration("web")], bool):
        return []
    tracker = absolute("~", _value(context, "namespace", ""), _value(context, "name", NODE[1:]))
    parameters = {
        "tracker": tracker,
        "host": _value(context, "web_host"),
        "port": int(_value(context, "web_port")),
    }
    return [
        Node(
            package="etam_ros",
            executable="console",
            name="console",
            parameters=[parameters],
            output="screen",
        )
    ]


def _start_rviz(context: LaunchContext) -> list:
    if not perform_typed_substitution(context, [LaunchConfiguration("rviz")], bool):
        return []
    try:
        get_package_prefix("rviz2")
    except PackageNotFoundError:
        return [LogInfo(msg=NO_RVIZ)]
    folder = Path(mkdtemp(prefix="etam_ros_"))
    atexit.register(rmtree, folder, ignore_errors=True)
    config = folder / "tracker.rviz"
    text = Path(_value(context, "rviz_config")).read_text(encoding="utf-8")
    config.write_text(with_names(text, _names(context)), encoding="utf-8")
    return [
        Node(
            package="rviz2",
            executable="rviz2",
            name="rviz",
            arguments=["-d", str(config)],
            output="screen",
        )
    ]


def _names(context: LaunchContext) -> dict[str, str]:
    """What stands in the configuration -> what it is to be."""
    namespace = _value(context, "namespace", "")
    node = _value(context, "name", NODE[1:])

    def full(name: str, default: str) -> str:
        return absolute(_value(context, name, default), namespace, node)

    return {
        NODE: absolute("~", namespace, node),
        f"{NODE}/overlay": full("overlay", "~/overlay"),
        f"{NODE}/click_plane": full("click_plane", "~/click_plane"),
        f"{NODE}/markers": full("markers", "~/markers"),
        "/clicked_point": full("clicked_point", "/clicked_point"),
        FIXED_FRAME: _value(context, "frame"),
    }


def _value(context: LaunchContext, name: str, default: str = "") -> str:
    """Of an argument, also where the file that declares it is not included."""
    return LaunchConfiguration(name, default=default).perform(context)
