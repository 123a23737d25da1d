"""Defects, painted on a part's sprite.

Each painter takes the sprite (changed in place), the product's look, the part's generator and a severity from 0 (a
careful person just sees it at full zoom) to 1 (seen from across the hall), and gives the box it touched in sprite
pixels. Sizes are design units. What tells a defect from what `harmless` adds is a rule a person could learn: scratches
cross the grain and tool marks follow it; a stain darkens, glare and smears brighten; dust and fibres are smaller than
any dent or crack.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from inspector.adapters.cameras.simulated_line.geometry import BORE, SCREWS, SET_SCREWS
from inspector.adapters.cameras.simulated_line.painting import (
    Box,
    Patch,
    cloud_patch,
    pixels,
    polygon,
    polyline,
    shifted,
    stroke,
)
from inspector.adapters.cameras.simulated_line.parts import PartLook
from inspector.adapters.cameras.simulated_line.texture import U8

Painter = Callable[[U8, PartLook, np.random.Generator, float], Box]

MISSING_SCREW = "missing_screw"
_BLATANT_SCREW = 0.45
"""From this severity on a big screw is missing, below it a small set screw."""


def scratch(sprite: U8, look: PartLook, rng: np.random.Generator, severity: float) -> Box:
    """A bright groove with a dark flank, at an angle to the grain."""
    angle = rng.uniform(0.42, np.pi - 0.42)
    length = (26 + 84 * severity) * rng.uniform(0.75, 1.15)
    x, y = look.spots[int(rng.integers(len(look.spots)))]
    steps = np.linspace(-0.5, 0.5, 18)
    bend = rng.uniform(-0.10, 0.10)
    along, off = steps * length, bend * length * (4 * steps**2 - 1)
    points = np.stack(
        [x + along * np.cos(angle) - off * np.sin(angle), y + along * np.sin(angle) + off * np.cos(angle)], 1
    )
    strength = np.clip(1 - np.abs(steps * 2) ** 3, 0.25, 1) * np.clip(rng.normal(0.9, 0.2, steps.size), 0.35, 1.1)
    patch, mask = stroke(sprite, look, points, strength, 0.9 + 1.5 * severity * rng.uniform(0.6, 1.0))
    mask *= patch.cover(look.flat)
    flank = shifted(mask, np.sin(angle) * 1.3 * look.scale, -np.cos(angle) * 1.3 * look.scale)
    contrast = 36 + 70 * severity
    patch.light += ((mask - 0.6 * flank) * np.float32(contrast))[:, :, None]
    patch.close()
    return patch.box(mask, 0.2)


def crack(sprite: U8, look: PartLook, rng: np.random.Generator, severity: float) -> Box:
    """A dark jagged line that starts at a hole or an edge and branches when it is long."""
    row = look.edges[int(rng.integers(len(look.edges)))]
    if row[4] == 0.0:
        # The bore's rim is a turned seat: start where the seat meets the top face.
        heading = np.arctan2(row[1] - BORE[1], row[0] - BORE[0])
        x, y = BORE[0] + (BORE[3] - 1) * np.cos(heading), BORE[1] + (BORE[3] - 1) * np.sin(heading)
    else:
        heading = np.arctan2(-row[3], -row[2])
        x, y = row[0], row[1]
    heading += rng.uniform(-0.6, 0.6)
    length = (22 + 72 * severity) * rng.uniform(0.8, 1.15)
    lines = [_walk(rng, x, y, heading, length)]
    if severity > 0.4:
        fork = lines[0][len(lines[0]) // 2]
        lines.append(_walk(rng, fork[0], fork[1], heading + rng.choice([-0.95, 0.95]), length * 0.4))
    everything = np.concatenate(lines)
    strength = np.concatenate([np.linspace(1, 0.45, len(line)) for line in lines])
    starts = np.zeros(len(everything), bool)
    starts[len(lines[0]) :][:1] = True
    patch, mask = stroke(sprite, look, everything, strength, 0.9 + 0.9 * severity, starts)
    mask *= patch.cover(look.top)
    rim = shifted(mask, 1.2 * look.scale, 1.2 * look.scale)
    patch.light *= 1 - mask[:, :, None] * np.float32(0.34 + 0.45 * severity)
    patch.light += (np.clip(rim - mask, 0, 1) * np.float32(8 + 26 * severity))[:, :, None]
    patch.close()
    return patch.box(mask, 0.2)


def dent(sprite: U8, look: PartLook, rng: np.random.Generator, severity: float) -> Box:
    """A knock: the lamp is caught on the far slope and lost on the near one."""
    x, y = look.pixel(*look.spots[int(rng.integers(len(look.spots)))])
    radius = (5.0 + 13 * severity) * rng.uniform(0.85, 1.2) * look.scale
    stretch, turn = rng.uniform(0.65, 1.0), rng.uniform(0, np.pi)
    patch = Patch(sprite, x - 2.6 * radius, y - 2.6 * radius, x + 2.6 * radius, y + 2.6 * radius)
    dx, dy = patch.grid(x, y)
    u = (dx * np.cos(turn) + dy * np.sin(turn)) / radius
    v = (-dx * np.sin(turn) + dy * np.cos(turn)) / (radius * stretch)
    r2 = u * u + v * v
    r2 = r2 * (1 + 0.22 * np.sin(3 * np.arctan2(v, u) + turn * 5))
    bowl = np.exp(-(r2**1.4)).astype(np.float32)
    gx, gy = u * np.cos(turn) - v * np.sin(turn), u * np.sin(turn) + v * np.cos(turn)
    slope = bowl * np.sqrt(np.minimum(r2, 4)) ** 0.8 * (0.65 * gx + 0.76 * gy)
    slope = slope * patch.cover(look.flat)
    contrast = 68 + 108 * severity
    shade = slope * np.float32(contrast) - bowl * np.float32(6 + 22 * severity) * patch.cover(look.flat)
    patch.light += shade[:, :, None].astype(np.float32)
    patch.close()
    return patch.box(bowl * patch.cover(look.flat), 0.08)


def stain(sprite: U8, look: PartLook, rng: np.random.Generator, severity: float) -> Box:
    """Dried coolant or oil: a brownish blotch with a darker rim."""
    x, y = look.pixel(*look.spots[int(rng.integers(len(look.spots)))])
    radius = (10 + 30 * severity) * rng.uniform(0.8, 1.2) * look.scale
    patch = Patch(sprite, x - 1.7 * radius, y - 1.7 * radius, x + 1.7 * radius, y + 1.7 * radius)
    dx, dy = patch.grid(x, y)
    stretch = rng.uniform(0.7, 1.3)
    field = 1 - np.hypot(dx / stretch, dy * stretch) / radius + 0.22 * cloud_patch(look, rng, patch.shape, radius)
    field += 0.07 * cloud_patch(look, rng, patch.shape, 0.3 * radius)
    body = np.clip(field * 5, 0, 1).astype(np.float32)
    rim = np.exp(-(((field - 0.13) / 0.10) ** 2)).astype(np.float32)
    solid = 1 - patch.target[:, :, 3].astype(np.float32) * np.float32(1 / 255)
    mask = np.clip(body * np.float32(0.62) + rim * np.float32(0.42), 0, 1) * solid
    depth = np.array([1.25, 1.0, 0.82], np.float32) * np.float32(0.13 + 0.42 * severity)
    patch.light *= 1 - mask[:, :, None] * depth
    patch.close()
    return patch.box(body, 0.3)


def chip(sprite: U8, look: PartLook, rng: np.random.Generator, severity: float) -> Box:
    """Material broken out of the outline: rough facets, the belt's shadow where it is gone."""
    outline = look.edges[look.edges[:, 4] == 1.0]
    x, y, nx, ny = outline[int(rng.integers(len(outline)))][:4]
    half = (6.0 + 17 * severity) * rng.uniform(0.85, 1.2)
    depth = (5.8 + 13 * severity) * rng.uniform(0.8, 1.15)
    count = 11
    t = np.linspace(-1, 1, count)
    bite = depth * np.clip(1 - np.abs(t) ** 2.2, 0, 1) * rng.uniform(0.65, 1.1, count)
    tx, ty = -ny, nx
    inner = np.stack([x + t * half * tx - bite * nx, y + t * half * ty - bite * ny], 1)
    outer = np.stack([x + t[::-1] * half * tx + 4 * nx, y + t[::-1] * half * ty + 4 * ny], 1)
    inner_px = pixels(look, inner)
    everything = np.concatenate([inner_px, pixels(look, outer)])
    margin = 4 * look.scale
    patch = Patch(sprite, *(everything.min(0) - margin), *(everything.max(0) + margin))
    broken = polygon(patch, everything)
    gone_at = 0.42 * bite
    gone_inner = np.stack([x + t * half * tx - gone_at * nx, y + t * half * ty - gone_at * ny], 1)
    gone = polygon(patch, np.concatenate([pixels(look, gone_inner), pixels(look, outer)]))
    solid = 1 - patch.target[:, :, 3].astype(np.float32) * np.float32(1 / 255)
    broken, gone = broken * (solid > 0.7), gone * (solid > 0.7)
    facets = np.clip(112 + 62 * cloud_patch(look, rng, patch.shape, 9 * look.scale) + 46 * np.float32(nx + ny), 26, 245)
    patch.light += broken[:, :, None] * (facets[:, :, None] - patch.light)
    lip = np.zeros(patch.shape, np.uint8)
    polyline(lip, inner_px - (patch.x0, patch.y0), max(1, round(look.scale)))
    patch.light += (lip * np.float32(0.16 + 0.14 * severity) * (solid > 0.9))[:, :, None]
    patch.light *= (1 - gone)[:, :, None]
    patch.target[:, :, 3] = np.maximum(patch.target[:, :, 3], (gone * 105).astype(np.uint8))
    patch.close()
    return patch.box(broken, 0.3)


