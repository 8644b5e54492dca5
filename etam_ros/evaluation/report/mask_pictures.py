"""Pictures of masks on photographs for a page, limited in number."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from etam_ros.evaluation.image_scoring import MaskScore
from etam_ros.evaluation.kept import Thinned
from etam_ros.evaluation.result_sheets import draw_result, encode_jpeg

WORST_MASKS: Final = 18
GALLERY: Final = 48

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class WorstMask:
    """A bad mask, and the truth, as JPEGs."""

    score: MaskScore
    found: bytes
    truth: bytes


class MaskPictures:
    """Selects evenly spaced photographs with all their masks, and the worst masks.

    Attributes:
        worst: masks, the worst first.
        fingerprints: by photograph, a fingerprint of its pixels and ground truth.
    """

    def __init__(self) -> None:
        self.worst: list[WorstMask] = []
        self.fingerprints: dict[str, str] = {}
        self._digest = hashlib.sha256()
        self._some: Thinned[tuple[str, bytes]] = Thinned(GALLERY)
        self._seen = 0
        self._image: Image | None = None
        self._found: NDArray[Any] = np.zeros((0, 0), np.uint16)
        self._truth = self._found

    @property
    def gallery(self) -> list[tuple[str, bytes]]:
        """Names of photographs with JPEGs: masks are filled, the truth is drawn as white lines."""
        return [kept for _, kept in self._some.frames]

    def see(self, image: Image, score: MaskScore, mask: Mask, truth: Mask) -> None:
        """Offer one mask of a photograph.

        Args:
            image: (H, W, 3) uint8 RGB.
            mask, truth: (H, W) bool.
        """
        if self._image is None:
            self._image = image
            self._digest = hashlib.sha256(image.tobytes())
            self._found, self._truth = (np.zeros(mask.shape, np.uint16) for _ in range(2))
        self._digest.update(np.packbits(truth).tobytes())
        self._found[mask], self._truth[truth] = score.object_id, score.object_id
        if score.iou < 1 and (
            len(self.worst) < WORST_MASKS or score.iou < self.worst[-1].score.iou
        ):
            labels, nothing = np.zeros(mask.shape, np.uint16), np.zeros(mask.shape, np.uint16)
            labels[truth] = score.object_id
            right = encode_jpeg(draw_result(image, labels, nothing))
            labels[:] = mask * np.uint16(score.object_id)
            found = encode_jpeg(draw_result(image, labels, nothing))
            self.worst.append(WorstMask(score, found, right))
            self.worst = sorted(self.worst, key=lambda each: each.score.iou)[:WORST_MASKS]

    def end(self, name: str) -> None:
        """Called when a photograph is finished."""
        image, self._image = self._image, None
        if image is None:
            return
        self.fingerprints[name] = self._digest.hexdigest()[:16]
        found, truth = self._found, self._truth
        self._some.offer(self._seen, lambda: (name, encode_jpeg(draw_result(image, found, truth))))
        self._seen += 1
