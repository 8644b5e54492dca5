"""Start tracker and follower together: a camera in, a robot that follows.

    ros2 launch etam_ros follow.launch.py image:=/camera/image_raw depth:=/camera/depth
    ros2 launch etam_ros follow.launch.py namespace:=front target:=person resume:=true
    ros2 service call /follower/enable std_srvs/srv/SetBool "{data: true}"

Takes every argument of tracker.launch.py as well. Every argument left empty takes its value from
the parameters file.
"""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from etam_ros.following.config import FollowerConfig
from etam_ros.paths import share_file
from etam_ros.ros.launch_arguments import given_parameters, parameter_arguments, topic_arguments
from etam_ros.ros.tracker.rviz.config_file import absolute

TOPICS = {
    "cmd_vel": ("cmd_vel", "geometry_msgs/TwistStamped for the robot; Twist with stamped:=false."),
    "follower_state": ("~/state", "std_msgs/String: whom it follows, or why it does not."),
    "target_pose": ("~/target_pose", "geometry_msgs/PoseStamped of the target, for planners."),
    "enable": ("~/enable", "std_srvs/SetBool, a service: follow, or do not."),
}
SHARED = ("autostart",)
"""Arguments of the tracker that mean the follower too."""


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments of the follower; those of the tracker are declared by its own file."""
    tracker = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(share_file("launch/tracker.launch.py")))
    )
    arguments = [
        DeclareLaunchArgument(
            "follower_name", default_value="follower", description="Name of the follower."
        ),
        DeclareLaunchArgument(
            "follower_params_file",
            default_value=str(share_file("config/follower.yaml")),
            description="YAML file of the follower's parameters.",
        ),
    ]
    arguments += topic_arguments(TOPICS) + parameter_arguments(FollowerConfig, without=SHARED)
    return LaunchDescription([*arguments, tracker, OpaqueFunction(function=_start)])


def _start(context: LaunchContext) -> list:
    namespace, name, objects = (
        LaunchConfiguration(each).perform(context) for each in ("namespace", "name", "objects")
    )
    remappings = [
        (topic, LaunchConfiguration(argument)) for argument, (topic, _) in TOPICS.items()
    ]
    remappings += [
        ("objects", absolute(objects, namespace, name)),  # ~ is the tracker there
        ("camera_info", LaunchConfiguration("camera_info")),
        ("/diagnostics", LaunchConfiguration("diagnostics")),
    ]
    return [
        Node(
            package="etam_ros",
            executable="follower",
            name=LaunchConfiguration("follower_name"),
            namespace=namespace,
            parameters=[
                LaunchConfiguration("follower_params_file"),
                given_parameters(context, FollowerConfig),
            ],
            remappings=remappings,
            ros_arguments=["--log-level", LaunchConfiguration("log_level")],
            output="screen",
        )
    ]
