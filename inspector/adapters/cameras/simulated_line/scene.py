"""The station around the part: belt, rails, lamp and camera.

`Scene.expose` puts a sprite on a piece of belt, lights it, blurs it along the belt and adds sensor noise. All tables
are prebaked; a picture costs a handful of u8 passes.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.adapters.cameras.simulated_line.texture import U8, smooth_noise, to_u8

_BELT_LENGTH = 2560
"""Length of the prebaked belt in px, at least one and a half pictures; pieces are cut from it at any place."""
_RAIL = 27
_GRID = (24, 32)
"""Rows and columns of the coarse light field that is stretched over the picture."""
_UNITY = 128
"""Value of the gain plane that leaves a pixel as it is."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """Everything that differs between two pictures of the same part.

    `place` 2x3 f64 matrix from sprite px to picture px; `belt_at` 0..1 along the belt; `brightness` of the lamp, 1 when
    new; `tilt` relative change of light across half the picture, along x and y; `glare` (x, y, size, strength) with the
    picture spanning -1..1 and strength 0 for none; `blur_px` travel during the exposure; `noise_at` row and column in
    the noise table.
    """

    place: NDArray[np.float64]
    belt_at: float
    brightness: float
    tilt: tuple[float, float]
    glare: tuple[float, float, float, float]
    blur_px: int
    noise_at: tuple[int, int]


class Scene:
    """Prebaked belt, rails and noise for one picture size. Read-only after construction."""

    noise_room = (64, 128)
    """Rows and columns by which the noise table exceeds the picture."""

    def __init__(self, width: int, height: int, scale: float, rng: np.random.Generator) -> None:
        self.width, self.height = width, height
        self._belt = _belt(max(_BELT_LENGTH, width * 3 // 2), height, scale, rng)
        self._rail_top, self._rail_bottom = _rails(width, round(_RAIL * scale), scale, rng)
        grain = rng.standard_normal((height + self.noise_room[0], width + self.noise_room[1], 3), dtype=np.float32)
        grain = 0.75 * grain + 0.7 * cv2.GaussianBlur(grain, (3, 3), 0)
        self._noise = np.clip(128.5 + 2.1 * grain, 0, 255).astype(np.uint8)
        rows, columns = _GRID
        self._grid_y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
        self._grid_x = np.linspace(-1, 1, columns, dtype=np.float32)[None, :]

    def expose(self, sprite: U8, shot: Exposure) -> U8:
        """The picture, u8 (height, width, 3) BGR."""
        size = (self.width, self.height)
        left = int(shot.belt_at * (self._belt.shape[1] - self.width))
        picture = self._belt[:, left : left + self.width].copy()
        rail = self._rail_top.shape[0]
        warped = cv2.warpAffine(sprite, shot.place, size, flags=cv2.INTER_LINEAR, borderValue=(0, 0, 0, 255))
        blue, green, red, through = cv2.split(warped)
        cv2.multiply(picture, cv2.merge([through, through, through]), dst=picture, scale=1 / 255)
        cv2.add(picture, cv2.merge([blue, green, red]), dst=picture)
        if shot.blur_px > 1:
            picture = np.asarray(cv2.blur(picture, (shot.blur_px, 1)), np.uint8)
        picture[:rail] = self._rail_top
        picture[-rail:] = self._rail_bottom
        gain = self._gain(shot)
        cv2.multiply(picture, cv2.merge([gain, gain, gain]), dst=picture, scale=1 / _UNITY)
        top, across = shot.noise_at
        noise = self._noise[top : top + self.height, across : across + self.width]
        return np.asarray(cv2.addWeighted(picture, 1, noise, 1, -128), np.uint8)

    def _gain(self, shot: Exposure) -> U8:
        x, y = self._grid_x, self._grid_y
        field = 1.05 - 0.13 * (x * x + y * y) + shot.tilt[0] * x + shot.tilt[1] * y
        at_x, at_y, spread, strength = shot.glare
        if strength:
            field = field + strength * np.exp(-(((x - at_x) ** 2 + (y - at_y) ** 2) / spread**2))
        plane = to_u8(field * np.float32(shot.brightness * _UNITY))
        return np.asarray(cv2.resize(plane, (self.width, self.height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _belt(width: int, height: int, scale: float, rng: np.random.Generator) -> U8:
    """Dark green PVC with a fine weave, scuffs along the travel and old marks."""
    x = np.arange(width, dtype=np.float32)[None, :] / np.float32(scale)
    y = np.arange(height, dtype=np.float32)[:, None] / np.float32(scale)
    light = np.full((height, width), 62, np.float32)
    weave = np.sin((x + y) * (2 * np.pi / 5.2)) * np.sin((x - y) * (2 * np.pi / 5.2))
    light += 3.2 * weave
    for sigma_x, sigma_y, weight in ((0.6, 0.6, 2.2), (60, 1.0, 1.8), (30, 22, 3.4), (140, 60, 3.0)):
        light += np.float32(weight) * smooth_noise(height, width, sigma_x * scale, sigma_y * scale, rng)
    scuffs = np.zeros((height, width), np.uint8)
    for _ in range(90):
        px, py = rng.uniform(0, width), rng.uniform(0.07, 0.93) * height
        run, rise = rng.uniform(6, 70) * scale, rng.normal(0, 5) * scale
        shade = int(rng.uniform(40, 160))
        ends = ((int(px), int(py)), (int(px + run), int(py + rise)))
        cv2.line(scuffs, *ends, shade, max(1, round(rng.uniform(0.6, 1.6) * scale)), cv2.LINE_AA)
    for _ in range(260):
        at = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        cv2.circle(scuffs, at, max(1, round(rng.uniform(0.5, 1.3) * scale)), int(rng.uniform(60, 230)), -1, cv2.LINE_AA)
    light += cv2.GaussianBlur(scuffs, (0, 0), 0.6 * scale).astype(np.float32) * np.float32(0.13)
    tint = np.array([0.93, 1.04, 0.80], np.float32)
    return to_u8(light[:, :, None] * tint)


def _rails(width: int, thick: int, scale: float, rng: np.random.Generator) -> tuple[U8, U8]:
    """The extruded side guides with their groove; the lower one mirrors the upper."""
    across = (np.arange(thick, dtype=np.float32) + 0.5) / np.float32(thick)
    profile = np.interp(
        across, [0, 0.30, 0.33, 0.56, 0.60, 0.80, 0.86, 0.93, 1], [118, 134, 44, 30, 156, 140, 172, 96, 26]
    )
    light = profile[:, None] * (1 + 0.035 * smooth_noise(thick, width, 40 * scale, 0.6 * scale, rng))
    tint = np.array([1.03, 1.0, 0.97], np.float32)
    top = to_u8(light[:, :, None] * tint)
    bottom = to_u8(top[::-1] * np.float32(0.86))
    return top, np.ascontiguousarray(bottom)
