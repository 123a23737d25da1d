"""Primitives to paint on a sprite: a window of it, soft strokes, polygons, clouds."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.adapters.cameras.simulated_line.parts import PartLook
from inspector.adapters.cameras.simulated_line.texture import F32, U8, to_u8

Box = tuple[float, float, float, float]
"""left, top, right, bottom in sprite pixels."""


class Patch:
    """A window of the sprite as float planes, written back by `close`. Clipped to the sprite."""

    def __init__(self, sprite: U8, x0: float, y0: float, x1: float, y1: float) -> None:
        height, width = sprite.shape[:2]
        self.x0, self.y0 = max(0, int(x0)), max(0, int(y0))
        self.x1, self.y1 = min(width, int(x1) + 1), min(height, int(y1) + 1)
        self.target = sprite[self.y0 : self.y1, self.x0 : self.x1]
        self.light: F32 = self.target[:, :, :3].astype(np.float32)
        self.shape = self.target.shape[:2]

    def grid(self, x: float, y: float) -> tuple[F32, F32]:
        """Pixel offsets from (x, y)."""
        across = np.arange(self.x0, self.x1, dtype=np.float32) - np.float32(x)
        down = np.arange(self.y0, self.y1, dtype=np.float32) - np.float32(y)
        return across[None, :], down[:, None]

    def cover(self, mask: U8) -> F32:
        return mask[self.y0 : self.y1, self.x0 : self.x1].astype(np.float32) * np.float32(1 / 255)

    def close(self) -> None:
        self.target[:, :, :3] = to_u8(self.light)

    def box(self, touched: F32, threshold: float) -> Box:
        rows, columns = np.flatnonzero(touched.max(axis=1) > threshold), np.flatnonzero(touched.max(axis=0) > threshold)
        if rows.size == 0 or columns.size == 0:
            return float(self.x0), float(self.y0), float(self.x1), float(self.y1)
        left, top = self.x0 + int(columns[0]), self.y0 + int(rows[0])
        return float(left), float(top), float(self.x0 + int(columns[-1]) + 1), float(self.y0 + int(rows[-1]) + 1)


def pixels(look: PartLook, points: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.stack(look.pixel(points[:, 0], points[:, 1]), axis=1)  # type: ignore[arg-type]


def stroke(
    sprite: U8,
    look: PartLook,
    points: NDArray[np.floating],
    strength: NDArray[np.floating],
    width: float,
    starts: NDArray[np.bool_] | None = None,
) -> tuple[Patch, F32]:
    """A patch around a polyline and the line's soft mask in it; `starts` marks points not joined to the one before."""
    at = pixels(look, points)
    margin = 4 * look.scale + width
    patch = Patch(sprite, *(at.min(0) - margin), *(at.max(0) + margin))
    ink = np.zeros(patch.shape, np.uint8)
    thick = width * look.scale
    fixed = np.round((at - (patch.x0, patch.y0)) * 16).astype(int)
    for k in range(1, len(fixed)):
        if starts is None or not starts[k]:
            a, b = fixed[k - 1], fixed[k]
            shade = int(np.clip(255 * strength[k] * min(1.0, thick), 0, 255))
            cv2.line(ink, (int(a[0]), int(a[1])), (int(b[0]), int(b[1])), shade, max(1, round(thick)), cv2.LINE_AA, 4)
    return patch, ink.astype(np.float32) * np.float32(1 / 255)


def polygon(patch: Patch, points: NDArray[np.floating]) -> F32:
    ink = np.zeros(patch.shape, np.uint8)
    cv2.fillPoly(ink, [np.round((points - (patch.x0, patch.y0)) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return ink.astype(np.float32) * np.float32(1 / 255)


def polyline(ink: U8, points: NDArray[np.floating], thick: int) -> None:
    cv2.polylines(ink, [np.round(points * 16).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 4)


def shifted(mask: F32, dx: float, dy: float) -> F32:
    move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    return np.asarray(cv2.warpAffine(mask, move, (mask.shape[1], mask.shape[0])), np.float32)


def cloud_patch(look: PartLook, rng: np.random.Generator, shape: tuple[int, int], size: float) -> F32:
    """Smooth noise of standard deviation 1 whose bumps are about `size` pixels apart."""
    zoom = 26 / max(size, 1.0)
    rows, columns = (min(511, max(2, round(extent * zoom))) for extent in shape)
    top, left = int(rng.integers(512 - rows)), int(rng.integers(512 - columns))
    crop = look.noise[top : top + rows, left : left + columns]
    return np.asarray(cv2.resize(crop, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)
