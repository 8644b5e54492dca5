"""What is closed at the end of a block, and whose error shows."""

import pytest

from etam_ros.errors import PromptError, SourceError
from etam_ros.media.closing import Closing


class Full(Closing):
    """A file on a full disk."""

    closed = False

    def close(self):
        self.closed = True
        raise SourceError("no room")


def test_an_error_of_closing_shows():
    with pytest.raises(SourceError, match="no room"), Full():
        pass


def test_an_error_of_the_block_comes_first():
    with pytest.raises(PromptError, match="outside"), Full() as file:
        raise PromptError("outside")
    assert file.closed
