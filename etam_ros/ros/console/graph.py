"""Which trackers and followers there are in the ROS graph."""

from __future__ import annotations

from typing import Final

from rclpy.node import Node

ADD_PROMPT: Final = "etam_ros/srv/AddPrompt"
SET_BOOL: Final = "std_srvs/srv/SetBool"
STRING: Final = "std_msgs/msg/String"
_ADDS: Final = "/add_prompt"
_ENABLES: Final = "/enable"


def trackers(node: Node) -> list[str]:
    """Full names of the trackers, those that are called /tracker first."""
    found = {
        service.removesuffix(_ADDS)
        for service, kinds in node.get_service_names_and_types()
        if service.endswith(_ADDS) and ADD_PROMPT in kinds
    }
    return sorted(found, key=lambda name: (not name.endswith("/tracker"), name.count("/"), name))


def follower_of(node: Node, tracker: str) -> str:
    """Full name of the follower that listens to a tracker; empty where there is none."""
    topics = {topic for topic, kinds in node.get_topic_names_and_types() if STRING in kinds}
    listening = {
        f"{each.node_namespace.rstrip('/')}/{each.node_name}"
        for each in node.get_subscriptions_info_by_topic(f"{tracker}/objects")
    }
    for service, kinds in node.get_service_names_and_types():
        name = service.removesuffix(_ENABLES)
        is_one = service.endswith(_ENABLES) and SET_BOOL in kinds and f"{name}/state" in topics
        if is_one and name in listening:
            return name
    return ""
