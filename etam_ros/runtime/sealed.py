"""Facts on disk that decide what runs: JSON that tells whether it has changed, and hashes.

A byte that has changed, a key that is missing or of another type: all of it is damage, and what is
damaged is as good as absent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

_SEAL: Final = "sha256"


def sealed(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The same facts, and what tells whether they have changed."""
    plain = {name: value for name, value in facts.items() if name != _SEAL}
    text = json.dumps(plain, sort_keys=True)
    return {**plain, _SEAL: hashlib.sha256(text.encode()).hexdigest()}


def is_whole(facts: object) -> bool:
    """Whether these are facts as `sealed` gave them."""
    try:
        return isinstance(facts, dict) and sealed(facts)[_SEAL] == facts.get(_SEAL)
    except (TypeError, ValueError, RecursionError):
        return False


def read_sealed(path: Path) -> dict[str, Any] | None:
    """The facts of a file; None where it is missing or damaged."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return facts if is_whole(facts) else None


def hashes_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of files by their names.

    Raises:
        OSError: one is missing, or cannot be read.
    """
    return {name: hash_of(folder / name) for name in names}


def hash_of(path: Path) -> str:
    """SHA-256 of a file, computed once as long as nobody writes it.

    Raises:
        OSError: it is missing, or cannot be read.
    """
    found = path.stat()
    return _hash_of(path, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


@lru_cache(maxsize=256)
def _hash_of(path: Path, *_state: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(2**20):
            digest.update(piece)
    return digest.hexdigest()
