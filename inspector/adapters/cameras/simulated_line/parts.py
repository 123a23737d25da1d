"""The look of the simulated product: brushed aluminium under a lamp from the upper left.

Everything slow happens once, in `PartLook.build`: the plate's height map is lit and kept as a handful of u8 sprites. A
part is then put together from sprites in a few hundred microseconds (`PartLook.assemble`).

A sprite is u8 (h, w, 4): premultiplied blue, green, red and *transmission* (255 lets the belt through, 0 hides it), so
that putting it on the belt is one multiplication and one addition.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from inspector.adapters.cameras.simulated_line.geometry import (
    BORE,
    CANVAS,
    MARK,
    MARK_CELLS,
    SCREW_RADIUS,
    SCREWS,
    SET_SCREW_RADIUS,
    SET_SCREWS,
    Geometry,
    edges,
    spots,
    step,
)
from inspector.adapters.cameras.simulated_line.texture import F32, U8, smooth_noise, to_u8

VARIANTS = 8
SCREW_TURNS = 12
_LIGHT = np.array([-0.52, -0.60, 0.61], dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class PartLook:
    """Prebaked pictures of one product at one scale. Read-only after `build`; safe to share between threads.

    `scale` px per design unit; `plates` sprites without screws; `flat` u8 mask (255 on the milled top face, where
    surface defects live); `top` the same with its chamfers; `brush` u8 (h, w, 4) multiplier around 128, larger than a
    sprite so that every part gets its own grain; `screws`, `set_screws` u8 (n, k, k, 4) straight blue, green, red and
    alpha; `spots` f32 (n, 2) places on the top face in design units; `edges` f32 (n, 5): x, y, normal into the void
    (2), 1 for the outline or 0 for the bore; `noise` f32 (512, 512) low-frequency field.
    """

    scale: float
    plates: tuple[U8, ...]
    flat: U8
    top: U8
    brush: U8
    screws: U8
    set_screws: U8
    spots: F32
    edges: F32
    noise: F32

    @staticmethod
    def build(scale: float, rng: np.random.Generator) -> PartLook:
        """Draw the product at `scale` pixels per design unit with the grain that `rng` gives."""
        fine = 2 if scale <= 2.5 else 1
        geometry = Geometry(scale * fine)
        lit = _Lit(geometry)
        plates = tuple(_plate(geometry, lit, fine, rng) for _ in range(VARIANTS))
        height, width = plates[0].shape[:2]
        flat = to_u8(255 * cv2.resize(geometry.flat, (width, height), interpolation=cv2.INTER_AREA))
        reach = 2 * round(4.5 * scale) + 1
        chamfers = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
        return PartLook(
            scale=scale,
            plates=plates,
            flat=flat,
            top=np.asarray(cv2.dilate(flat, chamfers), np.uint8),
            brush=_brush(height + round(96 * scale), width + round(192 * scale), scale, rng),
            screws=np.stack([_screw(scale, SCREW_RADIUS, 8.8, k / SCREW_TURNS, 0.56, rng) for k in range(SCREW_TURNS)]),
            set_screws=np.stack(
                [_screw(scale, SET_SCREW_RADIUS, 4.2, k / SCREW_TURNS, 0.95, rng) for k in range(SCREW_TURNS)]
            ),
            spots=spots(geometry),
            edges=edges(geometry),
            noise=smooth_noise(512, 512, 9.0, 9.0, rng),
        )

    def assemble(self, rng: np.random.Generator, missing_screw: int | None) -> U8:
        """A fresh sprite of one good part; `missing_screw` 0-3 leaves that screw out, 4-5 that set screw."""
        plate = self.plates[int(rng.integers(VARIANTS))]
        height, width = plate.shape[:2]
        top = int(rng.integers(self.brush.shape[0] - height + 1))
        left = int(rng.integers(self.brush.shape[1] - width + 1))
        grain = self.brush[top : top + height, left : left + width]
        sprite = np.asarray(cv2.multiply(plate, grain, scale=1 / 128), np.uint8)
        sprite[:, :, 3] = plate[:, :, 3]
        tone = rng.uniform(0.86, 1.08, 6)
        turns = rng.integers(SCREW_TURNS, size=6)
        for k, (x, y) in enumerate(SCREWS + SET_SCREWS):
            if k != missing_screw:
                kind = self.screws if k < len(SCREWS) else self.set_screws
                self._paste(sprite, kind[turns[k]], x, y, float(tone[k]))
        self._laser_mark(sprite, rng)
        return sprite

    def pixel(self, x: float, y: float) -> tuple[float, float]:
        """Canvas pixel of a point in design units."""
        return (x + CANVAS[0] / 2) * self.scale, (y + CANVAS[1] / 2) * self.scale

    def _paste(self, sprite: U8, screw: U8, x: float, y: float, tone: float) -> None:
        side = screw.shape[0]
        px, py = self.pixel(x, y)
        left, top = round(px - side / 2), round(py - side / 2)
        under = sprite[top : top + side, left : left + side, :3]
        alpha = screw[:, :, 3:].astype(np.float32) * np.float32(1 / 255)
        under[:] = to_u8(under * (1 - alpha) + screw[:, :, :3] * (alpha * np.float32(tone)))

    def _laser_mark(self, sprite: U8, rng: np.random.Generator) -> None:
        cells = rng.integers(0, 2, (MARK_CELLS, MARK_CELLS), dtype=np.uint8)
        cells[:, 0] = 1
        cells[-1, :] = 1
        cells[0, :] = np.arange(MARK_CELLS) % 2 == 0
        cells[:, -1] = np.arange(MARK_CELLS) % 2 == 1
        side = round(MARK[2] * self.scale)
        px, py = self.pixel(MARK[0], MARK[1])
        left, top = round(px - side / 2), round(py - side / 2)
        ink = cv2.GaussianBlur(cv2.resize(cells * 255, (side, side), interpolation=cv2.INTER_NEAREST), (3, 3), 0)
        depth = np.float32(rng.uniform(0.42, 0.55) / 255)
        area = sprite[top : top + side, left : left + side, :3]
        area[:] = to_u8(area * (1 - ink[:, :, None] * depth))


class _Lit:
    """What all plates of a scale share: the plate's relief under the lamp. Lengths of shadows are design units."""

    def __init__(self, g: Geometry) -> None:
        s = g.scale
        relief = cv2.GaussianBlur(g.relief(), (0, 0), 0.7 * s)
        gx = cv2.Sobel(relief, cv2.CV_32F, 1, 0, scale=1 / 8) * s
        gy = cv2.Sobel(relief, cv2.CV_32F, 0, 1, scale=1 / 8) * s
        length = np.sqrt(gx * gx + gy * gy + 1)
        lit = np.clip((-gx * _LIGHT[0] - gy * _LIGHT[1] + _LIGHT[2]) / length, 0, None)
        self.light = 52 + 168 * lit + np.clip(lit - 0.80, 0, None) * 330
        self.faces_lamp = lit > 0.66
        self.is_top = relief > 11
        # Turned seats mirror the lamp as a bow tie.
        self.seats = []
        for x, y, reach in ((BORE[0], BORE[1], g.seat), *((sx, sy, g.screw_seats) for sx, sy in SCREWS)):
            dx, dy = g.x - x, g.y - y
            near = reach * (np.hypot(dx, dy) < 80) * (1 - g.hole)
            tie = np.abs(np.cos(np.arctan2(dy, dx) - 0.86)) ** 5
            rings = np.sin(np.hypot(dx, dy) * 2.6)
            self.seats.append((near, 0.74 + 0.58 * tie + 0.025 * rings))
        # Contact shadows: what lies lower than its surroundings sees less of the sky, less still towards the lamp.
        shift = np.array([[1, 0, 3.2 * s], [0, 1, 3.8 * s]], np.float32)
        wide = cv2.GaussianBlur(relief, (0, 0), 3.2 * s)
        shaded = np.clip(cv2.warpAffine(wide, shift, (g.width, g.height)) - relief - 0.6, 0, 7) * g.outline
        self.contact = 1 - 0.085 * shaded
        self.deep = np.maximum(g.hole, g.threads)
        through = g.outline * (1 - 0.55 * g.hole)
        fall = np.array([[1, 0, 6.0 * s], [0, 1, 7.5 * s]], np.float32)
        cast = cv2.warpAffine(g.outline, fall, (g.width, g.height))
        cast = cv2.GaussianBlur(cast, (0, 0), 5.0 * s) * np.float32(0.62)
        seam = cv2.GaussianBlur(g.outline, (0, 0), 1.8 * s) * np.float32(0.5)
        self.transmission = (1 - through) * (1 - np.maximum(cast, seam)) * 255


