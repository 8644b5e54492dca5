"""What OpenVINO has compiled of an export, kept beside it: taken only if it is as it was kept.

EXPORT/openvino_cache/          written by OpenVINO
EXPORT/openvino_cache.json      the hash of every file in it
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from etam_ros.runtime.atomic import write_file
from etam_ros.runtime.sealed import hashes_of, read_sealed, sealed

CACHE: Final = "openvino_cache"
RECORD: Final = "openvino_cache.json"


def usable_cache(export: Path) -> Path | None:
    """The folder for OpenVINO's cache, without what is damaged; None: it is to use none."""
    cache = export / CACHE
    try:
        if _files(cache) != _known(export):
            shutil.rmtree(cache)
    except FileNotFoundError:
        pass
    except OSError:  # damaged, and not ours to mend
        return None
    return cache if cache.is_dir() or os.access(export, os.W_OK) else None


def keep_cache(export: Path) -> None:
    """Note what OpenVINO has in its cache now, where that can be written."""
    with suppress(OSError):
        files = _files(export / CACHE)
        if files != _known(export):
            text = json.dumps(sealed({"files": files}), indent=1) + "\n"
            write_file(export / RECORD, text.encode())


def _files(cache: Path) -> dict[str, str]:
    """Hashes of the files in a cache. Raises OSError."""
    return hashes_of(cache, sorted(path.name for path in cache.iterdir()))


def _known(export: Path) -> dict[str, str]:
    told = read_sealed(export / RECORD)
    return dict(told["files"]) if told is not None else {}
