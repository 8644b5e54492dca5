"""Shadows that things cast on the ground."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.synthetic.scene.actors import ProjectedActor
from etam_ros.synthetic.scene.light import Light, Linear
from etam_ros.synthetic.scene.noise import Field
from etam_ros.synthetic.scene.shapes import Shape

_SHADOW_GRID: Final = 48
_LINE: Final = np.linspace(-1.0, 1.0, _SHADOW_GRID, dtype=np.float32)
_SPOT: Final = np.clip(1.0 - _LINE[:, None] ** 2 - _LINE**2, 0.0, 1.0).astype(np.float32)


def shadow_sheet(shape: Shape, softness: float) -> Field:
    """(48, 48) blurred silhouette that a shadow is drawn with."""
    small = cv2.resize(
        shape.surface[..., 0], (_SHADOW_GRID, _SHADOW_GRID), interpolation=cv2.INTER_AREA
    )
    blurred = cv2.GaussianBlur(small, (0, 0), 1.0 + 3.0 * softness)
    return np.asarray(blurred, np.float32)


def cast_shadow(picture: Linear, projected: ProjectedActor, sheet: Field, light: Light) -> None:
    """Darken the ground where a thing stands in the light, in place."""
    run_x, run_y = light.shadow
    scale, bottom = projected.scale * 1.05, projected.actor.shape.bottom
    unit = 2.0 / (_SHADOW_GRID - 1)  # local units per cell of the sheet
    foot_u = projected.foot[0] + projected.lift * run_x
    foot_v = projected.foot[1] + projected.lift * run_y
    # Local (x, y) lands at foot + x * (1, 0) + height * (run_x, run_y), height = bottom - y.
    matrix = np.array(
        [
            [scale * unit, -scale * run_x * unit, foot_u + scale * (run_x * (bottom + 1.0) - 1.0)],
            [0.0, -scale * run_y * unit, foot_v + scale * run_y * (bottom + 1.0)],
        ]
    )
    _darken(picture, sheet, matrix, 1.0 - light.shade)
    width = projected.actor.shape.half_width * 0.8
    flat = np.array(  # and a soft dark spot right under it
        [
            [scale * unit * width, 0.0, projected.foot[0] - scale * width],
            [0.0, scale * unit * 0.2, projected.foot[1] - scale * 0.2],
        ]
    )
    near = float(np.exp(-3.0 * projected.lift / max(projected.scale, 1.0)))
    _darken(picture, _SPOT, flat, 0.6 * near)


def _darken(picture: Linear, sheet: Field, matrix: NDArray[np.float64], strength: float) -> None:
    """Multiply the picture by 1 - strength * sheet, warped by an affine matrix, in place."""
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * (_SHADOW_GRID - 1)
    placed = corners @ matrix[:, :2].T + matrix[:, 2]
    x0, y0 = np.maximum(np.floor(placed.min(axis=0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(placed.max(axis=0)).astype(int) + 1, picture.shape[1::-1])
    if x0 >= x1 or y0 >= y1 or strength <= 0.0:
        return
    moved = matrix.copy()
    moved[:, 2] -= (x0, y0)
    shadow = cv2.warpAffine(
        sheet, moved, (int(x1 - x0), int(y1 - y0)), flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
    )  # fmt: skip
    picture[y0:y1, x0:x1] *= (1.0 - np.float32(strength) * shadow)[..., None]