def _plate(g: Geometry, lit: _Lit, fine: int, rng: np.random.Generator) -> U8:
    """One plate without screws, on its own shadow."""
    # A bright band of the lamp mirrored in the grain, and the arcs the face mill leaves.
    band = rng.uniform(-90, 90)
    slant = ((g.x + 0.35 * g.y - band) / 95) ** 2
    light = lit.light * (1 + 0.10 * np.exp(-slant) - 0.05 * (g.x / 200) + 0.03 * (g.y / 150))
    arc_x, arc_y = rng.uniform(-420, -300), rng.uniform(-60, 60)
    arcs = np.sin(np.hypot(g.x - arc_x, g.y - arc_y) * (2 * np.pi / rng.uniform(8.0, 15.0)))
    light *= 1 + rng.uniform(0.002, 0.009) * arcs * lit.is_top
    for near, mirrored in lit.seats:
        light = light * (1 - near) + near * light * mirrored
    light *= lit.contact
    light = light * (1 - lit.deep) + lit.deep * np.clip(20 + 0.34 * light * lit.faces_lamp, 0, 120)
    tint = np.array([1.03, 1.0, 0.965], np.float32) * np.float32(rng.uniform(0.96, 1.03))
    sprite = np.dstack([light[:, :, None] * tint * g.outline[:, :, None], lit.transmission])
    size = (round(g.width / fine), round(g.height / fine))
    return to_u8(cv2.resize(np.clip(sprite, 0, 255).astype(np.float32), size, interpolation=cv2.INTER_AREA))


