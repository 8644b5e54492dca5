"""Exported models on ONNX Runtime and OpenVINO: equal to torch, judged, cached, refused."""

from __future__ import annotations

import ctypes
import json
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from safetensors.torch import load_file, save_file

from etam_ros import Frame, Prompt, Tracker, open_stages
from etam_ros.errors import BackendError
from etam_ros.model import EfficientTAM
from etam_ros.model.checkpoint import load_network
from etam_ros.model.config import ETAM_NANO, MODELS, ModelConfig
from etam_ros.runtime.backend import EngineRequest
from etam_ros.runtime.backends.cpu_backend import has_bf16
from etam_ros.runtime.backends.onnxruntime.backend import OnnxBackend
from etam_ros.runtime.backends.openvino.backend import (
    INSTRUCTION_SETS,
    WITHOUT_AMX,
    OpenVinoBackend,
)
from etam_ros.runtime.backends.torch import weights as weights_module
from etam_ros.runtime.backends.torch.stages import traits_of
from etam_ros.runtime.backends.torch.weights import NetworkSource
from etam_ros.runtime.engines import BY_NAME, verify_engine
from etam_ros.runtime.export import export_model
from etam_ros.runtime.exported import BY_LENGTH, MANIFEST, PADDED, ExportedModel
from etam_ros.runtime.parity import ParityReport
from etam_ros.runtime.sealed import hashes_of, sealed
from etam_ros.runtime.stages import IN_FLOAT32, StageSizes
from etam_ros.runtime.verdicts import VERDICTS
from etam_ros.tracking.parity_clip import RADIUS, clip_frame, follow_clip

TINY_SOURCE = NetworkSource("tiny_test", "random:0")
TINY = EngineRequest("tiny_test", "random:0", "onnx", "fp32")
GRAPHS = ("encode_image", "self_attend", "cross_attend", "decode_mask", "encode_memory")
STAGE_OF = {"self_attend": "attend_memory", "cross_attend": "attend_memory"}


