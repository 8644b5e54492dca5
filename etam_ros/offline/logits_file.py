"""What the network said of every object, in an .npz that is written as it goes.

Keys: `f{frame}_o{id}_mask_logits` (4h, 4w), `_score` (1,), `_ptr` (C,), all float32: before the
threshold, before overlaps are settled. h, w: the feature grid; C: channels of an object pointer.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from etam_ros.records import FrameResult, ObjectState

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a zip file knows: the same run, the same bytes


class LogitsFile:
    """Appends arrays to an .npz; memory stays constant however long the stream.

    The file appears under its name when it is whole; until then it is `<name>.part`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._archive = zipfile.ZipFile(self._part, "w", zipfile.ZIP_STORED, allowZip64=True)

    def write(self, frame_index: int, result: FrameResult) -> None:
        """Append every object of one frame."""
        for state in result.objects:
            for name, array in _arrays(state).items():
                self._append(f"f{frame_index}_o{state.object_id}_{name}", array)

    def close(self, *, is_whole: bool = True) -> None:
        """Finish the file.

        Args:
            is_whole: it gets its name; else it stays a part, which can be read under that name.
        """
        self._archive.close()
        if is_whole:
            self._part.replace(self._path)

    def _append(self, key: str, array: NDArray[np.float32]) -> None:
        content = io.BytesIO()
        np.save(content, array, allow_pickle=False)
        self._archive.writestr(zipfile.ZipInfo(f"{key}.npy", _EPOCH), content.getbuffer())


def _arrays(state: ObjectState) -> dict[str, NDArray[np.float32]]:
    return {
        "mask_logits": state.mask_logits.detach().float().cpu().numpy(),
        "score": np.array([state.object_score_logit], np.float32),
        "ptr": state.pointer.detach().float().cpu().numpy().reshape(-1),
    }
