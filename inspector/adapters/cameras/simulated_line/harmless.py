"""What a good part may carry: dust, a fibre, tool marks along the grain, a wiped smear. None of it is a defect."""

from __future__ import annotations

import numpy as np

from inspector.adapters.cameras.simulated_line.painting import Patch, stroke
from inspector.adapters.cameras.simulated_line.parts import PartLook
from inspector.adapters.cameras.simulated_line.texture import U8


def add_harmless_marks(sprite: U8, look: PartLook, rng: np.random.Generator) -> None:
    """Dust, a fibre, tool marks along the grain, a wiped smear: each now and then, none a defect."""
    if rng.random() < 0.40:
        for _ in range(int(rng.integers(1, 4))):
            _dust(sprite, look, rng)
    if rng.random() < 0.12:
        _fibre(sprite, look, rng)
    if rng.random() < 0.16:
        _tool_marks(sprite, look, rng)
    if rng.random() < 0.12:
        _smear(sprite, look, rng)


def _dust(sprite: U8, look: PartLook, rng: np.random.Generator) -> None:
    x, y = look.pixel(*look.spots[int(rng.integers(len(look.spots)))])
    radius = rng.uniform(0.7, 1.7) * look.scale
    patch = Patch(sprite, x - 4 * radius, y - 4 * radius, x + 4 * radius, y + 4 * radius)
    dx, dy = patch.grid(x, y)
    speck = np.exp(-((dx * dx + dy * dy) / (radius * radius)))
    patch.light += (speck * np.float32(rng.choice([-75.0, -40.0, 45.0])))[:, :, None]
    patch.close()


def _fibre(sprite: U8, look: PartLook, rng: np.random.Generator) -> None:
    x, y = look.spots[int(rng.integers(len(look.spots)))]
    heading, curl = rng.uniform(0, 2 * np.pi), rng.choice([-1, 1]) * rng.uniform(0.28, 0.5)
    turns = heading + curl * np.arange(10)
    points = np.stack([x + np.cumsum(1.6 * np.cos(turns)), y + np.cumsum(1.6 * np.sin(turns))], 1)
    patch, mask = stroke(sprite, look, points, np.full(10, 0.8), 0.9)
    tint = np.array([210.0, 120.0, 90.0], np.float32)
    patch.light += mask[:, :, None] * np.float32(0.5) * (tint - patch.light)
    patch.close()


def _tool_marks(sprite: U8, look: PartLook, rng: np.random.Generator) -> None:
    x, y = look.spots[int(rng.integers(len(look.spots)))]
    length, gap = rng.uniform(40, 110), rng.uniform(3.0, 5.5)
    for k in range(int(rng.integers(2, 5))):
        start = x - length / 2 + rng.uniform(-6, 6)
        points = np.stack([start + np.linspace(0, length, 8), np.full(8, y + k * gap)], 1)
        patch, mask = stroke(sprite, look, points, np.sin(np.linspace(0.3, 2.84, 8)), 1.0)
        patch.light += (mask * patch.cover(look.flat) * np.float32(rng.uniform(14, 34)))[:, :, None]
        patch.close()


def _smear(sprite: U8, look: PartLook, rng: np.random.Generator) -> None:
    x, y = look.pixel(*look.spots[int(rng.integers(len(look.spots)))])
    wide, tall, turn = rng.uniform(30, 60) * look.scale, rng.uniform(9, 16) * look.scale, rng.uniform(-0.5, 0.5)
    patch = Patch(sprite, x - 2 * wide, y - 2 * wide, x + 2 * wide, y + 2 * wide)
    dx, dy = patch.grid(x, y)
    u, v = (dx * np.cos(turn) + dy * np.sin(turn)) / wide, (dy * np.cos(turn) - dx * np.sin(turn)) / tall
    veil = np.exp(-(u * u + v * v)) * patch.cover(look.flat) * np.float32(rng.uniform(9, 20))
    patch.light += veil[:, :, None]
    patch.close()
