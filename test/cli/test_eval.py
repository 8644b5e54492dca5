"""`etam eval` as a user runs it."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from etam_ros.cli.main import run
from etam_ros.media.label_png import encode_label_png


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in ("cup", "dog"):
        for kind in ("frames", "masks"):
            (tmp_path / "data" / name / kind).mkdir(parents=True)
        for index in range(4):
            labels = np.zeros((48, 64), np.uint8)
            labels[10:30, 10 + 3 * index : 30 + 3 * index] = 1
            stem = f"{index:05d}"
            picture = rng.integers(0, 255, (48, 64, 3), np.uint8)
            cv2.imwrite(str(tmp_path / "data" / name / "frames" / f"{stem}.jpg"), picture)
            mask = tmp_path / "data" / name / "masks" / f"{stem}.png"
            mask.write_bytes(encode_label_png(labels))
    return tmp_path / "data"


TINY = ("--model", "tiny_test", "--weights", "random:0")


def test_a_table_and_a_file_with_the_same_numbers(etam, dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.json"
    finished = etam("eval", str(dataset), *TINY, "--prompt", "box", "--out", str(out))
    assert finished.returncode == 0, finished.stderr
    report = json.loads(out.read_text())
    assert report["prompt"] == "box"
    assert list(report["sequences"]) == ["cup", "dog"]
    line = next(line for line in finished.stdout.splitlines() if "mean" in line)
    printed = [float(cell) for cell in line.split("│") if cell.strip().replace(".", "").isdigit()]
    mean = report["mean"]
    for number, key in zip(printed, ("j", "f", "j_and_f"), strict=True):
        assert number == pytest.approx(100 * mean[key], abs=0.06)


def test_sequences_can_be_chosen(etam, dataset: Path) -> None:
    finished = etam("eval", str(dataset), *TINY, "--sequences", "dog")
    assert "dog" in finished.stdout
    assert "cup" not in finished.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--prompt", "word"), "expected one of mask, box, 1-click, 3-clicks"),
        (("--sequences", "cat"), "holds no sequence cat, it holds cup, dog"),
    ],
)
def test_mistakes_are_one_line(etam, dataset: Path, options: tuple[str, ...], words: str) -> None:
    finished = etam("eval", str(dataset), *TINY, *options)
    assert finished.returncode == 2
    assert finished.stderr.count("\n") == 1
    assert words in finished.stderr


@dataclass
class Finished:
    code: int
    stdout: str
    stderr: str


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Run `etam` in this process, which has imported everything already."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*args: str) -> Finished:
        code = run(args)
        said = capsys.readouterr()
        return Finished(code, said.out, said.err)

    return call


def test_baselines_stand_beside_the_model(here, dataset: Path, tmp_path: Path) -> None:
    out, sheets = tmp_path / "scores.json", tmp_path / "new" / "sheets"
    finished = here(
        "eval", str(dataset), *TINY, "--baseline", "flow,copy", "--out", str(out),
        "--save", str(sheets),
    )  # fmt: skip
    assert finished.code == 0, finished.stderr
    report = json.loads(out.read_text())
    assert list(report["baselines"]) == ["flow", "copy"]
    assert list(report["baselines"]["copy"]["sequences"]) == ["cup", "dog"]
    line = next(line for line in finished.stdout.splitlines() if "mean J&F" in line)
    means = [report["mean"], *(each["mean"] for each in report["baselines"].values())]
    for mean in means:
        assert f"{100 * mean['j_and_f']:.1f}" in line
    assert sorted(path.name for path in sheets.iterdir()) == ["cup.jpg", "dog.jpg"]
    sheet = cv2.imread(str(sheets / "cup.jpg"))
    assert sheet.shape[0] > 3 * 200, "a row for the model and for each baseline"
    assert sheet.shape[1] > 4 * 300, "a column for each frame"


def test_baselines_can_be_judged_alone(here, dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.json"
    finished = here("eval", str(dataset), "--no-model", "--baseline", "copy", "--out", str(out))
    assert finished.code == 0, finished.stderr
    report = json.loads(out.read_text())
    assert "model" not in report
    assert "mean" not in report
    expected = np.mean([17 / 23, 14 / 26])  # moved by 3 and 6 of 20 pixels
    assert report["baselines"]["copy"]["mean"]["j"] == pytest.approx(expected)


def test_a_report_is_a_page_and_tables(here, dataset: Path, tmp_path: Path) -> None:
    report = tmp_path / "report"
    finished = here("eval", str(dataset), *TINY, "--report", str(report))
    assert finished.code == 0, finished.stderr
    assert f"report: {report / 'index.html'}" in finished.stdout
    names = {path.name for path in report.iterdir()}
    assert names == {
        "frames.csv", "index.html", "objects.csv", "pictures", "report.json", "results",
        "run.json", "times.json",
    }  # fmt: skip
    rows = list(csv.DictReader((report / "objects.csv").open()))
    assert [(row["video"], row["id"], row["frames"]) for row in rows] == [
        ("cup", "1", "2"),
        ("dog", "1", "2"),
    ]
    mean = json.loads((report / "report.json").read_text())["mean"]["j_and_f"]
    assert np.mean([float(row["j_and_f"]) for row in rows]) == pytest.approx(mean, abs=1e-5)
    frames = list(csv.DictReader((report / "frames.csv").open()))
    assert [row["frame"] for row in frames if row["video"] == "cup"] == ["1", "2"]


@pytest.mark.parametrize("form", ["new run", "two folders"])
def test_runs_are_compared(here, dataset: Path, tmp_path: Path, form: str) -> None:
    copy, flow = tmp_path / "copy", tmp_path / "flow"
    words = ("--no-model", "--baseline")
    here("eval", str(dataset), *words, "copy", "--report", str(copy))
    new = ("eval", str(dataset), *words, "flow", "--report", str(flow))
    if form == "new run":
        finished = here(*new, "--compare", str(copy))
        assert "Against" in (flow / "index.html").read_text()
    else:
        here(*new)
        finished = here("eval", "--compare", str(copy), str(flow))
    assert finished.code == 0, finished.stderr
    assert f"J&F against {copy}" in finished.stdout
    assert "points of J&F, 95 % interval" in finished.stdout
    assert "changed: baselines was copy, is flow" in finished.stdout


def test_the_same_run_differs_in_nothing(here, dataset: Path, tmp_path: Path) -> None:
    report = tmp_path / "report"
    here("eval", str(dataset), "--no-model", "--baseline", "copy", "--report", str(report))
    finished = here("eval", str(report), "--compare", str(report))
    assert "no difference at all" in finished.stdout


@pytest.mark.parametrize(("least", "code"), [("20", 0), ("90", 3)])
def test_a_mean_that_is_too_low_fails(here, dataset: Path, least: str, code: int) -> None:
    words = ("--no-model", "--baseline", "copy", "--fail-under", least)
    finished = here("eval", str(dataset), *words)
    assert finished.code == code
    assert ("is under 90" in finished.stdout) == (code == 3)


@pytest.mark.parametrize("protocol", ["online", "offline"])
def test_protocols_that_correct(here, dataset: Path, tmp_path: Path, protocol: str) -> None:
    out = tmp_path / "scores.json"
    words = ("--protocol", protocol, "--interactions", "2", "--clicks", "1", "--out", str(out))
    finished = here("eval", str(dataset), *TINY, *words)
    assert finished.code == 0, finished.stderr
    assert f"3-clicks on the first frame, {protocol} up to 2 interacted frames" in finished.stdout
    report = json.loads(out.read_text())
    assert [each["interacted_frames"] for each in report["curve"]][-1] == 2
    assert all(
        len(item["interacted"]) == 2
        for each in report["sequences"].values()
        for item in each["objects"]
    )


def test_boxes_beside_frames(here, dataset: Path, tmp_path: Path) -> None:
    rows = "".join(f"{i},1,{10 + 3 * i},10,{30 + 3 * i},30\n" for i in range(4))
    table = tmp_path / "boxes.csv"
    table.write_text("frame,id,x0,y0,x1,y1\n" + rows)
    words = ("--truth", str(table), "--no-model", "--baseline", "copy", "--prompt", "box")
    finished = here("eval", str(dataset / "cup/frames"), *words)
    assert finished.code == 0, finished.stderr
    assert "frames " in finished.stdout
    assert finished.stdout.count("-") > 0, "no outlines"


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    for kind in ("images", "masks"):
        (tmp_path / "photographs" / kind).mkdir(parents=True)
    labels = np.zeros((48, 64), np.uint8)
    labels[10:30, 10:30] = 3
    picture = np.full((48, 64, 3), 40, np.uint8)
    picture[labels > 0] = (20, 90, 240)
    cv2.imwrite(str(tmp_path / "photographs/images/street.png"), picture)
    (tmp_path / "photographs/masks/street.png").write_bytes(encode_label_png(labels))
    return tmp_path / "photographs"


def test_photographs_are_judged_right_after_the_prompt(
    here, photographs: Path, tmp_path: Path
) -> None:
    out, sheets = tmp_path / "scores.json", tmp_path / "sheets"
    finished = here(
        "eval", str(photographs), *TINY, "--baseline", "all", "--out", str(out),
        "--save", str(sheets),
    )  # fmt: skip
    assert finished.code == 0, finished.stderr
    report = json.loads(out.read_text())
    assert report["prompt"] == "1-click"
    assert report["mean"]["masks"] == 1
    assert report["baselines"]["grabcut"]["mean"]["iou"] > 0.95
    assert report["images"]["street"][0]["object_id"] == 3
    line = next(line for line in finished.stdout.splitlines() if "mean IoU" in line)
    assert f"{report['baselines']['disc']['mean']['iou']:.3f}" in line
    assert (sheets / "street.jpg").is_file()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--baseline", "disc"), "baseline is 'disc', expected copy, flow, grabcut or all"),
        (("--no-model",), "nothing to evaluate: --no-model needs --baseline"),
        (("--protocol", "online", "--baseline", "copy"), "baselines take no corrections"),
        (("--protocol", "often"), "protocol is 'often', expected one of semi, online, offline"),
        (("--compare", "gone"), "gone holds no results of an evaluation"),
        (("--against", "gone"), "holds no bag, expected files ending in .mcap or .db3"),
        (("--truth", "gone.csv"), "--truth gone.csv does not exist, expected a folder of masks"),
        (("--ray", "127.0.0.1:1"), "no Ray cluster at '127.0.0.1:1'"),
    ],
)
def test_mistakes_with_baselines(
    here, dataset: Path, options: tuple[str, ...], words: str
) -> None:
    finished = here("eval", str(dataset), *options)
    assert finished.code == 2
    assert finished.stderr.count("\n") == 1
    assert words in finished.stderr


def test_a_report_says_whether_it_is_whole(here, dataset: Path, tmp_path: Path) -> None:
    report = tmp_path / "report"

    def judge(baseline: str, *more: str):
        words = ("--no-model", "--baseline", baseline, "--report", str(report))
        return here("eval", str(dataset), *words, *more)

    def told() -> dict:
        return json.loads((report / "run.json").read_text())

    assert judge("copy").code == 0
    assert told()["state"] == "complete"
    assert told()["frames"] > 0
    assert judge("flow").code == 2  # other settings: nothing is added, and nothing lost
    assert told()["state"] == "complete"
    assert judge("flow", "--fresh").code == 0
    assert told()["state"] == "complete"
    assert not (report / "unfinished").exists()
    assert list(json.loads((report / "report.json").read_text())["baselines"]) == ["flow"]
    (report / "run.json").write_text(json.dumps(told() | {"state": "running"}))  # as if killed
    looked = here("eval", str(report))
    assert looked.code == 0
    assert f"{report} is not whole, its run.json says running" in looked.stderr


def test_results_of_others_are_no_report(here, dataset: Path, tmp_path: Path) -> None:
    results = tmp_path / "work" / "results"
    results.mkdir(parents=True)
    (results / "thesis.json").write_text("[1, 2, 3]")
    words = ("--no-model", "--baseline", "copy", "--report", str(results.parent), "--fresh")
    looked = here("eval", str(dataset), *words)
    assert looked.code == 2
    assert "holds results, which no earlier run wrote" in looked.stderr
    assert (results / "thesis.json").read_text() == "[1, 2, 3]"


@pytest.mark.parametrize("more", [(), ("--fresh",)])
def test_reports_of_another_kind_are_left_alone(
    here, dataset: Path, photographs: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    kinds = {"videos": (str(dataset), "copy"), "photographs": (str(photographs), "disc")}
    for kind, (source, baseline) in kinds.items():
        options = ("--no-model", "--baseline", baseline, "--report", str(tmp_path / f"of_{kind}"))
        assert here("eval", source, *options).code == 0
    for kind, (source, baseline) in kinds.items():
        (other,) = (tmp_path / f"of_{name}" for name in kinds if name != kind)
        before = {path: path.read_bytes() for path in other.rglob("*.*") if path.is_file()}
        options = ("--no-model", "--baseline", baseline, "--report", str(other))
        refused = here("eval", source, *options, *more)
        assert refused.code == 2
        assert f"holds something other than evaluated {kind}" in refused.stderr
        assert {path: path.read_bytes() for path in before} == before