def _brush(height: int, width: int, scale: float, rng: np.random.Generator) -> U8:
    """Multiplier around 128: the grain of brushed metal, streaks along x; the fourth channel is unused."""
    field = np.zeros((height, width), np.float32)
    for length, thickness, weight in ((18, 0.5, 0.5), (70, 0.7, 1.0), (260, 1.3, 0.8)):
        field += np.float32(weight) * smooth_noise(height, width, length * scale / 3, thickness * scale, rng)
    field += np.float32(0.9) * smooth_noise(height, width, 35 * scale, 25 * scale, rng)
    plane = to_u8(128 + 3.3 * field)
    return np.dstack([plane] * 4)


def _screw(scale: float, radius: float, hexagon: float, turn: float, dark: float, rng: np.random.Generator) -> U8:
    """A screw from above: `hexagon` half width of its socket, turned by `turn` of 60 degrees, `dark` its finish."""
    fine = 4
    side = 2 * (round((radius + 2) * scale))
    axis = (np.arange(side * fine, dtype=np.float32) + 0.5) / np.float32(scale * fine) - np.float32(side / 2 / scale)
    x, y = np.meshgrid(axis, axis)
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    facing = np.cos(angle - np.arctan2(_LIGHT[1], _LIGHT[0]))
    tie = np.abs(np.cos(angle - 0.86 + rng.uniform(-0.12, 0.12))) ** 6
    light = dark * (66 + 70 * tie + 5 * np.sin(r * 4.2) + 10 * facing)
    rim = np.exp(-(((r - radius + 1.6) / 1.1) ** 2))
    light += rim * (38 + 105 * np.clip(facing, -0.35, 1))
    local = angle + np.float32(turn * np.pi / 3)
    wedge = np.mod(local, np.pi / 3) - np.pi / 6
    flats = r * np.cos(wedge)
    inside = step((hexagon - flats) * 3)
    depth = np.clip((hexagon - flats) / 2.2, 0, 1)
    wall = np.cos(local - wedge - np.float32(turn * np.pi / 3) - np.arctan2(_LIGHT[1], _LIGHT[0]))
    socket = 16 + (1 - depth) * np.clip(40 - 95 * wall, 0, 150)
    light = light * (1 - inside) + inside * socket
    light += 45 * np.exp(-(((flats - hexagon - 0.5) / 0.6) ** 2)) * np.clip(0.3 + facing, 0, 1)
    alpha = step((radius - r) * scale * fine / 2)
    tint = np.array([1.05, 1.0, 0.96], np.float32)
    sprite = np.dstack([light[:, :, None] * tint, alpha * 255]).astype(np.float32)
    return to_u8(cv2.resize(sprite, (side, side), interpolation=cv2.INTER_AREA))
