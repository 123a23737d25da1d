"""Random fields from which the surfaces are made."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]


def smooth_noise(height: int, width: int, sigma_x: float, sigma_y: float, rng: np.random.Generator) -> F32:
    """Gaussian noise f32 (height, width) with correlation lengths in px, mean 0, standard deviation 1.

    Long correlations are drawn on a coarser grid and stretched: the same look at a fraction of the time.
    """
    step_x, step_y = max(1, int(sigma_x / 2.5)), max(1, int(sigma_y / 2.5))
    rows, columns = height // step_y + 2, width // step_x + 2
    field = rng.standard_normal((rows, columns), dtype=np.float32)
    field = np.asarray(cv2.GaussianBlur(field, (0, 0), sigmaX=sigma_x / step_x, sigmaY=sigma_y / step_y), np.float32)
    if (rows, columns) != (height, width):
        field = np.asarray(cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    return np.asarray((field - field.mean()) / max(float(field.std()), 1e-6), np.float32)


def to_u8(values: NDArray[Any]) -> U8:
    """Rounded and clipped to 0..255."""
    return np.asarray(np.clip(values + 0.5, 0, 255), np.uint8)
