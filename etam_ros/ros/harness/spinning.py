"""A node of ours that hears in a thread of its own while the main thread does something else."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

PATIENCE_S: Final = 1.0
"""How long the end waits for a callback that runs."""


@contextmanager
def spinning(context: Context, node: Node) -> Iterator[None]:
    """Serve the callbacks of a node within the block; the node is the caller's to destroy."""
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    over = threading.Event()

    def spin() -> None:
        with contextlib.suppress(ExternalShutdownException):
            while not over.is_set():
                executor.spin_once()

    hearing = threading.Thread(target=spin, daemon=True)
    hearing.start()
    try:
        yield
    finally:
        over.set()
        executor.create_task(lambda: None)  # wakes it; shutdown would destroy what it waits for
        hearing.join(PATIENCE_S)
        executor.shutdown(timeout_sec=0.0)
