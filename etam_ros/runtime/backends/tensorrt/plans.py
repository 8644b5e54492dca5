"""TensorRT's plans of an export: built, kept beside it, found again.

    EXPORT/tensorrt_rtx-1.7.1.116-sm89/
        plans.json              PlanKey, and the hash of every plan; written last
        encode_image.plan, ...
        timing.cache            of TensorRT's builder
        kernels.cache           what TensorRT for RTX has compiled on the GPU

A plan belongs to one version of the library and one kind of GPU: the key is looked at before
anything of a plan is read. The precision lies in the graphs: networks are strongly typed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from etam_ros.errors import BackendError, is_full
from etam_ros.runtime.atomic import lock_of, make_folder
from etam_ros.runtime.exported import ExportedModel, OnStep
from etam_ros.runtime.fixed_stages import BUCKETS
from etam_ros.runtime.sealed import hashes_of, read_sealed, sealed

FORMAT: Final = 2
"""Of the folder; raised whenever plans are built in another way."""
KEY_FILE: Final = "plans.json"
TIMING_CACHE: Final = "timing.cache"
LENGTHS: Final = {"M": (1, 7, 10), "R": (1, 16, 19), "P": (1, 1, 64)}
"""Least, usual and most memories, pointers and points of an object."""
DEFAULT_TARGETS: Final = "default"
"""What TensorRT for RTX builds for where nobody names a GPU."""


@dataclass(frozen=True)
class PlanKey:
    """What plans depend on.

    Attributes:
        flavour: tensorrt or tensorrt_rtx.
        version: of the library.
        target: compute capability as sm89, or DEFAULT_TARGETS.
        files: content of the export they are built from.
        workspace_mib: most memory that a layer may use while it runs; 0: no limit.
        format: of the folder.
    """

    flavour: str
    version: str
    target: str
    files: str
    workspace_mib: int = 0
    format: int = FORMAT

    @property
    def folder(self) -> str:
        """Name of its folder in that of the export."""
        limit = f"-{self.workspace_mib}mib" if self.workspace_mib else ""
        return f"{self.flavour}-{self.version}-{self.target}{limit}"


@dataclass(frozen=True)
class Plans:
    """Plans that are there: the folder, and the graphs' names."""

    folder: Path
    graphs: tuple[str, ...]

    def file(self, graph: str) -> Path:
        """The plan of a graph."""
        return self.folder / f"{graph}.plan"

    @property
    def state(self) -> str:
        """Changes when the plans are built again and come out differently."""
        return _hash((self.folder / KEY_FILE).read_bytes())[:12]


def find_plans(exported: ExportedModel, key: PlanKey) -> Plans | None:
    """The plans of a key, or None where they are missing, damaged or of another key."""
    folder = exported.folder / key.folder
    told = read_sealed(folder / KEY_FILE)
    if told is None or told["key"] != asdict(key):
        return None
    plans: dict[str, str] = told["plans"]
    try:
        found = hashes_of(folder, [f"{graph}.plan" for graph in plans])
    except OSError:
        return None
    return Plans(folder, tuple(plans)) if list(found.values()) == list(plans.values()) else None


def limits_built(exported: ExportedModel, key: PlanKey) -> list[int]:
    """The limits of memory with which there are plans that fit a key otherwise, newest first."""
    free = replace(key, workspace_mib=0).folder
    folders = [exported.folder / free, *exported.folder.glob(f"{free}-*mib")]
    built = [folder / KEY_FILE for folder in folders if (folder / KEY_FILE).is_file()]
    built.sort(key=lambda file: file.stat().st_mtime_ns, reverse=True)
    ends = [file.parent.name.removeprefix(free) for file in built]
    return [int(end[1:-3]) if end else 0 for end in ends if not end or end[1:-3].isdigit()]


