"""Exported models on disk: a folder of ONNX files, and the manifest that says what they are.

    ENGINE_DIR/etam_nano-fp32-1a2b3c4d5e6f/
        manifest.json            ExportKey, StageSizes and the hash of every file; written last
        constants.safetensors    StageConstants, those that the model has
        encode_image.onnx, self_attend.onnx, cross_attend.onnx, ...

A folder appears whole or not at all, whoever else makes it at the same time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import torch

from etam_ros import __version__
from etam_ros.errors import BackendError, is_full
from etam_ros.model import model_config
from etam_ros.paths import checkout_folder
from etam_ros.runtime.atomic import lock_of, make_folder
from etam_ros.runtime.sealed import hash_of, hashes_of, read_sealed, sealed
from etam_ros.runtime.stages import ModelTraits, StageConstants, StageSizes

FORMAT: Final = 5
"""Of the folder; raised whenever what an export holds changes."""
BY_LENGTH: Final = "by_length"
PADDED: Final = "padded"
CROSS_ATTEND: Final = "cross_attend"
CROSS_ATTEND_FIRST: Final = "cross_attend_first"
"""Graph of models that do not pool a single memory."""
DECODED: Final = ("mask_logits_out", "iou_scores", "pointers", "object_score_logits")
"""What the graph decode_mask gives, in the order of `DecodedMasks`."""
MANIFEST: Final = "manifest.json"
CONSTANTS: Final = "constants.safetensors"
logger = logging.getLogger(__name__)
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
        hashes: SHA-256 of its files by name.
    """

    folder: Path
    key: ExportKey
    sizes: StageSizes
    graphs: tuple[str, ...]
    hashes: dict[str, str]

    def file(self, graph: str) -> Path:
        """The ONNX file of a graph."""
        return self.folder / f"{graph}.onnx"

    @property
    def traits(self) -> ModelTraits:
        """What the model does, as its configuration says now."""
        from etam_ros.runtime.backends.torch.stages import traits_of

        return traits_of(model_config(self.key.model))

    @property
    def content(self) -> str:
        """Tells what is in the files, wherever the folder lies and whenever it was copied."""
        text = json.dumps(self.hashes, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

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
    folder = Path(engine_dir) if engine_dir else default_engine_dir()
    try:
        folder = folder.expanduser()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: ~ of no such user
        raise BackendError(
            f"engine_dir {folder!s:.200} cannot be created "
            f"({getattr(error, 'strerror', None) or error}): choose a writable folder with "
            "--engine-dir (parameter `engine_dir` of the node)"
        ) from error
    return folder


def find_export(engine_dir: Path, key: ExportKey) -> ExportedModel | None:
    """The export of a key, or None where there is none that is whole; says what is damaged."""
    folder = engine_dir / key.folder
    if not folder.exists():
        return None
    manifest = read_sealed(folder / MANIFEST)
    damaged = MANIFEST
    if manifest is not None and manifest["key"] == asdict(key):
        hashes: dict[str, str] = manifest["files"]
        changed = (name for name, digest in hashes.items() if not _is(folder / name, digest))
        damaged = next(changed, "")
        if not damaged:
            sizes = StageSizes(**manifest["sizes"])
            return ExportedModel(folder, key, sizes, tuple(manifest["graphs"]), hashes)
    _tell_damage(folder, damaged)
    return None


@lru_cache(maxsize=64)
def _tell_damage(folder: Path, name: str) -> None:
    """Say so once, however many backends look."""
    logger.warning(
        "the engine in %s is damaged, %s is not what was written: it is not used until it is "
        "built again",
        folder,
        name,
    )


def _is(path: Path, digest: str) -> bool:
    try:
        return hash_of(path) == digest
    except OSError:
        return False


def copy_graph(engine_dir: Path, path: Path, is_same: Callable[[ExportKey], bool]) -> bool:
    """Copy a graph from an export that has the same one, also from the rest of a damaged one.

    Args:
        engine_dir: of all engines.
        path: to which file; exports have it under the same name.
        is_same: whether the graph of an export of that key is the one that is wanted.

    Returns:
        whether there was one, and it is whole.

    Raises:
        OSError: the disk does not take it.
    """
    for found in sorted(engine_dir.glob(f"*/{MANIFEST}")):
        manifest = read_sealed(found)
        if manifest is None or manifest["key"]["format"] != FORMAT:
            continue
        source, digest = found.with_name(path.name), manifest["files"].get(path.name, "")
        if is_same(ExportKey(**manifest["key"])) and _is(source, digest):
            with suppress(FileNotFoundError):  # another process has just removed it
                shutil.copyfile(source, path)
                if _is(path, digest):
                    return True
    path.unlink(missing_ok=True)
    return False


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
        room = "free some space there, or " if is_full(error) else ""
        raise BackendError(
            f"export of {key.model} cannot be written to {folder} "
            f"({error.strerror or error}): {room}choose another folder with --engine-dir"
        ) from error
    made = find_export(engine_dir, key)
    if made is None:
        raise BackendError(
            f"export of {key.model} in {folder} differs from what was just written: check that "
            "disk, or choose another folder with --engine-dir"
        )
    return made


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
        "graphs": names,
        "files": hashes_of(folder, [CONSTANTS, *(f"{name}.onnx" for name in names)]),
        "etam_ros": __version__,
        "torch": torch.__version__,
    }
    (folder / MANIFEST).write_text(json.dumps(sealed(manifest), indent=1) + "\n")
