"""Prompts that were picked stay in the output folder; those of a stranger are left alone."""

from __future__ import annotations

import json

import pytest

from etam_ros.errors import SourceError
from etam_ros.offline.output_folder import COLUMNS, check_output_folder, start_output_folder
from etam_ros.offline.run_file import RunFile


@pytest.fixture
def out(tmp_path):
    """The folder of an earlier run, on which somebody clicked first."""
    folder = tmp_path / "out"
    (folder / "masks").mkdir(parents=True)
    (folder / "masks" / "00000.png").write_bytes(b"")
    (folder / "objects.csv").write_text(",".join(COLUMNS) + "\n")
    (folder / "prompts.json").write_text("[]")
    (folder / "prompts_2.png").write_bytes(b"")
    return folder


def test_what_was_clicked_survives_the_next_run(out):
    check_output_folder(out, "clip.mp4")
    start_output_folder(out)
    assert {path.name for path in out.iterdir()} == {"masks", "prompts.json", "prompts_2.png"}
    assert list((out / "masks").iterdir()) == []


def test_prompts_alone_are_someone_elses_unless_they_are_read(out):
    start_output_folder(out)
    with pytest.raises(SourceError, match=r"holds prompts\.json, which no earlier run wrote"):
        check_output_folder(out, "clip.mp4")
    with pytest.raises(SourceError, match=r"holds prompts\.json"):
        check_output_folder(out, "clip.mp4", out.parent / "prompts.json")
    check_output_folder(out, "clip.mp4", out / "prompts.json")


@pytest.mark.parametrize("name", ["prompts.yaml", "prompts_a.png", "prompts.json.old"])
def test_other_files_are_not_mistaken_for_ours(out, name):
    (out / name).write_text("precious")
    with pytest.raises(SourceError, match=name):
        check_output_folder(out, "clip.mp4", out / "prompts.json")


def test_a_place_that_cannot_be_written_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match=r"cannot be made or written in .*file"):
        check_output_folder(tmp_path / "file" / "out", "clip.mp4")
    check_output_folder(tmp_path / "new" / "newer", "clip.mp4")


def test_a_run_that_had_begun_is_replaced_and_a_file_of_its_name_is_not(tmp_path):
    out = tmp_path / "out"

    def fail():
        with RunFile(out, {"source": "clip.mp4"}) as record:
            assert json.loads((out / "run.json").read_text())["state"] == "running"
            record.frames = 2
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    said = json.loads((out / "run.json").read_text())
    assert (said["state"], said["reason"], said["frames"]) == ("failed", "RuntimeError", 2)
    check_output_folder(out, "clip.mp4")
    for content in ("[]", "{}", '{"versions": {"etam_ros": "1"}, "state": 3}', "no JSON"):
        (out / "run.json").write_text(content)
        with pytest.raises(SourceError, match=r"holds run\.json, which no earlier run wrote"):
            check_output_folder(out, "clip.mp4")
