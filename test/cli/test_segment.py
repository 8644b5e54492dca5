"""`etam segment`, run as a user runs it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from etam_ros.cli.main import run
from etam_ros.media.label_png import encode_label_png, read_mask_values
from etam_ros.offline.output_folder import COLUMNS

HW = (90, 120)


@pytest.fixture
def image(tmp_path):
    picture = np.random.RandomState(0).randint(0, 60, (*HW, 3)).astype(np.uint8)
    picture[20:70, 30:90] = (40, 60, 220)
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), picture)
    return path


@pytest.fixture
def segment(image, tmp_path, capsys):
    """Runs `etam segment` on the picture in this process; gives code, stdout and stderr."""

    def run_segment(*more, model="tiny_pictures_test", weights="random:0", out=None):
        given = ["--weights", weights] if weights else []
        arguments = ["segment", image, "--out", out or tmp_path / "out", "--model", model, *given]
        code = run([str(argument) for argument in [*arguments, *more]])
        return code, *capsys.readouterr()

    return run_segment


def rows_of(out):
    with (out / "objects.csv").open(newline="") as file:
        table = csv.DictReader(file)
        assert tuple(table.fieldnames) == COLUMNS
        return list(table)


def write(path, *entries):
    path.write_text(json.dumps(entries))
    return path


def test_the_model_that_ships_finds_what_is_clicked_on(segment, tmp_path):
    code, said, _ = segment("--click", "60,45", model="etam_nano", weights="")
    assert code == 0
    assert said == f"segmented 1 object; results in {tmp_path / 'out'}\n"
    mask = read_mask_values(tmp_path / "out" / "masks.png") == 1
    truth = np.zeros(HW, bool)
    truth[20:70, 30:90] = True
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9
    (row,) = rows_of(tmp_path / "out")
    assert (row["frame"], row["id"], row["occluded"]) == ("0", "1", "0")
    assert 0.5 < float(row["visibility"]) <= 1.0
    assert int(row["area"]) == mask.sum()
    assert abs(float(row["cx"]) - 59.5) < 3
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "masks.png", "objects.csv", "overlay.png", "run.json",
    }  # fmt: skip
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["runs_on"].startswith("etam_nano on ")


def test_prompts_of_file_and_options_are_answered_in_order(segment, tmp_path):
    prompts = write(
        tmp_path / "prompts.json",
        {"box": [20, 10, 100, 80]},
        {"frame": 0, "object_id": 9, "points": [[60, 45]], "labels": [1], "label": "red"},
    )
    code, _, said = segment(
        "--prompts", prompts, "--click", "10,10", "--click", "7:70,50", "--box", "7:30,20,90,70",
        "--save-logits",
    )  # fmt: skip
    assert code == 0, said
    rows = rows_of(tmp_path / "out")
    assert [(row["id"], row["label"]) for row in rows] == [
        ("1", ""), ("9", "red"), ("2", ""), ("7", ""),
    ]  # fmt: skip
    assert {row["visibility"] for row in rows} == {""}  # EfficientSAM does not judge it
    ids = read_mask_values(tmp_path / "out" / "masks.png")
    smallest = min(rows, key=lambda row: int(row["area"]))
    with np.load(tmp_path / "out" / "logits.npz") as logits:
        assert len(logits) == 12
        for index, row in enumerate(rows):
            assert logits[f"q{index}_mask_logits"].shape == (3, 32, 32)
            assert logits[f"q{index}_iou"].shape == (3,)
            assert logits[f"q{index}_iou"].max() == pytest.approx(
                float(row["iou_score"]), abs=1e-6
            )
            mask = logits[f"q{index}_mask"]
            assert mask.shape == HW
            assert mask.sum() == int(row["area"])
            assert not ((ids == int(row["id"])) & ~mask).any()
            if row is smallest:
                assert ((ids == int(row["id"])) == mask).all()
    assert cv2.imread(str(tmp_path / "out" / "overlay.png")).shape == (*HW, 3)


@pytest.mark.parametrize("model", ["tiny_pictures_test", "tiny_hiera_test"])
def test_the_same_twice_over_and_nothing_of_before_is_left(segment, tmp_path, model):
    assert segment("--click", "60,45", "--save-logits", model=model)[0] == 0
    first = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert segment("--click", "60,45", "--save-logits", model=model)[0] == 0
    assert first == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert segment("--click", "60,45", model=model)[0] == 0
    assert not (tmp_path / "out" / "logits.npz").exists()


def test_everything_is_listed_the_largest_first(segment, tmp_path):
    code, said, errors = segment(
        "--everything", "--points-per-side", "4", model="etam_nano", weights=""
    )
    assert code == 0, errors
    rows = rows_of(tmp_path / "out")
    assert said == f"segmented {len(rows)} objects; results in {tmp_path / 'out'}\n"
    assert [int(row["id"]) for row in rows] == list(range(1, len(rows) + 1))
    areas = [int(row["area"]) for row in rows]
    assert areas == sorted(areas, reverse=True)
    truth = np.zeros(HW, bool)
    truth[20:70, 30:90] = True
    ids = read_mask_values(tmp_path / "out" / "masks.png")
    masks = [ids == each for each in np.unique(ids)]
    overlaps = [(mask & truth).sum() / (mask | truth).sum() for mask in masks]
    assert max(overlaps) > 0.9
    names = {"masks.png", "objects.csv", "overlay.png"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*names, "run.json"}
    first = {name: (tmp_path / "out" / name).read_bytes() for name in names}
    again = segment("--everything", "--points-per-side", "4", model="etam_nano", weights="")
    assert again[0] == 0
    assert first == {name: (tmp_path / "out" / name).read_bytes() for name in names}


def test_what_does_not_go_with_everything_is_said(segment, tmp_path):
    refused(segment("--everything", "--click", "5,5"), "--everything takes no prompts")
    refused(segment("--everything", "--save-logits"), "--save-logits is for prompts")
    refused(segment("--click", "5,5", "--crop-layers", "1"), "--crop-layers is for --everything")
    refused(segment("--everything", "--points-per-side", "0"), "points_per_side is 0", "1..64")
    assert not (tmp_path / "out").exists()


def refused(ended, *words):
    code, _, said = ended
    assert code == 2, said
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    for word in words:
        assert word in said


def test_mistakes_are_one_line(segment, tmp_path, image):
    refused(segment(), "no prompts given", "--click X,Y")
    refused(segment("--click", "5"), "--click is '5', expected [ID:]x,y in pixels")
    refused(segment("--click", "5,5@3"), "--click 5,5@3 is for frame 3", "only frame 0")
    refused(segment("--click", "120,5"), "--click 120,5: click (120, 5) lies outside")
    refused(segment("--click", "5,5", model="efficientsam_t"), "did you mean efficientsam_ti?")
    refused(
        segment(*["--click", "5,5"] * 256), "object_id: 256, but mask files hold ids up to 255"
    )
    refused(
        segment(*["--click", "5,5"] * 300), "object_id: 256, but mask files hold ids up to 255"
    )
    refused(segment(*["--click", "1:5,5"] * 257), "257 points, expected up to 256")
    refused(segment("--click", "5,5", "--backend", "onnx"), "runs only on torch")
    refused(segment("--click", "5,5", out=image.parent), "holds the source")
    for entry, words in (
        ({"frame": 2, "box": [1, 2, 3, 4]}, "entry 1 is for frame 2"),
        ({"stamp_ns": 7, "box": [1, 2, 3, 4]}, "entry 1 is for stamp_ns 7"),
        ({"box": [1, 2, 3, 4], "keep": True}, "entry 1, field keep"),
        ({"object_id": 3, "box": [1, 2, 3, 4]}, "entry 1 is one of 2 prompts for object 3"),
        ({"points": [[1, 2]]}, "entry 1, field labels"),
    ):
        prompts = write(tmp_path / "p.json", {"object_id": 3, "box": [1, 2, 30, 40]}, entry)
        refused(segment("--prompts", prompts), words)
    assert not (tmp_path / "out").exists()


def test_what_is_no_picture_is_said(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("nothing")
    for name, words in (
        ("", "is not a file, expected one picture"),
        ("nowhere.jpg", "is not a file, expected one picture"),
        ("notes.txt", "cannot be read"),
    ):
        out = str(tmp_path / "out")
        code = run(["segment", str(tmp_path / name), "--click", "5,5", "--out", out])
        refused((code, *capsys.readouterr()), words)


def test_a_folder_of_others_is_left_alone(segment, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "overlay.png").write_bytes(b"mine")
    refused(segment("--click", "5,5"), "holds overlay.png, which no earlier run wrote")
    (out / "overlay.png").unlink()
    prompts = write(out / "prompts.json", {"box": [1, 2, 30, 40]})
    assert segment("--prompts", prompts)[0] == 0
    assert segment("--prompts", prompts)[0] == 0
    (out / "notes.txt").write_text("mine")
    refused(segment("--prompts", prompts), "holds notes.txt")


def test_models_for_pictures_are_refused_by_what_follows(image, tmp_path, capsys):
    track = [
        "track", str(image), "--out", str(tmp_path / "out"), "--click", "5,5", "--model",
        "efficientsam_ti",
    ]  # fmt: skip
    labels = np.zeros(HW, np.uint8)
    labels[20:70, 30:90] = 1
    for folder, content in (("frames", image.read_bytes()), ("masks", encode_label_png(labels))):
        (tmp_path / "truth" / "clip" / folder).mkdir(parents=True)
        (tmp_path / "truth" / "clip" / folder / "00000.png").write_bytes(content)
    for arguments in (
        track,
        [*track, "--weights", "random:0", "--backend", "torch"],
        ["eval", str(tmp_path / "truth"), "--model", "efficientsam_ti"],
        ["demo", "--model", "efficientsam_ti", "--out", str(tmp_path / "demo")],
        [
            "pretrain",
            "--teacher",
            "etam_nano",
            "--student",
            "efficientsam_ti",
            "--data",
            str(tmp_path / "truth"),
        ],
        ["bench", "--model", "efficientsam_s", "--weights", "random:0"],
        ["export", "efficientsam_s", "--weights", "random:0", "--engine-dir", str(tmp_path / "e")],
    ):
        assert run(arguments) == 2
        lines = capsys.readouterr().err.splitlines(keepends=True)
        said = "".join(line for line in lines if "getting ready" not in line)
        assert "which segments single pictures and cannot track: use it with `etam se" in said
        assert said.count("\n") == 1, said


def test_weights_that_are_not_here_name_the_command(segment, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    refused(
        segment("--click", "5,5", model="efficientsam_s", weights=""),
        "run `etam weights get efficientsam_s`",
    )


def test_weights_lie_where_torch_hub_keeps_them(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    file = tmp_path / "torch" / "hub" / "checkpoints" / "efficient_sam_vits.pt.zip"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    for verb in ("get", "path"):
        assert run(["weights", verb, "efficientsam_s"]) == 0
        assert Path(capsys.readouterr().out.strip()) == file
