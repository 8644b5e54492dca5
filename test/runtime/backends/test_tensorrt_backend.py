"""Who may open plans: keys, refusals, auto, and GPUs elsewhere; no plan is built or loaded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from etam_ros import open_stages
from etam_ros.cli.main import run
from etam_ros.errors import BackendError
from etam_ros.model.checkpoint import load_network
from etam_ros.model.config import TINY_TEST
from etam_ros.runtime import engines
from etam_ros.runtime.backend import EngineRequest
from etam_ros.runtime.backends.tensorrt import backend as tensorrt_backend
from etam_ros.runtime.backends.tensorrt.backend import TensorRTRtxBackend
from etam_ros.runtime.backends.tensorrt.plans import DEFAULT_TARGETS, KEY_FILE, PlanKey
from etam_ros.runtime.backends.torch.backend import TorchBackend
from etam_ros.runtime.backends.torch.stages import constants_of, sizes_of
from etam_ros.runtime.backends.torch.weights import NetworkSource, hash_weights
from etam_ros.runtime.export import OPSET
from etam_ros.runtime.exported import (
    PADDED,
    ExportedModel,
    ExportKey,
    write_export,
)
from etam_ros.runtime.parity import ParityReport
from etam_ros.runtime.sealed import sealed
from etam_ros.tracking.parity_clip import follow_clip

VERSION = "1.7.1"


@pytest.fixture
def exported(tmp_path: Path) -> ExportedModel:
    """An export of tiny_test as it lies on a disk; its graphs are empty words."""
    network = load_network(TINY_TEST, "random:0")
    weights = hash_weights(network.state_dict())
    key = ExportKey("tiny_test", weights, "fp16", OPSET, PADDED)

    def export(folder: Path) -> list[str]:
        (folder / "self_attend.onnx").write_bytes(b"a graph")
        return ["self_attend"]

    return write_export(tmp_path, key, sizes_of(network), constants_of(network), export)


def write_plans(exported: ExportedModel, key: PlanKey) -> None:
    """Plans of a key as they lie on a disk."""
    folder = exported.folder / key.folder
    folder.mkdir()
    plan = f"for {key.target}".encode()
    (folder / "self_attend.plan").write_bytes(plan)
    told = {"key": asdict(key), "plans": {"self_attend": hashlib.sha256(plan).hexdigest()}}
    (folder / KEY_FILE).write_text(json.dumps(sealed(told)))


@pytest.fixture
def key(exported: ExportedModel) -> PlanKey:
    return PlanKey("tensorrt_rtx", VERSION, "sm89", exported.content)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """TensorRT for RTX as far as keys are concerned."""
    capabilities = SimpleNamespace(SM89=1, SM120=2)
    found = SimpleNamespace(
        __name__="tensorrt_rtx", __version__=VERSION, ComputeCapability=capabilities
    )
    monkeypatch.setattr(TensorRTRtxBackend, "load_library", classmethod(lambda _: found))
    return found


@pytest.fixture
def rtx_4090(library: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine that says that it has a GPU, on which no plan is ever loaded."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 9))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA GeForce RTX 4090")
    monkeypatch.setattr(TensorRTRtxBackend, "open", lambda *_: pytest.fail("was loaded"))
    return monkeypatch


def request_for(exported: ExportedModel) -> EngineRequest:
    return EngineRequest(
        "tiny_test", "random:0", "tensorrt_rtx", "fp16", str(exported.folder.parent)
    )


def backend_for(exported: ExportedModel, **changes: object) -> TensorRTRtxBackend:
    request = replace(request_for(exported), **changes)
    return TensorRTRtxBackend(request, NetworkSource(request.model, request.weights))


class BuiltError(Exception):
    """Plans of this key would be built now."""

    def __init__(self, key: PlanKey) -> None:
        super().__init__(key.folder)
        self.key = key


@pytest.mark.parametrize("differs", ["GPU", "version", "workspace", "export"])
def test_plans_of_another_key_are_refused_with_the_command_or_built(
    exported: ExportedModel,
    key: PlanKey,
    library: SimpleNamespace,
    rtx_4090: pytest.MonkeyPatch,
    differs: str,
) -> None:
    write_plans(exported, replace(key, files="another") if differs == "export" else key)
    request, wanted = request_for(exported), "1.7.1 for sm89 ("
    if differs == "GPU":
        rtx_4090.setattr(torch.cuda, "get_device_capability", lambda: (12, 0))
        wanted = "1.7.1 for sm120 ("
    elif differs == "version":
        library.__version__ = "9.9.9"
        wanted = "9.9.9 for sm89 ("
    elif differs == "workspace":
        request, wanted = replace(request, workspace_mib=256), "for sm89 within 256 MiB ("
    with pytest.raises(BackendError) as refused:
        engines.open_engine(request, follow_clip, build=False)
    (line,) = str(refused.value).splitlines()
    assert wanted in line
    assert "there are plans of another key: tensorrt_rtx-1.7.1-sm89)" in line
    assert "run `etam build tiny_test --backend tensorrt_rtx --precision fp16 --weights" in line
    assert ("--workspace-mib 256" in line) == (differs == "workspace")

    def built(exported: ExportedModel, key: PlanKey, *_: object) -> None:
        raise BuiltError(key)

    rtx_4090.setattr(tensorrt_backend, "build_plans", built)
    with pytest.raises(BuiltError) as wants:
        engines.open_engine(request, follow_clip, build=True)
    assert wants.value.key.workspace_mib == (256 if differs == "workspace" else 0)


@pytest.mark.usefixtures("rtx_4090")
def test_plans_built_within_a_limit_are_found_by_who_names_none(
    exported: ExportedModel, key: PlanKey
) -> None:
    write_plans(exported, replace(key, workspace_mib=256))

    def found(limit: int | None) -> bool:
        return not backend_for(exported, workspace_mib=limit).lacks()

    assert [found(limit) for limit in (None, 256, 0, 512)] == [True, True, False, False]


def test_a_gpu_that_the_library_has_no_name_for_gets_plans_for_any(
    exported: ExportedModel, key: PlanKey, rtx_4090: pytest.MonkeyPatch
) -> None:
    rtx_4090.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    write_plans(exported, replace(key, target=DEFAULT_TARGETS))
    assert not backend_for(exported).lacks()


def test_auto_takes_plans_that_passed_on_this_gpu(
    exported: ExportedModel, key: PlanKey, rtx_4090: pytest.MonkeyPatch
) -> None:
    write_plans(exported, key)
    rtx_4090.setattr(TorchBackend, "open", lambda *_: pytest.fail("torch"))
    request = replace(request_for(exported), backend="auto", precision="auto")

    def taken() -> str:
        with pytest.raises(pytest.fail.Exception) as opened:
            engines.open_engine(request, follow_clip, build=False)
        return str(opened.value)

    assert taken() == "torch"  # nobody judged the plans here yet
    passed = ParityReport("", "fp16", (), 1.0, 1.0, 1.0, 0.0)
    backend_for(exported).keep(passed)
    assert taken() == "was loaded"
    rtx_4090.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA L4")
    assert taken() == "torch"  # the same capability, another GPU
    backend_for(exported).keep(replace(passed, agreement=0.5))
    assert engines.why_not(backend_for(exported)) == "refused by the parity gate"


no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="is about machines without a GPU")


@no_gpu
@pytest.mark.usefixtures("library")
def test_plans_for_a_gpu_elsewhere_are_not_judged_and_that_is_said(
    exported: ExportedModel, key: PlanKey, capsys: pytest.CaptureFixture[str]
) -> None:
    write_plans(exported, key)
    command = [
        "build", "tiny_test", "--weights", "random:0", "--target", "sm89", "--engine-dir",
        str(exported.folder.parent), "--backend",
    ]  # fmt: skip
    assert run([*command, "tensorrt_rtx"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "tiny_test is built for sm89 in" in said
    assert "nothing was checked: copy the folder there, and run `etam verify tiny_test" in said
    assert run([*command, "tensorrt"]) == 2
    assert "tensorrt builds only for the machine it runs on" in capsys.readouterr().err


@no_gpu
@pytest.mark.parametrize("backend", ["tensorrt", "tensorrt_rtx"])
def test_without_a_gpu_one_line_says_so(tmp_path: Path, backend: str) -> None:
    with pytest.raises(BackendError, match=f"is {backend}, which needs an NVIDIA GPU") as refused:
        open_stages("tiny_test", weights="random:0", backend=backend, engine_dir=str(tmp_path))
    assert "\n" not in str(refused.value)
    assert ("--target sm89" in str(refused.value)) == (backend == "tensorrt_rtx")
