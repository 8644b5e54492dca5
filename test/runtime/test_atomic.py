"""Folders that appear whole or not at all, and what interrupted builds leave."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from etam_ros.runtime.atomic import lock_of, make_folder, write_file
from etam_ros.runtime.exported import default_engine_dir

BUILDER = """
import sys, time
from pathlib import Path
from etam_ros.runtime.atomic import lock_of, make_folder

def fill(making):
    (making / "half").write_text("")
    print("begun", flush=True)
    sys.stdin.read()

folder = Path(sys.argv[1])
with lock_of(folder):
    make_folder(folder, fill)
"""


def builder(folder: Path) -> subprocess.Popen[str]:
    """A process that has begun to make a folder, and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", BUILDER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def fill(making: Path) -> None:
    (making / "whole").write_text("content")


def visible(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


def make(folder: Path) -> None:
    with lock_of(folder):
        make_folder(folder, fill)


def test_the_next_build_removes_what_interrupted_ones_left_but_not_what_is_being_made(
    tmp_path: Path,
) -> None:
    busy, killed = builder(tmp_path / "busy"), builder(tmp_path / "killed")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert visible(tmp_path) == {".busy.making", ".killed.making"}
    make(tmp_path / "other")
    assert visible(tmp_path) == {"other", ".busy.making"}
    busy.communicate("")
    assert busy.returncode == 0
    assert visible(tmp_path) == {"other", "busy"}


def test_a_build_begins_afresh_where_an_interrupted_one_left_its_half(tmp_path: Path) -> None:
    (tmp_path / ".folder.making").mkdir()
    (tmp_path / ".folder.making" / "half").write_text("")
    make(tmp_path / "folder")
    assert visible(tmp_path) == {"folder"}
    assert visible(tmp_path / "folder") == {"whole"}


def test_a_folder_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").write_text("")
    make(tmp_path / "folder")
    assert visible(tmp_path / "folder") == {"whole"}


def test_what_fails_changes_nothing(tmp_path: Path) -> None:
    make(tmp_path / "folder")

    def full(making: Path) -> None:
        (making / "half").write_text("")
        raise OSError("full")

    with lock_of(tmp_path / "folder"), pytest.raises(OSError, match="full"):
        make_folder(tmp_path / "folder", full)
    assert visible(tmp_path) == {"folder"}
    assert visible(tmp_path / "folder") == {"whole"}


def test_a_file_is_replaced_or_left(tmp_path: Path) -> None:
    write_file(tmp_path / "file", b"first")
    write_file(tmp_path / "file", b"second")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_file(tmp_path / "folder", b"no file")
    assert (tmp_path / "file").read_bytes() == b"second"
    assert visible(tmp_path) == {"file", "folder"}


def test_engines_lie_where_it_is_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etam_ros.runtime.exported.checkout_folder", lambda _: None)
    monkeypatch.setenv("ETAM_ENGINE_DIR", str(tmp_path))
    assert default_engine_dir() == tmp_path
    monkeypatch.delenv("ETAM_ENGINE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert default_engine_dir() == tmp_path / "cache" / "etam_ros" / "engines"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_engine_dir() == tmp_path / "home" / ".cache" / "etam_ros" / "engines"