def burr(sprite: U8, look: PartLook, rng: np.random.Generator, severity: float) -> Box:
    """A bright ragged sliver of metal that stands out over an edge."""
    inside = rng.random() < 0.45
    edges = look.edges[look.edges[:, 4] == (0.0 if inside else 1.0)]
    x, y, nx, ny = edges[int(rng.integers(len(edges)))][:4]
    half = (5 + 17 * severity) * rng.uniform(0.85, 1.2)
    reach = (3.0 + 8.5 * severity) * rng.uniform(0.85, 1.2)
    count = 15
    t = np.linspace(-1, 1, count)
    tip = reach * np.clip(1 - t**2, 0, 1) * rng.uniform(0.35, 1.15, count)
    # Follow the bore's curve, else the sliver would float off the rim.
    sag = (t * half) ** 2 / (2 * BORE[2]) if inside else np.zeros(count)
    base = np.stack([x - t * half * ny + (sag - 1.2) * nx, y + t * half * nx + (sag - 1.2) * ny], 1)
    top = base + np.stack([(tip + 1.2) * nx, (tip + 1.2) * ny], 1)
    everything = pixels(look, np.concatenate([base, top[::-1]]))
    margin = 5 * look.scale
    patch = Patch(sprite, *(everything.min(0) - margin), *(everything.max(0) + margin))
    sliver = polygon(patch, everything)
    shade = shifted(sliver, 2.0 * look.scale, 2.4 * look.scale)
    patch.light *= 1 - 0.5 * np.clip(shade - sliver, 0, 1)[:, :, None]
    metal = 170 + 40 * severity + 26 * cloud_patch(look, rng, patch.shape, 7 * look.scale)
    patch.light += sliver[:, :, None] * (np.clip(metal, 90, 255)[:, :, None] - patch.light)
    patch.target[:, :, 3] = (patch.target[:, :, 3] * (1 - sliver)).astype(np.uint8)
    patch.close()
    return patch.box(sliver, 0.3)


