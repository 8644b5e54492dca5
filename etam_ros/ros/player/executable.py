"""The executable `player`: plays in a thread of its own, beside the callbacks of the node."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence

from etam_ros.config import PlayerConfig
from etam_ros.ros.process import Finish, main_exit_code, run_node

OnFrame = Callable[[int, "int | None"], None]


def main() -> int:
    """Play what the ROS parameters of this process say, until the end of the source or a signal.

    Returns:
        exit code: 0 at the end and after a signal, 2 for what the user can mend.
    """
    return main_exit_code("player", lambda: play(PlayerConfig(), sys.argv[1:]))


def play(
    config: PlayerConfig,
    ros_arguments: Sequence[str] = (),
    *,
    transport_profile: bool = True,
    on_frame: OnFrame | None = None,
) -> int:
    """Play a source until its end or a signal.

    Args:
        config: what to play and how; ROS parameters among the arguments go before it.
        ros_arguments: from `--ros-args` on.
        transport_profile: use the profile for large images.
        on_frame: called in another thread after each frame with the number of frames published
            and of those in all, the latter None where nobody knows.

    Returns:
        exit code.

    Raises:
        EtamError: an argument or the source is invalid, or a frame of it cannot be read.
    """
    return run_node(
        "player",
        lambda finish: _Player(config, on_frame, finish),
        ros_arguments,
        transport_profile=transport_profile,
    )


class _Player:
    """The node, and the thread that plays."""

    def __init__(self, config: PlayerConfig, on_frame: OnFrame | None, finish: Finish) -> None:
        from etam_ros.ros.player.node import PlayerNode

        self.node = PlayerNode(config)
        self._on_frame = on_frame
        self._finish = finish
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._play, name="player", daemon=True)
        self._thread.start()

    def _play(self) -> None:
        try:
            self.node.play(self._stop, self._on_frame)
        except BaseException as error:
            self._finish(error)
        else:
            self._finish(0)

    def end(self, timeout_s: float) -> bool:
        """Stop before the next frame and close the source; False while a frame is being read."""
        self._stop.set()
        self._thread.join(timeout_s)
        if self._thread.is_alive():  # a camera that gives no frame cannot be interrupted
            return False
        self.node.close_source()
        return True


if __name__ == "__main__":
    sys.exit(main())
