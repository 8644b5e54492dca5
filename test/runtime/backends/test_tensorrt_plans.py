"""Plans of TensorRT for RTX, built by the real builder, which needs no GPU."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from etam_ros.errors import BackendError
from etam_ros.runtime.backends.tensorrt.plans import KEY_FILE, PlanKey, build_plans, find_plans
from etam_ros.runtime.backends.torch.weights import NetworkSource
from etam_ros.runtime.export import export_model
from etam_ros.runtime.exported import PADDED, ExportedModel, find_export

tensorrt_rtx = pytest.importorskip("tensorrt_rtx", reason="TensorRT for RTX is not installed")
GRAPHS = ("encode_image", "self_attend", "cross_attend", "decode_mask", "encode_memory")


@pytest.fixture(scope="module")
def exported(
    export_once: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> ExportedModel:
    folder = tmp_path_factory.mktemp("engines")
    shutil.copytree(export_once("tiny_test", "fp16", PADDED), folder, dirs_exist_ok=True)
    found = export_model(NetworkSource("tiny_test", "random:0"), "fp16", folder, layout=PADDED)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def key(exported: ExportedModel) -> PlanKey:
    return PlanKey("tensorrt_rtx", tensorrt_rtx.__version__, "sm89", exported.content)


@pytest.fixture(scope="module")
def built(exported: ExportedModel, key: PlanKey) -> list[str]:
    """What the builder said while it built the plans beside `exported`."""
    steps: list[str] = []
    plans = build_plans(exported, key, tensorrt_rtx, steps.append)
    assert plans.graphs == GRAPHS
    return steps


def test_plans_of_finer_levels_and_timed_pointers_are_built(
    export_once: Callable[..., Path], tmp_path: Path
) -> None:
    source = NetworkSource("tiny_hiera_test", "random:0")
    shutil.copytree(export_once(source.model, "fp16", PADDED), tmp_path, dirs_exist_ok=True)
    exported = export_model(source, "fp16", tmp_path, layout=PADDED, build=False)
    assert exported is not None
    key = PlanKey("tensorrt_rtx", tensorrt_rtx.__version__, "sm89", exported.content)
    others = replace(exported, graphs=("encode_image", "cross_attend"))
    assert build_plans(others, key, tensorrt_rtx).graphs == others.graphs


@pytest.fixture
def copy(built: list[str], exported: ExportedModel, tmp_path: Path) -> ExportedModel:
    """The export with its plans, to be spoilt."""
    shutil.copytree(exported.folder, tmp_path / exported.folder.name)
    found = find_export(tmp_path, exported.key)
    assert found is not None
    return found


def test_every_graph_is_built_in_its_precision(
    built: list[str], exported: ExportedModel, key: PlanKey
) -> None:
    assert built == [f"building {graph} for sm89" for graph in GRAPHS]
    plans = find_plans(exported, key)
    assert plans is not None
    assert all(plans.file(graph).stat().st_size > 100_000 for graph in GRAPHS)
    steps: list[str] = []
    assert build_plans(exported, key, tensorrt_rtx, steps.append) == plans
    assert steps == []


def test_the_key_decides(built: list[str], exported: ExportedModel, key: PlanKey) -> None:
    for other in (
        replace(key, version="1.0.0"),
        replace(key, target="sm120"),
        replace(key, files="changed"),
        replace(key, workspace_mib=512),
        replace(key, format=0),
        replace(key, flavour="tensorrt"),
    ):
        assert find_plans(exported, other) is None


@pytest.mark.parametrize("spoil", ["truncated", "missing", "changed", "no key"])
def test_damaged_plans_are_not_found(copy: ExportedModel, key: PlanKey, spoil: str) -> None:
    plans = find_plans(copy, key)
    assert plans is not None
    path = plans.file("self_attend")
    content = path.read_bytes()
    if spoil == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif spoil == "missing":
        path.unlink()
    elif spoil == "changed":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    else:
        (plans.folder / KEY_FILE).write_text("{}")
    assert find_plans(copy, key) is None


def test_a_truncated_plan_is_built_again_by_two_processes_at_once(
    copy: ExportedModel, key: PlanKey
) -> None:
    plans = find_plans(copy, key)
    assert plans is not None
    plans.file("self_attend").write_bytes(b"")
    quick = ("encode_image", "self_attend")  # the others take most of the time to build
    code = (
        "import sys, tensorrt_rtx; from dataclasses import replace; from pathlib import Path\n"
        "from etam_ros.runtime.export import export_model\n"
        "from etam_ros.runtime.exported import PADDED\n"
        "from etam_ros.runtime.backends.tensorrt.plans import PlanKey, build_plans\n"
        "from etam_ros.runtime.backends.torch.weights import NetworkSource\n"
        "exported = export_model(NetworkSource('tiny_test', 'random:0'), 'fp16', "
        "Path(sys.argv[1]), layout=PADDED, build=False)\n"
        "key = PlanKey('tensorrt_rtx', tensorrt_rtx.__version__, 'sm89', exported.content)\n"
        "build_plans(replace(exported, graphs=sys.argv[2:]), key, tensorrt_rtx, print)\n"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(copy.folder.parent), *quick],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = sorted(child.communicate()[0].count("building") for child in children)
    assert [child.returncode for child in children] == [0, 0]
    assert said == [0, len(quick)]  # the second found what the first had made
    found = find_plans(copy, key)
    assert found is not None
    assert found.graphs == quick
    left = {path.name for path in copy.folder.glob(".tensorrt*")}
    assert left == {f".{key.folder}.lock"}


def test_an_unknown_target_is_said_with_those_there_are(
    exported: ExportedModel, key: PlanKey
) -> None:
    with pytest.raises(BackendError, match=r"target is sm10, expected one of .*sm89.* or default"):
        build_plans(exported, replace(key, target="sm10"), tensorrt_rtx)


def test_a_graph_that_is_none_is_said(copy: ExportedModel, key: PlanKey) -> None:
    copy.file("encode_image").write_bytes(b"no graph")
    with pytest.raises(BackendError, match=r"cannot read .*encode_image.onnx .* to export again"):
        build_plans(copy, replace(key, files="changed"), tensorrt_rtx)


def test_a_copied_folder_has_the_same_plans(copy: ExportedModel, key: PlanKey) -> None:
    for file in copy.folder.glob("*.onnx"):
        file.touch()  # copying changes times
    assert find_plans(copy, replace(key, files=copy.content)) is not None