def build_plans(
    exported: ExportedModel, key: PlanKey, library: Any, on_step: OnStep | None = None
) -> Plans:
    """Build the plans of a key, unless they are there.

    Args:
        exported: with padded banks.
        key: what is wanted.
        library: the module of the key's flavour.
        on_step: is told what is being built.

    Raises:
        BackendError: the builder refuses, or the disk is full.
    """
    folder = exported.folder / key.folder
    plans: dict[str, str] = {}

    def fill(making: Path) -> None:
        if (folder / TIMING_CACHE).is_file():
            shutil.copy(folder / TIMING_CACHE, making / TIMING_CACHE)
        for graph in exported.graphs:
            if on_step is not None:
                on_step(f"building {graph} for {key.target}")
            plan = _build(library, exported.file(graph), key, making / TIMING_CACHE)
            (making / f"{graph}.plan").write_bytes(plan)
            plans[graph] = _hash(plan)
        told = sealed({"key": asdict(key), "plans": plans})
        (making / KEY_FILE).write_text(json.dumps(told, indent=1) + "\n")

    try:
        with lock_of(folder):
            found = find_plans(exported, key)
            if found is not None:
                return found
            make_folder(folder, fill)
    except OSError as error:
        room = "free some space there, or " if is_full(error) else ""
        raise BackendError(
            f"plans cannot be written to {folder} ({error.strerror or error}): {room}"
            "choose another folder with --engine-dir"
        ) from error
    return Plans(folder, tuple(plans))


def _build(library: Any, onnx_file: Path, key: PlanKey, timing_cache: Path) -> bytes:
    """Build one plan."""
    logger = library.Logger(library.Logger.ERROR)
    builder = library.Builder(logger)
    typed = 1 << int(library.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(typed)
    parser = library.OnnxParser(network, logger)
    if not parser.parse(onnx_file.read_bytes()):
        raise BackendError(
            f"{key.flavour} {key.version} cannot read {onnx_file} "
            f"({parser.get_error(0).desc()[:160]}): delete {onnx_file.parent} to export again"
        )
    config = builder.create_builder_config()
    config.clear_flag(library.BuilderFlag.TF32)  # fp32 is what the mask decoder needs
    for profile in _profiles(builder, network):
        config.add_optimization_profile(profile)
    if key.workspace_mib:
        config.set_memory_pool_limit(library.MemoryPoolType.WORKSPACE, key.workspace_mib * 2**20)
    if key.flavour == "tensorrt":
        known = timing_cache.read_bytes() if timing_cache.is_file() else b""
        config.set_timing_cache(config.create_timing_cache(known), ignore_mismatch=False)
    elif key.target != DEFAULT_TARGETS:
        _aim(library, config, key.target)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise BackendError(
            f"{key.flavour} {key.version} cannot build {onnx_file.stem} for {key.target}: see "
            "its output above; another precision may work"
        )
    if key.flavour == "tensorrt":
        timing_cache.write_bytes(config.get_timing_cache().serialize())
    return bytes(plan)


def _aim(library: Any, config: Any, target: str) -> None:
    """Build for one kind of GPU, which need not be here."""
    capability = getattr(library.ComputeCapability, target.upper(), None)
    if capability is None:
        names = sorted(
            name.lower() for name in dir(library.ComputeCapability) if name.startswith("SM")
        )
        raise BackendError(
            f"target is {target}, expected one of {', '.join(names)} or {DEFAULT_TARGETS}"
        )
    config.num_compute_capabilities = 1
    config.set_compute_capability(capability, 0)


def _profiles(builder: Any, network: Any) -> list[Any]:
    """A profile for each bucket of objects; one where nothing depends on them."""
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    free = [tensor for tensor in inputs if -1 in tuple(tensor.shape)]
    profiles = []
    for objects in BUCKETS if free else ():
        profile = builder.create_optimization_profile()
        for tensor in free:
            ranges = [
                _range(tensor, index, objects) if length == -1 else (length,) * 3
                for index, length in enumerate(tuple(tensor.shape))
            ]
            profile.set_shape(tensor.name, *zip(*ranges, strict=True))
        profiles.append(profile)
    return profiles


def _range(tensor: Any, index: int, objects: int) -> tuple[int, int, int]:
    """Least, usual and greatest length of a free dimension."""
    letter = letter_of(tensor.name, index)
    return (objects, objects, objects) if letter == "B" else LENGTHS[letter]


def letter_of(name: str, index: int) -> str:
    """What the length of a graph's input means: objects come first."""
    if index == 0:
        return "B"
    if name in ("points", "labels"):
        return "P"
    return "R" if "pointer" in name else "M"


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
