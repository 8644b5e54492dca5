"""What a camera publishes beside its calibration: images, and depth where that is wanted."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from etam_ros.ros.parameters import Settings
from etam_ros.ros.tracker.image_subscription import (
    ImageSource,
    ImageSubscription,
    camera_depth,
    camera_images,
)
from etam_ros.ros.tracker.positions.locating import Positions


class CameraTopics:
    """The subscriptions to `image` and `depth`, as long as the node is active.

    Whoever makes it calls `check_publishers` again and again, and `destroy` at the end.

    Args:
        node: gets the subscriptions.
        settings: transport, reliability, and whether depth is wanted.
        on_image: called with each image.
        received: how many images have come so far.
        positions: get the depth.
    """

    def __init__(
        self,
        node: Node,
        settings: Settings,
        on_image: Callable[[Image | CompressedImage], None],
        received: Callable[[], int],
        positions: Positions,
    ) -> None:
        self._positions = positions
        self._depth: ImageSubscription | None = None
        if settings.depth.enabled:  # before the images, so that it is there when they come
            self._depth = ImageSubscription(
                node,
                camera_depth(node, settings.node),
                positions.on_depth,
                lambda: positions.received,
                MutuallyExclusiveCallbackGroup(),
            )
        self._images = ImageSubscription(
            node,
            camera_images(node, settings.node),
            on_image,
            received,
            MutuallyExclusiveCallbackGroup(),
        )

    @property
    def source(self) -> ImageSource:
        """The camera."""
        return self._images.source

    @property
    def depth_source(self) -> ImageSource | None:
        """Who publishes depth; None where it is not wanted."""
        return None if self._depth is None else self._depth.source

    def check_publishers(self) -> None:
        """See which cameras there are."""
        for each in (self._depth, self._images):
            if each is not None:
                each.check_publishers()

    def destroy(self) -> None:
        """Take the subscriptions off the node, and forget the depth that came."""
        self._images.destroy()
        if self._depth is not None:
            self._depth.destroy()
        self._positions.restart()
