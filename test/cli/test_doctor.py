"""`etam doctor` on this machine, and on machines where things are missing or broken."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from etam_ros.cli.terminal import findings
from etam_ros.cli.terminal.findings import Piece, _extra, find_all
from etam_ros.ros.transport import VARIABLES


def findings_of(done):
    return {item["name"]: item for item in json.loads(done.stdout)["findings"]}


def break_modules(folder: Path, **modules: str) -> str:
    """Modules that come first on the path; the value is the statement they run."""
    for name, statement in modules.items():
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(statement + "\n")
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))


def test_here_the_tracker_runs(etam):
    done = etam("doctor")
    assert done.returncode == 0, done.stdout
    assert "The tracker (etam track) runs here." in done.stdout


def test_json_says_the_same(etam):
    done = etam("doctor", "--json")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["tracker_runs"] is True
    found = findings_of(done)
    assert found["PyTorch"]["status"] == "ok"
    for name in ("tensorrt", "tensorrt_rtx"):
        assert "GPU" in found[name]["without"] or found[name]["status"] == "ok"
    assert found["openvino"]["detail"].startswith("openvino 20")
    assert found["auto"]["detail"].startswith("etam_nano: ")
    for item in found.values():
        assert item["status"] in ("ok", "missing", "broken")
        assert item["detail"]
        if item["status"] in ("missing", "broken"):
            assert item["without"], item["name"]


def test_a_missing_torch_is_exit_code_1_and_the_command_that_gets_it(etam, tmp_path):
    statement = "raise ModuleNotFoundError('No module named torch', name='torch')"
    done = etam("doctor", PYTHONPATH=break_modules(tmp_path, torch=statement))
    assert done.returncode == 1
    assert "pip install torch" in done.stdout
    assert "does not run here: PyTorch" in done.stdout


def test_pieces_that_break_on_import_are_findings_and_the_rest_goes_on(etam, tmp_path):
    broken = "raise RuntimeError('ABI 7')"
    path = break_modules(
        tmp_path, av=broken, onnxruntime=broken, vision_msgs="raise SystemExit(3)",
        launch_ros="import no_such_thing", cv_bridge="import os; os.abort()",
    )  # fmt: skip
    done = etam("doctor", "--json", PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    found = findings_of(done)
    for name in ("PyAV", "onnx"):
        assert (found[name]["status"], found[name]["detail"]) == ("broken", "RuntimeError: ABI 7")
    assert (found["vision_msgs"]["status"], found["cv_bridge"]["status"]) == ("broken", "broken")
    assert found["launch_ros"]["status"] == "missing"
    assert found["launch_ros"]["detail"] == "needs no_such_thing"
    assert (found["OpenCV"]["status"], found["openvino"]["status"]) == ("ok", "ok")
    assert found["auto"]["status"] == "ok"
    assert "onnx fp32: not installed, or broken" in found["auto"]["detail"]


def test_an_rclpy_that_kills_its_process_stops_the_node_alone(etam, tmp_path):
    """And what it says to install is what pip can install."""
    statement = "raise ModuleNotFoundError('No module named openvino', name='openvino')"
    path = break_modules(tmp_path, rclpy="raise SystemExit(7)", openvino=statement)
    done = etam("doctor", "--json", PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["tracker_runs"], report["node_runs"]) == (True, False)
    remedy = findings_of(done)["openvino"]["remedy"] or _extra("openvino")
    assert "etam_ros[" not in remedy, "which is on no index"
    wanted = shlex.split(remedy)[2:]
    assert {Requirement(each).name for each in wanted} == {"onnx", "onnxscript", "openvino"}


def test_the_transport_profile_in_effect_is_named(etam, tmp_path, monkeypatch):
    for variable in VARIABLES:  # tests of ROS may have set ours
        monkeypatch.delenv(variable, raising=False)
    profile = tmp_path / "mine.xml"
    profile.write_text("<dds/>")
    mine = etam("doctor", "--json", FASTDDS_DEFAULT_PROFILES_FILE=str(profile))
    assert str(profile) in findings_of(mine)["DDS profile"]["detail"]
    lost = etam("doctor", "--json", FASTDDS_DEFAULT_PROFILES_FILE=str(tmp_path / "no.xml"))
    assert findings_of(lost)["DDS profile"]["status"] == "missing"


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_it_runs_without_what_the_other_commands_are_made_of(etam, tmp_path, missing):
    statement = f"raise ModuleNotFoundError('No module named {missing}', name='{missing}')"
    path = break_modules(tmp_path, **{missing: statement})
    done = etam("doctor", "--json", PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert findings_of(done)[missing]["status"] == "missing"
    done = etam("doctor", PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert "The tracker (etam track) runs here." in done.stdout
    assert f"pip install {missing}" in done.stdout


def test_another_command_without_typer_is_one_line(etam, tmp_path):
    statement = "raise ModuleNotFoundError('No module named typer', name='typer')"
    done = etam("track", PYTHONPATH=break_modules(tmp_path, typer=statement))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: etam needs the Python module typer, which is not installed")
    assert "pip install typer" in line


def test_what_the_page_lacks_is_named(monkeypatch):
    def found():
        return next(item for item in find_all() if item.name == "web page")

    assert found().detail.startswith("starlette ")
    monkeypatch.setattr(findings, "LIBRARIES", ("starlette", "no_such_server"))
    assert (found().status, found().detail) == ("missing", "no_such_server not installed")
    assert found().remedy.startswith("pip install ")


def test_what_only_apt_has_is_named_as_its_package(monkeypatch):
    monkeypatch.delenv("ROS_DISTRO", raising=False)
    assert findings._ros_remedy("vision_msgs").startswith(
        "sudo apt install ros-DISTRO-vision-msgs, where ROS 2 is installed; not on PyPI"
    )
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    assert findings._ros_remedy("vision_msgs") == "sudo apt install ros-jazzy-vision-msgs"


def test_every_piece_has_its_own_name():
    names = [(item.group, item.name) for item in find_all()]
    assert len(names) == len(set(names))


def test_what_a_description_raises_is_the_finding():
    def describe(_):
        raise LookupError("none downloaded")

    found = Piece("Files", "weights", "tracking", "etam weights get x", None, describe).find()
    assert (found.status, found.detail) == ("missing", "none downloaded")
    assert found.remedy == "etam weights get x"
