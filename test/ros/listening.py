"""A node that publishes something, and somebody who hears it, spun by the test's own thread."""

import time

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from etam_ros.ros.endpoints import Endpoints

DEADLINE_S = 60.0


class Listener:
    """A publisher's node, and somebody who hears what it says."""

    def __init__(self, context):
        self.node = Node("publishes", context=context, use_global_arguments=False)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.endpoints = Endpoints(self.node)
        self.heard, self.crashes = [], []

    def subscribe(self, message_type, topic, profile):
        self.node.create_subscription(message_type, topic, self.heard.append, profile)
        self.wait_until(lambda: self.node.count_subscribers(topic))
        self.wait_until(lambda: self.node.count_publishers(topic))

    def wait_until(self, condition):
        end = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < end
            self.executor.spin_once(timeout_sec=0.02)

    def answer(self, offer):
        """What is heard of something that is offered until it is heard."""
        self.heard.clear()

        def offered():
            offer()
            self.executor.spin_once(timeout_sec=0.05)
            return self.heard

        self.wait_until(offered)
        return self.heard[0]

    def close(self):
        self.endpoints.__exit__(None, None, None)
        self.executor.shutdown()
        self.node.destroy_node()
