"""What is closed at the end of a block, whose error shows, and how it says what it was."""

import pytest

from etam_ros.errors import PromptError, SourceError
from etam_ros.media.files import Closing, writing


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


def test_what_cannot_be_written_is_one_line_that_names_the_file(tmp_path):
    words = r"cannot write .*absent/a: No such file.*: free some space"
    with pytest.raises(SourceError, match=words), writing(tmp_path):
        (tmp_path / "absent" / "a").write_text("")
    words = f"cannot write {tmp_path}: it is gone: free some space"
    with pytest.raises(SourceError, match=words), writing(tmp_path):
        raise OSError("it is gone")
