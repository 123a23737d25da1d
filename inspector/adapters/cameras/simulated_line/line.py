"""The deterministic line: which part comes when, and its picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inspector.adapters.cameras.simulated_line.defects import (
    MISSING_SCREW,
    PAINTERS,
    missing_screw,
    screw_left_out,
)
from inspector.adapters.cameras.simulated_line.geometry import CANVAS
from inspector.adapters.cameras.simulated_line.harmless import add_harmless_marks
from inspector.adapters.cameras.simulated_line.painting import Box
from inspector.adapters.cameras.simulated_line.parts import PartLook
from inspector.adapters.cameras.simulated_line.scene import Exposure, Scene
from inspector.domain.truth import Label, Truth

DEFECT_CLASSES: tuple[str, ...] = tuple(sorted([*PAINTERS, MISSING_SCREW]))
"""Every defect the line can make, in alphabetical order."""

_LEAST_SEVERITY = 0.03
"""Below this nobody could tell; the line never makes it."""

EVIDENT_SEVERITY = 0.25
"""From this severity on a defect is evident at a glance; below it a person has to look."""


@dataclass(frozen=True, slots=True)
class SimulatedLineConfig:
    """What the simulated line makes.

    `seed` names one line for ever, >= 0. `width`, `height` of the picture in px, 64..16384; the part keeps its share of
    the picture. `defect_rate` share of defective parts, 0..1. `difficulty` 0 (nearly all defects blatant) to 1 (most
    are subtle); at 0.5 about one in five is hard. `lighting_drift` relative change of lamp brightness per 1000 parts,
    -1..1: -0.2 is a lamp that loses 20 % and lights more and more from one side. `class_mix` pairs of defect class and
    relative weight, empty for all alike. Raises ValueError that names the field, its value and what is allowed.
    """

    seed: int = 0
    width: int = 640
    height: int = 480
    defect_rate: float = 0.1
    difficulty: float = 0.5
    lighting_drift: float = 0.0
    class_mix: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        _require(self.seed >= 0, "seed", self.seed, "must be 0 or more")
        _require(64 <= self.width <= 16384, "width", self.width, "must be 64 to 16384 px")
        _require(64 <= self.height <= 16384, "height", self.height, "must be 64 to 16384 px")
        _require(0 <= self.defect_rate <= 1, "defect_rate", self.defect_rate, "must be 0 to 1")
        _require(0 <= self.difficulty <= 1, "difficulty", self.difficulty, "must be 0 to 1")
        _require(
            -1 <= self.lighting_drift <= 1, "lighting_drift", self.lighting_drift, "must be -1 to 1 per 1000 parts"
        )
        names = [name for name, _ in self.class_mix]
        weights = [weight for _, weight in self.class_mix]
        known = set(names) <= set(DEFECT_CLASSES) and len(set(names)) == len(names)
        _require(known, "class_mix", self.class_mix, f"must name each of {', '.join(DEFECT_CLASSES)} at most once")
        positive = not weights or (all(math.isfinite(w) and w >= 0 for w in weights) and sum(weights) > 0)
        _require(positive, "class_mix", self.class_mix, "needs weights of 0 or more with one above 0")


class SimulatedLine:
    """Part `index` is a pure function of (config, index): any order, any process, the same bits.

    The defect and the circumstances of a part draw from separate streams, so two lines that differ only in difficulty,
    rate or drift show the same parts. Prebaking takes half a second at 640x480. `render` may run in several threads.
    "The same bits" holds on one kind of machine: another processor may round a pixel differently by one.
    """

    def __init__(self, config: SimulatedLineConfig) -> None:
        self.config = config
        self._scale = min(config.width / 640, config.height / 480)
        rng = np.random.default_rng(np.random.SeedSequence((config.seed, 0xA55E75)))
        self._look = PartLook.build(self._scale, rng)
        self._scene = Scene(config.width, config.height, self._scale, rng)
        mix = dict(config.class_mix) if config.class_mix else dict.fromkeys(DEFECT_CLASSES, 1.0)
        weights = np.array([mix.get(name, 0.0) for name in DEFECT_CLASSES])
        shares = np.cumsum(weights)
        # The last share is exactly 1, so a class of weight 0 at the end is never drawn.
        self._shares = shares / shares[-1]

    @property
    def defect_classes(self) -> tuple[str, ...]:
        return DEFECT_CLASSES

    def truth_without_box(self, index: int) -> Truth:
        """Label, class and severity of part `index` without drawing it."""
        return self._plan(self._stream(index, 0))

    def render(self, index: int) -> tuple[NDArray[np.uint8], Truth]:
        """Picture u8 (height, width, 3) BGR and ground truth of part `index` (0 or more)."""
        plan_rng, defect_rng, look_rng = (self._stream(index, k) for k in range(3))
        truth = self._plan(plan_rng)
        severity = truth.severity or 0.0
        left_out = screw_left_out(defect_rng, severity) if truth.defect_class == MISSING_SCREW else None
        sprite = self._look.assemble(look_rng, left_out)
        add_harmless_marks(sprite, self._look, look_rng)
        box: Box | None = None
        if left_out is not None:
            box = missing_screw(sprite, self._look, left_out, severity)
        elif truth.defect_class is not None:
            box = PAINTERS[truth.defect_class](sprite, self._look, defect_rng, severity)
        shot = self._exposure(index, look_rng)
        picture = self._scene.expose(sprite, shot)
        if box is None:
            return picture, truth
        return picture, Truth(truth.label, truth.defect_class, truth.severity, self._in_picture(box, shot.place))

    def _stream(self, index: int, purpose: int) -> np.random.Generator:
        if index < 0:
            raise ValueError(f"Part index {index} is negative; parts count from 0.")
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence((self.config.seed, index, purpose))))

    def _plan(self, rng: np.random.Generator) -> Truth:
        lot, kind, rank = rng.random(3)
        if lot >= self.config.defect_rate:
            return Truth(Label.OK)
        chosen = min(int(np.searchsorted(self._shares, kind, side="right")), len(DEFECT_CLASSES) - 1)
        # At difficulty 0.5 one defect in five is below EVIDENT_SEVERITY; at 0 one in eighty, at 1 more than half.
        power = 0.86 * math.exp(2.15 * (self.config.difficulty - 0.5))
        return Truth(
            Label.NG, DEFECT_CLASSES[chosen], round(_LEAST_SEVERITY + (1 - _LEAST_SEVERITY) * float(rank**power), 4)
        )

    def _exposure(self, index: int, rng: np.random.Generator) -> Exposure:
        config, scale = self.config, self._scale
        turn = float(np.clip(rng.normal(0, 2.2), -6, 6))
        place = cv2.getRotationMatrix2D((CANVAS[0] * scale / 2, CANVAS[1] * scale / 2), turn, 1.0)
        place[0, 2] += config.width / 2 - CANVAS[0] * scale / 2 + float(np.clip(rng.normal(0, 11), -30, 30)) * scale
        place[1, 2] += config.height / 2 - CANVAS[1] * scale / 2 + float(np.clip(rng.normal(0, 7), -18, 18)) * scale
        aged = config.lighting_drift * index / 1000
        tilt = (
            0.05 + float(rng.normal(0, 0.015)) + float(np.clip(aged, -0.5, 0.5)) * 0.4,
            -0.04 + float(rng.normal(0, 0.015)),
        )
        glare = (float(rng.uniform(-0.6, 0.6)), float(rng.uniform(-0.6, 0.6)), float(rng.uniform(0.15, 0.35)), 0.0)
        if rng.random() < 0.14:
            glare = (*glare[:3], float(rng.uniform(0.10, 0.32)))
        rows, columns = Scene.noise_room
        return Exposure(
            place=np.asarray(place, np.float64),
            belt_at=float(rng.random()),
            brightness=float(np.clip((1 + rng.normal(0, 0.022)) * (1 + aged), 0.25, 1.7)),
            tilt=tilt,
            glare=glare,
            blur_px=round(float(rng.choice([1.0, 2.0, 2.0, 3.0])) * max(scale, 0.5)),
            noise_at=(int(rng.integers(rows + 1)), int(rng.integers(columns + 1))),
        )

    def _in_picture(self, box: Box, place: NDArray[np.float64]) -> tuple[int, int, int, int]:
        left, top, right, bottom = box
        corners = np.array([[left, top, 1], [right, top, 1], [left, bottom, 1], [right, bottom, 1]]) @ place.T
        low = np.floor(np.clip(corners.min(0), 0, (self.config.width - 1, self.config.height - 1))).astype(int)
        high = np.ceil(np.clip(corners.max(0), 1, (self.config.width, self.config.height))).astype(int)
        return int(low[0]), int(low[1]), max(1, int(high[0] - low[0])), max(1, int(high[1] - low[1]))


def _require(held: bool, field: str, value: object, allowed: str) -> None:
    if not held:
        raise ValueError(f"Simulated line: {field} = {value!r} {allowed}.")
