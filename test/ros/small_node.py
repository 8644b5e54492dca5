"""A node with the process shell of ours, and with one fault; the argument says which."""

import signal
import sys
import threading
import time

FAULT = sys.argv[1]
if FAULT == "no_rclpy":
    sys.modules["rclpy"] = None  # as if it were not installed

from etam_ros.ros.process import main_exit_code, run_node  # noqa: E402


class SmallNode:
    def __init__(self, finish):
        from std_srvs.srv import Trigger

        from etam_ros.errors import SourceError
        from etam_ros.ros.managed_node import ManagedNode, Transitions

        class Broken(ManagedNode):
            def on_configure(self, state):
                """Forgets to answer, which makes rclpy raise."""

        def nothing():
            pass

        def load():
            """Takes its time, and cannot be interrupted."""
            time.sleep(3.0)

        if FAULT == "slow_start":
            print("making", flush=True)
        configure = load if FAULT == "slow_start" else nothing
        kind = Broken if FAULT == "broken_transition" else ManagedNode
        self.node = kind("small_node", Transitions(configure, nothing, nothing, nothing))
        self.node.create_timer(0.01, self.on_timer)
        self.node.create_service(Trigger, "fail", self.on_call)
        self.ticks = 0
        if FAULT == "slow_start":
            self.node.create_timer(0.0, lambda: self.node.bring_up_or(lambda: finish(1)))
        self.node.get_logger().info("made")
        if FAULT == "finishes_with_error":
            finish(SourceError("the source is damaged: play another"))
        if FAULT == "finishes_with_code":
            finish(3)

    def on_timer(self):
        if FAULT == "broken_callback":
            raise ZeroDivisionError("a bug")
        self.ticks += 1
        if self.ticks == 50:
            self.node.get_logger().info("has been spinning")

    def on_call(self, request, response):
        raise ZeroDivisionError("a bug")

    def end(self, timeout_s):
        return True


def make(finish):
    return SmallNode(finish)


def main():
    if FAULT == "deaf_main_thread":
        # Signals go to a thread that is there already, and do not wake the main thread.
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    return main_exit_code("small_node", lambda: run_node("small_node", make, sys.argv[2:]))


if __name__ == "__main__":
    sys.exit(main())
