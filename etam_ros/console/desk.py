"""What stands behind the page: trackers over ROS, one in this process, or a recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from etam_ros.console.commands import Command


@dataclass(frozen=True)
class Answer:
    """What became of a command.

    Attributes:
        done: whether it was.
        words: for the operator, who reads them beside the picture.
        object_id: that it was for, 0 for none.
    """

    done: bool
    words: str
    object_id: int = 0


Reply = Callable[[Answer], None]
"""Called once, from any thread."""


class Desk(Protocol):
    """Does what viewers ask, and shows them what there is through a `Hub`. All return at once."""

    def watch(self, name: str) -> None:
        """Begin to show a channel, because somebody looks at it."""

    def leave(self, name: str) -> None:
        """Show it no longer, because nobody does."""

    def do(self, name: str, command: Command, reply: Reply) -> None:
        """Do something for a viewer of a channel."""
