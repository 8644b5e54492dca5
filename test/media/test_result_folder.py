"""Results are never lost, and never look finished when they are not."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from etam_ros.errors import SourceError
from etam_ros.media import result_folder
from etam_ros.media.result_folder import ResultFolder
from etam_ros.media.result_kind import ResultKind, check_result_folder
from etam_ros.media.run_record import (
    COMPLETE,
    CUT,
    FAILED,
    INTERRUPTED,
    RUNNING,
    RunRecord,
    read_record,
    write_record,
)

KIND = ResultKind(
    "draw", ("masks", "table.csv", "film.mp4"), inside={"masks": r"\d+\.png(\.part)?"}
)
RECORD = RunRecord("draw", "clip.mp4", files=("masks", "table.csv"))


def write(run: ResultFolder, words: str, frames: int = 2) -> None:
    """Leave a table that says so, and some masks."""
    (run.place / "masks").mkdir()
    (run.place / "table.csv").write_text(words)
    for number in range(frames):
        (run.place / "masks" / f"{number}.png").write_text(words)
        run.frames += 1


def finished(out: Path, words: str, frames: int = 2) -> ResultFolder:
    with ResultFolder(out, KIND, RECORD) as run:
        write(run, words, frames)
    return run


def state_of(folder: Path) -> str:
    record = read_record(folder / "run.json")
    assert record is not None
    return record.state


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_record_is_written_first_and_completed_last(tmp_path: Path) -> None:
    with ResultFolder(tmp_path / "out", KIND, RECORD) as run:
        told = json.loads((tmp_path / "out" / "run.json").read_text())
        assert (told["state"], told["frames"], told["source"]) == (RUNNING, None, "clip.mp4")
        assert {"etam_ros", "python", "torch"} <= told["versions"].keys()
        write(run, "first")
        assert state_of(tmp_path / "out") == RUNNING
    told = json.loads((tmp_path / "out" / "run.json").read_text())
    assert (told["state"], told["frames"]) == (COMPLETE, 2)
    assert told["files"] == ["masks", "table.csv"]


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (KeyboardInterrupt(), INTERRUPTED, ""),
        (SourceError("no room"), FAILED, "no room"),
        (MemoryError(), FAILED, "MemoryError"),
    ],
)
def test_a_run_that_does_not_end_well_says_so(tmp_path: Path, error, state, reason) -> None:
    def fail() -> None:
        with ResultFolder(tmp_path / "out", KIND, RECORD) as run:
            write(run, "first")
            raise error

    with pytest.raises(type(error)):
        fail()
    record = read_record(tmp_path / "out" / "run.json")
    assert (record.state, record.reason, record.frames) == (state, reason, 2)


def test_whole_results_are_replaced_by_whole_ones_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    finished(out, "first", frames=3)
    for state in (INTERRUPTED, CUT, FAILED):
        with ResultFolder(out, KIND, RECORD) as run:
            write(run, state)
            assert (out / "table.csv").read_text() == "first"
            run.end(state)
        assert run.keeps_earlier
        assert (state_of(out), state_of(out / "unfinished")) == (COMPLETE, state)
        assert (out / "table.csv").read_text() == "first"
        assert len(names(out / "masks")) == 3
        assert (out / "unfinished" / "table.csv").read_text() == state
    assert not finished(out, "second", frames=1).keeps_earlier
    assert names(out) == {"run.json", "masks", "table.csv"}
    assert names(out / "masks") == {"0.png"}
    assert (out / "table.csv").read_text() == "second"


def test_interrupted_results_are_replaced_by_others_but_not_by_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with ResultFolder(out, KIND, RECORD) as run:
        write(run, "first")
        run.end(INTERRUPTED)
    with pytest.raises(SourceError), ResultFolder(out, KIND, RECORD) as run:
        raise SourceError("no room")
    assert (out / "table.csv").read_text() == "first"
    with ResultFolder(out, KIND, RECORD) as run:
        write(run, "second")
        run.end(CUT, "half a file")
    assert (state_of(out), (out / "table.csv").read_text()) == (CUT, "second")


@pytest.mark.parametrize("stage", ["nothing", "part", "record", "some", "beside"])
def test_a_kill_at_any_time_does_not_lock_the_folder(tmp_path: Path, stage: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    if stage == "part":
        (out / "run.json.part").write_text('{"etam')
    if stage == "beside":
        finished(out, "first")
        (out / "unfinished").mkdir()
    if stage in ("record", "some"):
        write_record(out / "run.json", RECORD)
    if stage == "some":
        (out / "masks").mkdir()
        (out / "masks" / "0.png.part").write_text("half")
        (out / "table.csv.part").write_text("half")
    check_result_folder(out, KIND)
    finished(out, "next")
    assert names(out) == {"run.json", "masks", "table.csv"}
    assert names(out / "masks") == {"0.png", "1.png"}
    assert state_of(out) == COMPLETE


def test_a_kill_while_results_take_the_place_of_others_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    counted = [0]
    rename, replace = Path.rename, Path.replace

    def killed_at(limit: int):
        def move(way):
            def moved(path: Path, target: Path) -> Path:
                counted[0] += 1
                if counted[0] > limit:
                    raise Killed
                return way(path, target)

            return moved

        monkeypatch.setattr(Path, "rename", move(rename))
        monkeypatch.setattr(Path, "replace", move(replace))

    for limit in range(1, 9):
        out = tmp_path / str(limit)
        finished(out, "first", frames=3)
        counted[0] = -1  # the record of the new run comes before
        killed_at(limit)
        with contextlib.suppress(Killed):
            finished(out, "second", frames=2)
        monkeypatch.undo()
        if state_of(out) == COMPLETE:
            words = (out / "table.csv").read_text()
            masks = [path.read_text() for path in (out / "masks").iterdir()]
            assert masks == [words] * (3 if words == "first" else 2)
        with pytest.raises(SourceError), ResultFolder(out, KIND, RECORD):
            raise SourceError("no room")
        words = (out / "table.csv").read_text()
        masks = [path.read_text() for path in (out / "masks").iterdir()]
        assert masks == [words] * (3 if words == "first" else 2)
        assert state_of(out) == COMPLETE


@pytest.mark.parametrize("name", ["notes.txt", "film.mp4", "table.csv", "masks", "run.json"])
def test_what_others_have_made_is_left_alone(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("precious")
    with pytest.raises(SourceError, match=f"holds {name}, which no earlier run wrote"):
        check_result_folder(out, KIND)
    with pytest.raises(SourceError, match=name):
        ResultFolder(out, KIND, RECORD)
    assert (out / name).read_text() == "precious"
    assert names(out) == {name}


def test_what_others_put_beside_or_between_results_is_left_alone(tmp_path: Path) -> None:
    finished(tmp_path, "first")
    for path in (tmp_path / "film.mp4", tmp_path / "masks" / "notes.txt"):
        path.write_text("precious")
        with pytest.raises(SourceError, match=path.name):
            ResultFolder(tmp_path, KIND, RECORD)
        path.unlink()
    other = ResultKind("paint", KIND.files, inside=KIND.inside)
    with pytest.raises(SourceError, match="earlier output of `etam paint`"):
        check_result_folder(tmp_path, other)


@pytest.mark.parametrize("name", ["masks", "table.csv", "run.json", "unfinished", "run.json.part"])
def test_links_are_not_followed(tmp_path: Path, name: str) -> None:
    out, precious = tmp_path / "out", tmp_path / "precious"
    finished(out, "first")
    precious.mkdir()
    (precious / "0.png").write_text("precious")
    result_folder._remove(out / name)
    is_folder = name in ("masks", "unfinished")
    (out / name).symlink_to(precious if is_folder else precious / "0.png")
    with pytest.raises(SourceError, match="which no earlier run wrote"):
        ResultFolder(out, KIND, RECORD)
    (out / name).unlink()
    if is_folder:
        return
    (out / "masks" / "1.png").unlink()
    (out / "masks" / "1.png").symlink_to(precious / "0.png")
    with pytest.raises(SourceError):
        ResultFolder(out, KIND, RECORD)
    assert (precious / "0.png").read_text() == "precious"


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    with ResultFolder(tmp_path, KIND, RECORD) as run:
        write(run, "first")
        for second in (
            lambda: check_result_folder(tmp_path, KIND),
            lambda: ResultFolder(tmp_path, KIND, RECORD),
        ):
            with pytest.raises(SourceError, match="is being written by another run"):
                second()
    assert (tmp_path / "table.csv").read_text() == "first"
    check_result_folder(tmp_path, KIND)


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", "nonsense", '{"etam_ros_run": 1}', '{"etam_ros_run": "1"}', "[" * 9999,
        '{"etam_ros_run": 1, "command": "draw", "source": "a", "files": ["../../home"]}',
        '{"etam_ros_run": 1, "command": "draw", "source": "a", "files": [1]}',
        '{"etam_ros_run": 1, "command": "draw", "source": "a", "state": ["complete"]}',
        '{"etam_ros_run": 1, "command": "draw", "source": "a", "more": 1}',
    ],
)  # fmt: skip
def test_a_record_that_no_run_has_written_marks_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    assert read_record(tmp_path / "run.json") is None
    with pytest.raises(SourceError, match="no earlier run wrote"):
        check_result_folder(tmp_path, KIND)


def test_results_may_be_shared_with_files_of_others_under_other_names(tmp_path: Path) -> None:
    shared = ResultKind("draw", KIND.files, inside=KIND.inside, is_shared=True)
    finished(tmp_path, "first")
    (tmp_path / "notes.txt").write_text("mine")
    with ResultFolder(tmp_path, shared, RECORD, resumed=True) as run:
        assert run.place == tmp_path
    assert (tmp_path / "notes.txt").read_text() == "mine"
    (tmp_path / "film.mp4").write_text("mine")
    with pytest.raises(SourceError, match=r"holds film\.mp4"):
        ResultFolder(tmp_path, shared, RECORD, resumed=True)
