"""Publishers, subscriptions and services that come and go leave nothing behind."""

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from std_msgs.msg import String
from std_srvs.srv import Trigger

from etam_ros.ros.endpoints import Endpoints
from etam_ros.ros.qos import PROMPTS, RESULT_IMAGES


def test_groups_let_go_of_what_was_destroyed(ros_context):
    node = Node("comes_and_goes", context=ros_context, use_global_arguments=False)
    group = ReentrantCallbackGroup()
    counts = []
    for _ in range(12):
        with Endpoints(node) as endpoints:
            endpoints.publisher(String, "out", RESULT_IMAGES)
            endpoints.subscribe(String, "in", print, RESULT_IMAGES, group)
            endpoints.serve(Trigger, "do", lambda _, answer: answer, PROMPTS, group)
            counts.append((len(group.entities), len(node.default_callback_group.entities)))
    node.destroy_node()
    assert counts[-1] <= counts[2], "rclpy keeps a reference to each, dead or alive"
