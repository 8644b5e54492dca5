"""Start the tracker node.

    ros2 launch etam_ros tracker.launch.py image:=/camera/image_raw
    ros2 launch etam_ros tracker.launch.py namespace:=front params_file:=my_tracker.yaml

Every argument left empty takes its value from the parameters file.
"""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration, PythonExpression
from launch_ros.actions import Node

from etam_ros.config import NodeConfig
from etam_ros.paths import share_file
from etam_ros.ros.launch_arguments import given_parameters, parameter_arguments, topic_arguments
from etam_ros.ros.transport import apply_profile, variables_read

TOPICS = {
    "image": ("image", "Image to follow objects in; .../compressed with image_transport."),
    "camera_info": ("camera_info", "sensor_msgs/CameraInfo, for bearings, positions and clicks."),
    "depth": ("depth", "Depth registered to the image, 16UC1 or 32FC1, for positions."),
    "prompt": ("~/prompt", "etam_ros/Prompt to obey."),
    "click": ("~/click", "geometry_msgs/PointStamped, a pixel on an object."),
    "click_background": ("~/click_background", "The same, a pixel that is not on it."),
    "mouse_left": ("mouse_left", "geometry_msgs/Point, a click of rqt_image_view on the image."),
    "clicked_point": ("clicked_point", "geometry_msgs/PointStamped, a click of RViz in 3-D."),
    "detections": ("detections", "vision_msgs/Detection2DArray, where vision_msgs is installed."),
    "objects": ("~/objects", "etam_ros/TrackedObjectArray of each frame."),
    "events": ("~/events", "etam_ros/TrackEvent: what became of an object, and why."),
    "applied_prompts": ("~/applied_prompts", "etam_ros/Prompt: each prompt as it was applied."),
    "label_image": ("~/label_image", "Object id per pixel of each frame, 16UC1."),
    "overlay": ("~/overlay", "Picture for people; beside it .../compressed."),
    "click_plane": ("~/click_plane", "sensor_msgs/PointCloud2, the image to click on in RViz."),
    "markers": ("~/markers", "visualization_msgs/MarkerArray, the objects' positions in RViz."),
    "tracked_detections": (
        "~/tracked_detections",
        "vision_msgs/Detection2DArray, boxes with ids, where vision_msgs is installed.",
    ),
    "diagnostics": ("/diagnostics", "State, rates and latencies."),
}
IMAGE = LaunchConfiguration("image")
USUAL_PLACES = {
    "camera_info": PythonExpression(
        ["''.join('", IMAGE, "'.rpartition('/')[:2]) + 'camera_info'"]
    ),
    "mouse_left": [IMAGE, "_mouse_left"],
    "clicked_point": "/clicked_point",
}
"""Where cameras, rqt_image_view and RViz publish, beside the image or whatever it is called."""


def generate_launch_description() -> LaunchDescription:
    """Declare an argument per topic and per parameter of the top level."""
    arguments = [
        DeclareLaunchArgument("name", default_value="tracker", description="Name of the node."),
        DeclareLaunchArgument("namespace", default_value="", description="Its namespace."),
        DeclareLaunchArgument(
            "params_file",
            default_value=str(share_file("config/tracker.yaml")),
            description="YAML file of parameters.",
        ),
        DeclareLaunchArgument("log_level", default_value="info", description="Least to log."),
    ]
    arguments += topic_arguments(TOPICS, USUAL_PLACES) + parameter_arguments(NodeConfig)
    return LaunchDescription([*arguments, OpaqueFunction(function=_start)])


def _start(context: LaunchContext) -> list:
    environment = dict(context.environment)
    added = variables_read() if apply_profile(environment) else ()  # never over the user's own
    profile = [SetEnvironmentVariable(name, environment[name]) for name in added]
    node = Node(
        package="etam_ros",
        executable="tracker_node",
        name=LaunchConfiguration("name"),
        namespace=LaunchConfiguration("namespace"),
        parameters=[LaunchConfiguration("params_file"), given_parameters(context, NodeConfig)],
        remappings=[(topic, LaunchConfiguration(name)) for name, (topic, _) in TOPICS.items()],
        ros_arguments=["--log-level", LaunchConfiguration("log_level")],
        output="screen",
    )
    return [*profile, node]
