"""Prompts that were picked stay in the output folder; those of a stranger are left alone."""

from __future__ import annotations

import pytest

from etam_ros.errors import SourceError
from etam_ros.media.result_folder import ResultFolder
from etam_ros.media.run_record import RunRecord
from etam_ros.offline.output_folder import COLUMNS, TRACKED, check_output_folder, kept_names


@pytest.fixture
def out(tmp_path):
    """The folder of a run from before there were records, on which somebody clicked first."""
    folder = tmp_path / "out"
    (folder / "masks").mkdir(parents=True)
    (folder / "masks" / "00000.png").write_bytes(b"")
    (folder / "objects.csv").write_text(",".join(COLUMNS) + "\n")
    (folder / "prompts.json").write_text("[]")
    (folder / "prompts_2.png").write_bytes(b"")
    return folder


def test_what_was_clicked_survives_the_next_run(out):
    check_output_folder(out, "clip.mp4")
    kept = kept_names(out, None)
    assert kept == {"prompts.json", "prompts_2.png"}
    record = RunRecord("track", "clip.mp4", files=("masks",))
    with ResultFolder(out, TRACKED, record, kept=kept) as run:
        (run.place / "masks").mkdir()
    assert {path.name for path in out.iterdir()} == {"run.json", "masks", *kept}
    assert list((out / "masks").iterdir()) == []


def test_prompts_alone_are_someone_elses_unless_they_are_read(out):
    for path in (out / "masks" / "00000.png", out / "objects.csv"):
        path.unlink()
    (out / "masks").rmdir()
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
    with pytest.raises(SourceError, match=r"cannot be created or written: .*file is not a folder"):
        check_output_folder(tmp_path / "file" / "out", "clip.mp4")
    check_output_folder(tmp_path / "new" / "newer", "clip.mp4")
