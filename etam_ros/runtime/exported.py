"""Exported models on disk: a folder of ONNX files, and the manifest that says what they are.

    ENGINE_DIR/etam_nano-fp32-1a2b3c4d5e6f/
        manifest.json            ExportKey and StageSizes; written last
        constants.safetensors    StageConstants, those that the model has
        encode_image.onnx, self_attend.onnx, cross_attend.onnx, ...

A folder appears whole or not at all, whoever else makes it at the same time.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import torch

from etam_ros import __version__
from etam_ros.errors import BackendError
from etam_ros.model import model_config
from etam_ros.paths import checkout_folder
from etam_ros.runtime.atomic import lock_of, make_folder
from etam_ros.runtime.stages import ModelTraits, StageConstants, StageSizes

FORMAT: Final = 4
"""Of the folder; raised whenever what an export holds changes."""
BY_LENGTH: Final = "by_length"
PADDED: Final = "padded"
CROSS_ATTEND_FIRST: Final = "cross_attend_first"
"""Graph of models that do not pool a single memory."""
DECODED: Final = ("mask_logits_out", "iou_scores", "pointers", "object_score_logits")
"""What the graph decode_mask gives, in the order of `DecodedMasks`."""
MANIFEST: Final = "manifest.json"
CONSTANTS: Final = "constants.safetensors"
OnStep = Callable[[str], None]
"""Is told what is being done, for people who wait."""


@dataclass(frozen=True)
class ExportKey:
    """What an export depends on.

    Attributes:
        model: name of the configuration.
        weights_hash: sha256 over the weights' names and values.
        precision: of the graphs: fp32, bf16 or fp16.
        opset: of the graphs.
        layout: of banks: exact BY_LENGTH, or PADDED with the empty slots named.
        format: of the folder, and of what its graphs compute.
    """

    model: str
    weights_hash: str
    precision: str
    opset: int
    layout: str = BY_LENGTH
    format: int = FORMAT

    @property
    def folder(self) -> str:
        """Name of its folder."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()
        return f"{self.model}-{self.precision}-{digest[:12]}"


@dataclass(frozen=True, eq=False)
class ExportedModel:
    """An export that is there.

    Attributes:
        folder: where it lies.
        key: what it was made from.
        sizes: of the model.
        graphs: names of its graphs; each lies in NAME.onnx.
    """

    folder: Path
    key: ExportKey
    sizes: StageSizes
    graphs: tuple[str, ...]

    def file(self, graph: str) -> Path:
        """The ONNX file of a graph."""
        return self.folder / f"{graph}.onnx"

    @property
    def traits(self) -> ModelTraits:
        """What the model does, as its configuration says now."""
        from etam_ros.runtime.backends.torch.stages import traits_of

        return traits_of(model_config(self.key.model))

    @property
    def state(self) -> str:
        """Changes when one of the files does."""
        files = [self.file(graph).stat() for graph in self.graphs]
        described = ",".join(f"{file.st_size}:{file.st_mtime_ns}" for file in files)
        return hashlib.sha256(described.encode()).hexdigest()[:12]

    @cached_property
    def content(self) -> str:
        """Tells what is in the files, as they are first asked for, wherever the folder lies."""
        digest = hashlib.sha256()
        for graph in self.graphs:
            digest.update(hashlib.sha256(self.file(graph).read_bytes()).digest())
        return digest.hexdigest()[:12]

    def constants(self, device: torch.device) -> StageConstants:
        """The values that the tracker applies."""
        from safetensors.torch import load_file

        tensors = load_file(self.folder / CONSTANTS)
        return StageConstants(**{name: value.to(device) for name, value in tensors.items()})


def default_engine_dir() -> Path:
    """What ETAM_ENGINE_DIR says, else `engines/` of a source checkout, else the user's cache."""
    named = os.environ.get("ETAM_ENGINE_DIR")
    if named:
        return Path(named)
    checkout = checkout_folder("engines")
    if checkout is not None:
        return checkout
    import platformdirs  # a machine that is lent for an hour may not have it

    return platformdirs.user_cache_path("etam_ros") / "engines"


def engine_folder(engine_dir: str) -> Path:
    """The folder of all engines, made where it is missing.

    Raises:
        BackendError: it cannot be made.
    """
    folder = Path(engine_dir).expanduser() if engine_dir else default_engine_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BackendError(
            f"engine_dir {folder} cannot be made ({error.strerror}): name a folder that can be "
            "written with --engine-dir (parameter `engine_dir` of the node)"
        ) from error
    return folder


def find_export(engine_dir: Path, key: ExportKey) -> ExportedModel | None:
    """The export of a key, or None where there is none that is whole."""
    folder = engine_dir / key.folder
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        if manifest["key"] != asdict(key):
            return None
        sizes = StageSizes(**manifest["sizes"])
        graphs = {name: int(size) for name, size in manifest["graphs"].items()}
        whole = all(
            (folder / f"{name}.onnx").stat().st_size == size for name, size in graphs.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return ExportedModel(folder, key, sizes, tuple(graphs)) if whole else None


def write_export(
    engine_dir: Path,
    key: ExportKey,
    sizes: StageSizes,
    constants: StageConstants,
    export: Callable[[Path], list[str]],
) -> ExportedModel:
    """Make the folder of a key, unless another process has just made it.

    Args:
        engine_dir: of all engines; exists.
        key: what it is made from.
        sizes, constants: of the model.
        export: writes the graphs into a folder and returns their names.

    Raises:
        BackendError: the disk does not take it.
    """
    folder = engine_dir / key.folder
    names: list[str] = []

    def fill(making: Path) -> None:
        names.extend(export(making))
        _write_manifest(making, key, sizes, constants, names)

    try:
        with lock_of(folder):
            found = find_export(engine_dir, key)
            if found is not None:
                return found
            make_folder(folder, fill)
    except OSError as error:
        raise BackendError(
            f"export of {key.model} cannot be written to {folder} ({error.strerror or error}): "
            "free space there, or name another folder with --engine-dir"
        ) from error
    return ExportedModel(folder, key, sizes, tuple(names))


def _write_manifest(
    folder: Path, key: ExportKey, sizes: StageSizes, constants: StageConstants, names: list[str]
) -> None:
    from safetensors.torch import save_file

    tensors = {
        name: value.contiguous().cpu()
        for name, value in vars(constants).items()
        if value is not None
    }
    save_file(tensors, folder / CONSTANTS)
    manifest: dict[str, Any] = {
        "key": asdict(key),
        "sizes": asdict(sizes),
        "graphs": {name: (folder / f"{name}.onnx").stat().st_size for name in names},
        "etam_ros": __version__,
        "torch": torch.__version__,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