@pytest.fixture(scope="module")
def exported(tiny_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of engines that holds an export of tiny_test, without any verdict."""
    return Path(shutil.copytree(tiny_export, tmp_path_factory.mktemp("engines") / "tiny"))


@pytest.fixture
def engine_dir(exported: Path, tmp_path: Path) -> Path:
    """A copy of it, to be spoilt."""
    copy = Path(shutil.copytree(exported, tmp_path / "engines"))
    (export_folder(copy) / VERDICTS).unlink(missing_ok=True)
    return copy


@pytest.fixture(scope="module")
def passed(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another copy, which has passed on ONNX Runtime and was judged on nothing else."""
    copy = Path(shutil.copytree(exported, tmp_path_factory.mktemp("engines") / "passed"))
    (export_folder(copy) / VERDICTS).unlink(missing_ok=True)
    assert judged(replace(TINY, engine_dir=str(copy))).passed
    return copy


@pytest.fixture
def passed_dir(passed: Path, tmp_path: Path) -> Path:
    """A copy of that, to be spoilt."""
    return Path(shutil.copytree(passed, tmp_path / "engines"))


def judged(request: EngineRequest) -> ParityReport:
    return verify_engine(request, follow_clip, build=False)


def export_folder(engine_dir: Path) -> Path:
    (manifest,) = engine_dir.glob(f"*/{MANIFEST}")
    return manifest.parent


def reseal(folder: Path) -> None:
    """Say of what is in an export now that it is what was written."""
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"] = hashes_of(folder, manifest["files"])
    (folder / MANIFEST).write_text(json.dumps(sealed(manifest)))


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_fp32_equals_torch(exported: Path, backend: str) -> None:
    report = judged(replace(TINY, backend=backend, engine_dir=str(exported)))
    assert report.passed
    assert max(each.relative for each in report.stages) < 1e-5
    assert report.agreement > 0.9999
    assert report.largest_score < 1e-4
    assert {each.stage for each in report.stages} == {
        "encode_image", "attend_memory", "decode_mask", "encode_memory",
    }  # fmt: skip


@pytest.fixture(scope="module")
def hiera(
    export_once: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> EngineRequest:
    """A small model with all that SAM 2.1 has more, exported."""
    folder = tmp_path_factory.mktemp("engines") / "hiera"
    shutil.copytree(export_once("tiny_hiera_test", "fp32"), folder)
    return EngineRequest("tiny_hiera_test", "random:0", "onnx", "fp32", str(folder))


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_a_model_with_finer_levels_and_timed_pointers_equals_torch(
    hiera: EngineRequest, backend: str
) -> None:
    report = judged(replace(hiera, backend=backend))
    assert report.passed
    assert max(each.relative for each in report.stages) < 1e-5
    outputs = {each.output for each in report.stages if each.stage == "encode_image"}
    assert outputs == {"feature", "skip 0", "skip 1"}


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> EngineRequest:
    """The shipped model, exported: it pools what it remembers."""
    folder = tmp_path_factory.mktemp("nano")
    export_model(NetworkSource("etam_nano", ""), "fp32", folder)
    return EngineRequest("etam_nano", "", "onnx", "fp32", str(folder))


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_the_shipped_model_equals_torch(nano: EngineRequest, backend: str) -> None:
    report = judged(replace(nano, backend=backend))
    assert report.passed
    assert report.judges_masks
    assert max(each.relative for each in report.stages) < 1e-4


def test_what_a_model_does_is_read_from_its_configuration_alone(
    nano: EngineRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export made before a model's configuration changed does what the model does now."""
    manifest = json.loads((export_folder(Path(nano.engine_dir)) / MANIFEST).read_text())
    assert set(manifest["sizes"]) == {item.name for item in fields(StageSizes)}
    for once in (True, False):
        changed = replace(ETAM_NANO, answers_once=once)
        monkeypatch.setitem(MODELS, "etam_nano", changed)
        with OnnxBackend(nano, NetworkSource("etam_nano", "")).open() as stages:
            assert stages.traits == traits_of(changed)


@pytest.mark.skipif(not has_bf16(), reason="this CPU has no bf16")
def test_the_shipped_model_passes_in_bf16(nano: EngineRequest) -> None:
    report = judged(replace(nano, backend="openvino", precision="bf16"))
    assert report.failures == []
    decoder = [each for each in report.stages if each.stage == "decode_mask"]
    assert max(each.relative for each in decoder) < 1e-4  # it stays in float32


@pytest.mark.parametrize("own", ["", "AVX2"])
def test_openvino_keeps_off_amx_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, own: str
) -> None:
    monkeypatch.delenv(INSTRUCTION_SETS, raising=False)
    if own:
        monkeypatch.setenv(INSTRUCTION_SETS, own)
    OpenVinoBackend.load_library()
    assert os.environ[INSTRUCTION_SETS] == (own or WITHOUT_AMX)


def follow(backend: str, engine_dir: Path) -> list[np.ndarray]:
    """Label images of a clip: an object is clicked, another is boxed later, one is refined."""
    found = []
    with open_stages(
        "tiny_test", weights="random:0", backend=backend, precision="fp32", device="cpu",
        engine_dir=str(engine_dir),
    ) as stages:  # fmt: skip
        tracker = Tracker(stages)
        for index in range(6):
            (image, centres), radius = clip_frame(index, 160), 160 * RADIUS
            result = tracker.step(Frame(image))
            x, y = centres[1]
            if index == 0:
                tracker.add_prompt(Prompt(points=[centres[0]], point_labels=[1]))
            elif index == 2:
                tracker.add_prompt(Prompt(box=(x - radius, y - radius, x + radius, y + radius)))
            elif index == 4:
                tracker.add_prompt(Prompt(object_id=1, points=[(x, y)], point_labels=[0]))
            result = tracker.result
            assert result is not None
            found.append(result.label_image)
    return found


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_the_tracker_says_the_same(exported: Path, backend: str) -> None:
    expected = follow("torch", exported)
    assert any(labels.any() for labels in expected)
    for labels, wanted in zip(follow(backend, exported), expected, strict=True):
        assert (labels != wanted).mean() < 1e-4


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_damaged_stage_is_refused(engine_dir: Path, graph: str) -> None:
    path = export_folder(engine_dir) / f"{graph}.onnx"
    model = onnx.load(path)
    largest = max(model.graph.initializer, key=lambda value: int(np.prod(value.dims)))
    values = np.flip(numpy_helper.to_array(largest), axis=0)  # a norm would undo a factor
    largest.CopyFrom(numpy_helper.from_array(values, largest.name))
    size = path.stat().st_size
    onnx.save(model, path)
    assert path.stat().st_size == size  # as whole as before, but for its values
    reseal(path.parent)
    stage = STAGE_OF.get(graph, graph)
    with pytest.raises(
        BackendError,
        match=rf"is refused, its results deviate from PyTorch: {stage} .* \(limit 0.0001\)",
    ):
        open_stages("tiny_test", weights="random:0", backend="onnx", engine_dir=str(engine_dir))
    assert open_auto(engine_dir) == "torch"


def open_auto(engine_dir: Path) -> str:
    """The backend that auto takes."""
    with open_stages(
        "tiny_test", weights="random:0", device="cpu", engine_dir=str(engine_dir)
    ) as stages:
        return stages.name.split(" on ")[1].split(",")[0]


def test_auto_takes_the_fastest_that_passed(
    engine_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = replace(TINY, engine_dir=str(engine_dir))
    assert open_auto(engine_dir) == "torch"
    judged(request)
    assert open_auto(engine_dir) == "onnx"
    judged(replace(request, backend="openvino"))
    assert open_auto(engine_dir) == "openvino"
    monkeypatch.setitem(sys.modules, "openvino", None)  # as where it is not installed
    assert open_auto(engine_dir) == "onnx"


OPENED = """
import sys
sys.path.insert(0, sys.argv[1])
from etam_ros import EtamError, open_stages
tiny = {"weights": "random:0", "device": "cpu", "engine_dir": sys.argv[1], "build_engines": False}
for backend in ("auto", "onnx", "openvino"):
    try:
        print(open_stages("tiny_test", backend=backend, **tiny).name)
    except EtamError as error:
        print(error)
"""


@pytest.mark.parametrize("statement", ["raise RuntimeError('ABI 7')", "import no_such_thing"])
def test_auto_leaves_libraries_that_break_on_import(tmp_path: Path, statement: str) -> None:
    for name in ("onnxruntime", "openvino"):
        (tmp_path / f"{name}.py").write_text(statement + "\n")
    command = [sys.executable, "-c", OPENED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    auto, onnx, openvino = done.stdout.splitlines()
    assert auto == "tiny_test on torch, cpu, fp32"
    what = r"broken \(ABI 7\)|not installed \(No module named 'no_such_thing'\)"
    assert re.search(rf"ONNX Runtime is ({what}): install etam_ros\[onnx\]", onnx)
    assert re.search(rf"OpenVINO is ({what}): install etam_ros\[openvino\]", openvino)


@pytest.mark.parametrize(("engines", "backend"), [("engine_dir", "torch"), ("passed_dir", "onnx")])
def test_auto_reads_the_weights_once(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, engines: str, backend: str
) -> None:
    engine_dir = request.getfixturevalue(engines)
    read: list[str] = []

    def counted(config: ModelConfig, weights: str) -> EfficientTAM:
        read.append(weights)
        return load_network(config, weights)

    monkeypatch.setattr(weights_module, "load_network", counted)
    assert open_auto(engine_dir) == backend
    assert read == ["random:0"]


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_an_engine_can_be_closed_twice(exported: Path, backend: str) -> None:
    request = replace(TINY, backend=backend, engine_dir=str(exported))
    with BY_NAME[backend](request, TINY_SOURCE).open() as stages:
        stages.close()


def test_auto_leaves_what_failed(passed_dir: Path) -> None:
    path = export_folder(passed_dir) / VERDICTS
    verdicts = json.loads(path.read_text())
    ((key, verdict),) = verdicts.items()
    for whole, failures in (
        (True, ["masks agree with 0.2"]),
        (False, []),
        (False, 7),
        (False, {}),
    ):
        changed = verdict | {"failures": failures}
        path.write_text(json.dumps({key: sealed(changed) if whole else changed}))
        assert open_auto(passed_dir) == ("torch" if whole or failures != [] else "onnx")
    path.write_text("{")  # a verdict that cannot be read is none
    assert open_auto(passed_dir) == "torch"


def test_what_is_damaged_is_exported_again_where_it_is_named(engine_dir: Path) -> None:
    """What is whole of it stays as it was."""
    folder = export_folder(engine_dir)
    whole = contents(folder)
    flip(folder / "constants.safetensors")
    flip(folder / "self_attend.onnx")
    (folder / "encode_memory.onnx").unlink()
    steps: list[str] = []
    with open_stages(
        "tiny_test", weights="random:0", backend="onnx", engine_dir=str(engine_dir),
        on_step=steps.append,
    ):  # fmt: skip
        pass
    again = contents(folder)
    assert again.pop(VERDICTS)
    whole.pop("openvino_cache.json", None)  # of another test, which it does not outlive
    assert again == whole
    assert steps == [
        "exporting self_attend",
        "exporting encode_memory",
        "comparing tiny_test on onnx, cpu, fp32 with torch",
    ]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def flip(path: Path) -> None:
    """Change a byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(bytes(content))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def not_a_number(path: Path) -> None:
    """What is NaN is as long as any other value."""
    tensors = load_file(path)
    save_file({name: torch.full_like(value, math.nan) for name, value in tensors.items()}, path)


def without_sizes(path: Path) -> None:
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({name: manifest[name] for name in manifest if name != "sizes"}))


def of_other_types(path: Path) -> None:
    path.write_text(json.dumps({name: [7] for name in json.loads(path.read_text())}))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("constants.safetensors", flip),
        ("constants.safetensors", cut),
        ("constants.safetensors", not_a_number),
        ("constants.safetensors", Path.unlink),
        ("decode_mask.onnx", flip),
        ("encode_image.onnx", Path.unlink),
        (MANIFEST, flip),
        (MANIFEST, cut),
        (MANIFEST, without_sizes),
        (MANIFEST, of_other_types),
    ],
)
def test_whatever_is_damaged_is_left_alone(
    engine_dir: Path, name: str, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    folder = export_folder(engine_dir)
    damage(folder / name)
    assert open_auto(engine_dir) == "torch"
    (line,) = [each.getMessage() for each in caplog.records if "is damaged" in each.getMessage()]
    assert f"{folder} is damaged, {name} is not what was written" in line
    with pytest.raises(BackendError, match=r"run `etam build tiny_test --backend onnx"):
        open_stages(
            "tiny_test", weights="random:0", backend="onnx", engine_dir=str(engine_dir),
            build_engines=False,
        )  # fmt: skip


def test_what_openvino_has_compiled_is_compiled_again_where_it_is_damaged(
    engine_dir: Path,
) -> None:
    request = replace(TINY, backend="openvino", engine_dir=str(engine_dir))
    cache = export_folder(engine_dir) / "openvino_cache"

    def opened() -> dict[str, str]:
        with BY_NAME["openvino"](request, TINY_SOURCE).open():
            return hashes_of(cache, [path.name for path in cache.iterdir()])

    first = opened()
    times = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert opened() == first
    assert {path: path.stat().st_mtime_ns for path in times} == times
    damaged = next(iter(times))
    flip(damaged)
    was = damaged.read_bytes()
    opened()
    assert not damaged.exists() or damaged.read_bytes() != was


def as_anybody() -> None:
    """Obey the modes of files, as root too."""
    drop, override, read_search = 24, 1, 2  # PR_CAPBSET_DROP, CAP_DAC_*
    for capability in (override, read_search):
        ctypes.CDLL(None).prctl(drop, capability, 0, 0, 0)


READ_ONLY = """
import sys
from etam_ros import open_stages
for backend in ("auto", "openvino"):
    with open_stages("tiny_test", weights="random:0", device="cpu", backend=backend,
                     engine_dir=sys.argv[1], build_engines=False) as stages:
        print(stages.name)
"""


def test_built_engines_need_no_right_to_write(passed_dir: Path) -> None:
    """Here on OpenVINO, on which they were not judged."""
    parts = (passed_dir, *passed_dir.rglob("*"))
    for path in parts:
        path.chmod(0o555 if path.is_dir() else 0o444)
    done = subprocess.run(
        [sys.executable, "-c", READ_ONLY, str(passed_dir)],
        capture_output=True, text=True, check=False, preexec_fn=as_anybody,
    )  # fmt: skip
    for path in parts:
        path.chmod(0o755)
    assert done.returncode == 0, done.stderr
    names = [line.split(" on ")[1].split(",")[0] for line in done.stdout.splitlines()]
    assert names == ["onnx", "openvino"]
    (line,) = [line for line in done.stderr.splitlines() if "cannot be kept in" in line]
    assert "Permission denied" in line


def test_nothing_is_made_twice(engine_dir: Path) -> None:
    steps: list[str] = []
    for _ in range(2):
        with open_stages(
            "tiny_test", weights="random:0", backend="onnx", engine_dir=str(engine_dir),
            on_step=steps.append,
        ):  # fmt: skip
            pass
    assert steps == ["comparing tiny_test on onnx, cpu, fp32 with torch"]


def test_other_weights_and_precisions_are_other_exports(exported: Path) -> None:
    other = NetworkSource("tiny_test", "random:1")
    same = export_model(TINY_SOURCE, "fp32", exported, build=False)
    assert same is not None
    assert export_model(other, "fp32", exported, build=False) is None
    assert export_model(TINY_SOURCE, "fp16", exported, build=False) is None


@pytest.fixture(scope="module")
def reduced_export(export_once: Callable[..., Path]) -> Callable[[str], ExportedModel]:
    """Exports of tiny_test in reduced precisions, as TensorRT and OpenVINO get them."""

    def export(precision: str) -> ExportedModel:
        layout = PADDED if precision == "fp16" else BY_LENGTH
        folder = export_once("tiny_test", precision, layout)
        found = export_model(TINY_SOURCE, precision, folder, layout=layout)
        assert found is not None
        return found

    return export


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_reduced_graphs_keep_norms_and_softmax_in_float32(
    reduced_export: Callable[[str], ExportedModel], precision: str
) -> None:
    exported = reduced_export(precision)
    reduced = {"fp16": onnx.TensorProto.FLOAT16, "bf16": onnx.TensorProto.BFLOAT16}[precision]
    for graph in exported.graphs:
        model = onnx.shape_inference.infer_shapes(onnx.load(exported.file(graph)))
        types = {value.name: value.type.tensor_type.elem_type for value in model.graph.value_info}
        for value in (*model.graph.input, *model.graph.output):
            assert value.type.tensor_type.elem_type != reduced
        kinds = {
            node.op_type: types.get(node.output[0], onnx.TensorProto.FLOAT)
            for node in model.graph.node
            if node.op_type in ("LayerNormalization", "Softmax", "ReduceMean", "Sqrt")
        }
        assert set(kinds.values()) <= {onnx.TensorProto.FLOAT}, graph
        products = [types.get(n.output[0]) for n in model.graph.node if n.op_type == "MatMul"]
        if graph in ("encode_image", "self_attend", "cross_attend"):
            assert reduced in products
        if graph in IN_FLOAT32:
            assert reduced not in types.values()


def test_fp16_graphs_are_right_and_openvino_and_onnx_compute_them(
    reduced_export: Callable[[str], ExportedModel],
) -> None:
    """The graphs that TensorRT gets, where a CPU can run them."""
    import onnxruntime

    exported = reduced_export("fp16")
    image = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with open_stages("tiny_test", weights="random:0", backend="torch", device="cpu") as stages:
        expected = stages.encode_image(image).feature.numpy()
    session = onnxruntime.InferenceSession(str(exported.file("encode_image")))
    (feature,) = session.run(None, {"image": image.numpy()})
    assert np.abs(feature - expected).max() < 0.02


def test_two_processes_that_build_at_once_make_one(engine_dir: Path) -> None:
    """An export of another layout, in which cross-attention alone is another graph."""
    first = export_folder(engine_dir)
    code = (
        "import sys; from pathlib import Path; from etam_ros.runtime.export import export_model; "
        "from etam_ros.runtime.backends.torch.weights import NetworkSource; "
        "source = NetworkSource('tiny_test', 'random:0'); "
        "found = export_model("
        "source, 'fp32', Path(sys.argv[1]), layout='padded', on_step=print); print(found.folder)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(engine_dir)], stdout=subprocess.PIPE, text=True
    )
    here: list[str] = []
    made = export_model(TINY_SOURCE, "fp32", engine_dir, layout=PADDED, on_step=here.append)
    assert made is not None
    here.append(str(made.folder))
    said = sorted((here, child.communicate()[0].splitlines()), key=len)
    assert child.returncode == 0
    ((folder,), (step, same)) = said
    assert (step, same) == ("exporting cross_attend", folder)
    left = {path.name for path in engine_dir.iterdir() if not path.name.endswith(".lock")}
    assert left == {first.name, Path(folder).name}
    assert made.graphs == GRAPHS
    for graph in GRAPHS:
        equal = made.file(graph).read_bytes() == (first / made.file(graph).name).read_bytes()
        assert equal == (graph != "cross_attend")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"backend": "onnx", "precision": "bf16"}, r"precision is bf16, which onnx .* use fp32"),
        ({"backend": "openvino", "precision": "fp16"}, r"precision is fp16, which openvino"),
        (
            {"backend": "onnx", "build_engines": False},
            r"not exported for onnx yet: run `etam build",
        ),
        ({"backend": "tensorrt", "device": "cpu"}, "device is cpu, which tensorrt does not use"),
        ({"backend": "onnx", "device": "cuda"}, "device is cuda, which onnx does not use"),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, arguments: dict[str, object], words: str
) -> None:
    with pytest.raises(BackendError, match=words):
        open_stages(
            "tiny_test", weights="random:0", engine_dir=str(tmp_path / "none"), **arguments
        )


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        BackendError, match=r"engine_dir .* cannot be created \(.*\): choose a writable folder"
    ):
        open_stages(
            "tiny_test", weights="random:0", backend="onnx", engine_dir=str(tmp_path / "file")
        )


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on which no file can grow over 100 kB."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield tmp_path / "engines"
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_said_and_leaves_nothing(full_disk: Path) -> None:
    with pytest.raises(BackendError, match=r"cannot be written to .* free some space there"):
        open_stages("tiny_test", weights="random:0", backend="onnx", engine_dir=str(full_disk))
    assert [path for path in full_disk.iterdir() if not path.name.endswith(".lock")] == []
