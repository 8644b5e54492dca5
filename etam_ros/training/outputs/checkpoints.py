"""States of a training run on disk, which are always complete, in files of limited size.

A state is a folder `state_SSSSSSSS` (S is the step) with files `part_N.pt`. It is written under
another name and renamed once it is complete, so that a run can be resumed after being killed at
any moment.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from etam_ros.errors import TrainingError
from etam_ros.media.files import writing

MAX_PART_BYTES: Final = 14 * 2**20
KEPT: Final = 2
"""The newest state and the one before."""
_TENSOR: Final = "__tensor__"
_PREFIX: Final = "state_"
_UNFINISHED: Final = ".unfinished"

logger = logging.getLogger(__name__)


def save_checkpoint(
    folder: Path,
    step: int,
    state: Mapping[str, Any],
    *,
    max_part_bytes: int = MAX_PART_BYTES,
) -> Path:
    """Write a state, and remove all but the newest KEPT.

    Args:
        folder: of the run; created if missing.
        state: nested dicts, lists and tuples of tensors, numbers, strings, bools and None.
        max_part_bytes: maximum size of a file; a larger tensor gets a file of its own.

    Returns:
        the folder of the state.

    Raises:
        SourceError: it cannot be written.
    """
    final = folder / f"{_PREFIX}{step:08d}"
    unfinished = final.with_name(final.name + _UNFINISHED)
    tensors: list[Tensor] = []
    skeleton = _take_tensors(dict(state), tensors)
    with writing(folder):
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for number, part in enumerate(_parts(tensors, max_part_bytes)):
            content = {"tensors": part, **({} if number else {"skeleton": skeleton})}
            _write(content, unfinished / f"part_{number}.pt")
        shutil.rmtree(final, ignore_errors=True)
        unfinished.rename(final)
        for old in _states(folder)[KEPT:]:
            shutil.rmtree(old, ignore_errors=True)
    return final


def load_checkpoint(folder: Path) -> tuple[int, dict[str, Any]] | None:
    """Read the newest complete state, with tensors on the CPU.

    Code that a file may contain is never executed.

    Returns:
        the number of steps done, and the state; None if the folder contains no state.

    Raises:
        TrainingError: there are states, but none can be read.
    """
    states = _states(folder)
    for path in states:
        try:
            return int(path.name[len(_PREFIX) :]), _read(path)
        except Exception as error:  # noqa: PERF203 (torch raises a dozen types for damaged files)
            reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
            logger.warning("state %s cannot be read (%s): trying the one before", path, reason)
    if states:
        raise TrainingError(
            f"no state in {folder} can be read, the newest is {states[0].name}: remove them to "
            "start again, or choose another folder with --out"
        )
    return None


def _states(folder: Path) -> list[Path]:
    """Complete states, the newest first."""
    found = [p for p in folder.glob(f"{_PREFIX}*") if p.name[len(_PREFIX) :].isdigit()]
    return sorted(found, key=lambda path: int(path.name[len(_PREFIX) :]), reverse=True)


def _take_tensors(value: Any, tensors: list[Tensor]) -> Any:
    """The nested state without its tensors, which are appended to the list."""
    if isinstance(value, Tensor):
        tensors.append(value.detach().cpu())
        return {_TENSOR: len(tensors) - 1}
    if isinstance(value, Mapping):
        return {key: _take_tensors(item, tensors) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_take_tensors(item, tensors) for item in value]
    return value


def _put_tensors(value: Any, tensors: Mapping[int, Tensor]) -> Any:
    """Undo `_take_tensors`; tuples become lists."""
    if isinstance(value, dict):
        if value.keys() == {_TENSOR}:
            return tensors[value[_TENSOR]]
        return {key: _put_tensors(item, tensors) for key, item in value.items()}
    if isinstance(value, list):
        return [_put_tensors(item, tensors) for item in value]
    return value


def _parts(tensors: list[Tensor], max_bytes: int) -> list[dict[int, Tensor]]:
    """Distribute tensors over files, in order; there is always at least one file."""
    parts: list[dict[int, Tensor]] = [{}]
    size = 0
    for index, tensor in enumerate(tensors):
        tensor_bytes = tensor.numel() * tensor.element_size() + 512  # the file's overhead
        if parts[-1] and size + tensor_bytes > max_bytes:
            parts.append({})
            size = 0
        parts[-1][index] = tensor.clone()  # saving a view would save its whole storage
        size += tensor_bytes
    return parts


def _write(content: Any, path: Path) -> None:
    with path.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> dict[str, Any]:
    tensors: dict[int, Tensor] = {}
    skeleton: Any = None
    for part in sorted(path.glob("part_*.pt")):
        content = torch.load(part, map_location="cpu", weights_only=True)
        tensors.update(content["tensors"])
        skeleton = content.get("skeleton", skeleton)
    state = _put_tensors(skeleton, tensors)
    if not isinstance(state, dict):
        raise TrainingError(f"state {path} is incomplete")
    return state