def screw_left_out(rng: np.random.Generator, severity: float) -> int:
    """Which screw of `PartLook.assemble` is missing: 0-3 a big one, 4-5 a set screw when the defect is to be subtle."""
    return (
        int(rng.integers(len(SCREWS)))
        if severity >= _BLATANT_SCREW
        else len(SCREWS) + int(rng.integers(len(SET_SCREWS)))
    )


def missing_screw(sprite: U8, look: PartLook, which: int, severity: float) -> Box:
    """The empty hole; the subtler the more its bottom shines like a screw would."""
    x, y = look.pixel(*(SCREWS + SET_SCREWS)[which])
    radius = (22.0 if which < len(SCREWS) else 9.5) * look.scale
    patch = Patch(sprite, x - radius, y - radius, x + radius, y + radius)
    if which >= len(SCREWS):
        dx, dy = patch.grid(x - 0.5, y - 0.5)
        bottom = np.clip((4.6 * look.scale - np.hypot(dx, dy)) / 2 + 0.5, 0, 1)
        patch.light += (bottom * np.float32(62 * (1 - severity / _BLATANT_SCREW)))[:, :, None]
        patch.close()
    return float(patch.x0), float(patch.y0), float(patch.x1), float(patch.y1)


PAINTERS: dict[str, Painter] = {
    "burr": burr, "chip": chip, "crack": crack, "dent": dent, "scratch": scratch, "stain": stain,
}  # fmt: skip


def _walk(rng: np.random.Generator, x: float, y: float, heading: float, length: float) -> NDArray[np.floating]:
    count = max(5, int(length / 4))
    turns = heading + np.cumsum(rng.normal(0, 0.22, count)) + rng.normal(0, 0.5, count)
    step = length / count
    return np.stack([x + np.cumsum(step * np.cos(turns)), y + np.cumsum(step * np.sin(turns))], axis=1)
