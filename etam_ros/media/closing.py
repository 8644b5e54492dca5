"""What holds files or devices, and gives them back at the end of a `with` block."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING

from etam_ros.errors import SourceError

if TYPE_CHECKING:
    from typing_extensions import Self


class Closing(ABC):
    """A context manager that closes whatever happened in its block.

    Where the block has failed and closing fails as well, the block's error is the one that shows.
    """

    @abstractmethod
    def close(self) -> None:
        """Finish files and give back devices. Can be called again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except SourceError:
            if kind is None:
                raise
