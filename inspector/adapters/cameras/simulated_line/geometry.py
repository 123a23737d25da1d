"""The shape of the simulated product: a milled plate with bores, seats for screws, a pocket and an engraving.

Lengths are in *design units*: one unit is one pixel at 640x480. The plate lies in a canvas of `CANVAS` units whose
middle is the plate's origin; x runs with the belt, y downwards.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.adapters.cameras.simulated_line.texture import F32

CANVAS = (460, 360)
"""Width and height of the sprite canvas in design units: the plate, its shadow and room for burrs."""

BORE = (-30.0, 0.0, 42.0, 62.0)
"""Through bore: x, y, radius of the hole, radius of its counterbore."""
SCREWS = ((-158.0, -110.0), (158.0, -110.0), (-158.0, 110.0), (132.0, 94.0))
SCREW_RADIUS = 17.0
SCREW_SEAT = 22.0
SET_SCREWS = ((-30.0, -106.0), (-30.0, 106.0))
SET_SCREW_RADIUS = 7.5
DOWELS = ((66.0, -104.0), (-118.0, 62.0))
MARK = (66.0, 46.0, 34.0)
"""Laser-marked matrix code: x and y of its middle, side length."""
MARK_CELLS = 12


class Geometry:
    """Masks (float 0..1) and height map of the plate at `scale` pixels per design unit."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.width, self.height = round(CANVAS[0] * scale), round(CANVAS[1] * scale)
        y, x = np.mgrid[0 : self.height, 0 : self.width].astype(np.float32)
        self.x = (x + 0.5) / np.float32(scale) - CANVAS[0] / 2
        self.y = (y + 0.5) / np.float32(scale) - CANVAS[1] / 2
        outline = [(-195, -145), (195, -145), (195, 90), (140, 145), (-195, 145)]
        outline += [(-195, 22), (-158, 22), (-158, -22), (-195, -22)]
        solid = np.zeros((self.height, self.width), np.uint8)
        points = np.array([[(px + CANVAS[0] / 2) * scale, (py + CANVAS[1] / 2) * scale] for px, py in outline])
        cv2.fillPoly(solid, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
        soft = cv2.GaussianBlur(solid, (0, 0), 5.5 * scale)
        self.outline = step((soft.astype(np.float32) / 255 - 0.5) * 14 * scale)
        bore_x, bore_y, hole, seat = BORE
        self.hole = self.disc(bore_x, bore_y, hole)
        for dx, dy in DOWELS:
            self.hole = np.maximum(self.hole, self.disc(dx, dy, 6.0))
        self.seat = self.disc(bore_x, bore_y, seat)
        self.screw_seats = np.max([self.disc(sx, sy, SCREW_SEAT) for sx, sy in SCREWS], axis=0)
        self.threads = np.max([self.disc(sx, sy, 9.0) for sx, sy in SCREWS], axis=0)
        for sx, sy in SET_SCREWS:
            self.threads = np.maximum(self.threads, self.disc(sx, sy, SET_SCREW_RADIUS))
        near = np.clip(self.y, -56, 56)
        self.pocket = step((21 - np.hypot(self.x - 122, self.y + 8 - near)) * scale)
        self.solid = self.outline * (1 - self.hole)
        holes = np.maximum.reduce([self.hole, self.seat, self.screw_seats, self.threads, self.pocket])
        self.flat = (self.edge_distance(self.outline * (1 - holes)) > 4.5).astype(np.float32)

    def disc(self, x: float, y: float, radius: float) -> F32:
        return step((np.float32(radius) - np.hypot(self.x - x, self.y - y)) * self.scale)

    def edge_distance(self, mask: F32) -> F32:
        """Distance into the mask in design units."""
        inside = (mask > 0.5).astype(np.uint8)
        return np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, 5), np.float32) / np.float32(self.scale)

    def relief(self) -> F32:
        """Height in design units: chamfered edges, stepped bores, a pocket, an engraving."""

        def chamfer(mask: F32, width: float) -> F32:
            return np.asarray(np.clip(self.edge_distance(mask) / np.float32(width), 0, 1), np.float32)

        top = 12 + 4.5 * (chamfer(self.outline, 4.5) - 1)
        cuts = (
            (self.seat, 6.0, 2.5),
            (self.screw_seats, 7.0, 2.2),
            (self.pocket, 6.5, 4.5),
            (self.hole, 14.0, 2.0),
            (self.threads, 14.0, 1.8),
        )
        for mask, deep, width in cuts:
            top = top - deep * chamfer(mask, width)
        ink = np.zeros((self.height, self.width), np.uint8)
        thick = max(1, round(1.5 * self.scale))
        for text, x, y, size in (("BX-204", -4.0, 112.0, 0.62), ("REV C  6082", -4.0, 131.0, 0.38)):
            at = (round((x + CANVAS[0] / 2) * self.scale), round((y + CANVAS[1] / 2) * self.scale))
            cv2.putText(ink, text, at, cv2.FONT_HERSHEY_SIMPLEX, size * self.scale, 255, thick, cv2.LINE_AA)
        depth = cv2.GaussianBlur(ink, (0, 0), 0.5 * self.scale).astype(np.float32) / 255
        return np.asarray((top - 2.2 * depth) * self.outline, np.float32)


def spots(g: Geometry) -> F32:
    """Places on the top face, well inside, in design units."""
    inner = g.edge_distance(g.flat) > 5
    step = max(1, round(3 * g.scale))
    picked = inner[::step, ::step]
    return np.stack([g.x[::step, ::step][picked], g.y[::step, ::step][picked]], axis=1).astype(np.float32)


def edges(g: Geometry) -> F32:
    """Points along the outline and the bore with their normal into the void."""
    rows = []
    for kind, mask in ((1.0, g.outline), (0.0, 1 - g.disc(BORE[0], BORE[1], BORE[2]))):
        if kind == 0.0:
            mask = mask * g.disc(BORE[0], BORE[1], BORE[3])
        smooth = cv2.GaussianBlur(mask, (0, 0), 2.5 * g.scale)
        nx, ny = -cv2.Sobel(smooth, cv2.CV_32F, 1, 0), -cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
        for contour in cv2.findContours((mask > 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]:
            at = contour[:: max(1, round(2 * g.scale)), 0]
            ux, uy = nx[at[:, 1], at[:, 0]], ny[at[:, 1], at[:, 0]]
            norm = np.maximum(np.hypot(ux, uy), 1e-6)
            x, y = g.x[at[:, 1], at[:, 0]], g.y[at[:, 1], at[:, 0]]
            points = np.stack([x, y, ux / norm, uy / norm, np.full_like(x, kind)], axis=1)
            if kind == 0.0:
                points = points[np.hypot(x - BORE[0], y - BORE[1]) < BORE[2] + 4]
            rows.append(points)
    return np.concatenate(rows).astype(np.float32)


def step(distance: NDArray[np.floating]) -> F32:
    """A one-pixel-wide ramp from 0 to 1 around distance 0, in pixels."""
    return np.asarray(np.clip(distance + 0.5, 0, 1), np.float32)
