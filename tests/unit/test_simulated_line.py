"""The simulated line: what it draws, and that its truth is true."""

import hashlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inspector.adapters.cameras.simulated_line import (
    DEFECT_CLASSES,
    EVIDENT_SEVERITY,
    SimulatedLine,
    SimulatedLineConfig,
)
from inspector.domain.truth import Label, Truth


def config(seed: int, **changes: Any) -> SimulatedLineConfig:
    """A line of small pictures."""
    return SimulatedLineConfig(**{"seed": seed, "width": 320, "height": 240, **changes})


@pytest.fixture(scope="module")
def good() -> SimulatedLine:
    return SimulatedLine(SimulatedLineConfig(seed=9, defect_rate=0.0))


@pytest.fixture(scope="module")
def bad() -> SimulatedLine:
    return SimulatedLine(SimulatedLineConfig(seed=9, defect_rate=1.0))


def footprint(bad: SimulatedLine, good: SimulatedLine, index: int) -> tuple[NDArray[np.int16], Truth]:
    """How a defect changed the picture: the same part drawn with and without it."""
    picture, truth = bad.render(index)
    without, _ = good.render(index)
    return np.abs(picture.astype(np.int16) - without).max(axis=2).astype(np.int16), truth


DIGEST = """
import hashlib
from inspector.adapters.cameras.simulated_line import SimulatedLine, SimulatedLineConfig
line = SimulatedLine(SimulatedLineConfig(seed=4, defect_rate=0.7, width=320, height=240))
digest = hashlib.sha256()
for index in (0, 3, 11, 40):
    picture, truth = line.render(index)
    digest.update(picture.tobytes() + repr(truth).encode())
print(digest.hexdigest())
"""


def test_a_part_is_the_same_in_any_order_and_in_another_process() -> None:
    line = SimulatedLine(config(4, defect_rate=0.7))
    pictures = {index: line.render(index) for index in (40, 11, 3, 0)}
    digest = hashlib.sha256()
    for index in (0, 3, 11, 40):
        picture, truth = pictures[index]
        digest.update(picture.tobytes() + repr(truth).encode())
    other = subprocess.run([sys.executable, "-c", DIGEST], check=True, capture_output=True, text=True, timeout=60)
    assert other.stdout.strip() == digest.hexdigest()


def test_parts_and_lines_differ(good: SimulatedLine) -> None:
    first, second = good.render(0)[0], good.render(1)[0]
    assert np.abs(first.astype(np.int16) - second).mean() > 3
    other = SimulatedLine(SimulatedLineConfig(seed=10, defect_rate=0.0)).render(0)[0]
    assert np.abs(first.astype(np.int16) - other).mean() > 3


def test_a_picture_is_the_callers_own(good: SimulatedLine) -> None:
    picture, _ = good.render(5)
    assert picture.dtype == np.uint8
    assert picture.shape == (480, 640, 3)
    before = picture.copy()
    picture[:] = 0
    assert np.array_equal(good.render(5)[0], before)


# Mean level over a grid of 3 x 4 fields, by part of line 9. The shipped bundle is trained on this look.
FROZEN = {
    0: [[62.0, 92.5, 92.9, 64.7], [77.8, 131.9, 157.8, 67.3], [62.1, 109.3, 99.8, 58.4]],
    17: [[63.0, 102.7, 105.5, 67.7], [63.7, 143.1, 156.8, 82.0], [60.9, 94.7, 97.9, 61.7]],
}


def test_the_look_is_the_one_the_shipped_bundle_was_trained_on(good: SimulatedLine) -> None:
    for index, expected in FROZEN.items():
        fields = good.render(index)[0].reshape(3, 160, 4, 160, 3).mean(axis=(1, 3, 4))
        assert np.abs(fields - np.array(expected)).max() < 1.0, "train models/simulated_line again, then renew FROZEN"


def test_every_kind_of_defect_is_seen_inside_its_box(bad: SimulatedLine, good: SimulatedLine) -> None:
    seen = set()
    for index in range(70):
        change, truth = footprint(bad, good, index)
        assert truth.label is Label.NG
        assert truth.defect_class is not None
        assert truth.box is not None
        left, top, width, height = truth.box
        assert 0 <= left < left + width <= 640
        assert 0 <= top < top + height <= 480
        assert change.max() > 12, f"part {index}: nobody could see this {truth}"
        # A burr throws a shadow beyond its box; nothing else reaches further than the softening of an edge.
        inside = change[max(0, top - 8) : top + height + 8, max(0, left - 8) : left + width + 8]
        assert (inside > 8).sum() >= 0.9 * (change > 8).sum(), f"part {index}: {truth} is elsewhere"
        seen.add(truth.defect_class)
    assert seen == set(DEFECT_CLASSES)


def test_a_good_part_has_no_defect_in_its_truth(good: SimulatedLine) -> None:
    assert all(good.render(index)[1] == Truth(Label.OK) for index in range(5))


def test_blatant_defects_change_more_than_subtle_ones(good: SimulatedLine, bad: SimulatedLine) -> None:
    truths = [(bad.truth_without_box(index), index) for index in range(1500)]
    for name in DEFECT_CLASSES:
        of_class = sorted((t.severity or 0.0, index) for t, index in truths if t.defect_class == name)
        subtle, blatant = (
            np.mean([int(footprint(bad, good, index)[0].astype(np.int64).clip(8).sum()) for _, index in some])
            for some in (of_class[:4], of_class[-4:])
        )
        assert blatant > subtle, name


def plans(**changes: Any) -> list[Truth]:
    line = SimulatedLine(config(2, **{"defect_rate": 1.0, **changes}))
    return [line.truth_without_box(index) for index in range(4000)]


def test_rate_is_the_share_of_defective_parts() -> None:
    assert sum(truth.label is Label.NG for truth in plans(defect_rate=0.1)) == pytest.approx(400, abs=80)


def test_difficulty_moves_defects_to_the_subtle_end() -> None:
    shares = []
    for difficulty in (0.0, 0.5, 1.0):
        severities = np.array([truth.severity for truth in plans(difficulty=difficulty)])
        assert severities.min() >= 0.03
        assert severities.max() <= 1
        shares.append(float((severities < EVIDENT_SEVERITY).mean()))
    assert shares[0] < 0.03
    assert 0.15 < shares[1] < 0.22
    assert shares[2] > 0.45


def test_difficulty_changes_neither_which_parts_are_bad_nor_how() -> None:
    kinds = [[truth.defect_class for truth in plans(difficulty=d, defect_rate=0.3)] for d in (0.0, 1.0)]
    assert kinds[0] == kinds[1]


def test_classes_come_as_mixed() -> None:
    even = [truth.defect_class for truth in plans()]
    assert min(even.count(name) for name in DEFECT_CLASSES) > 4000 / len(DEFECT_CLASSES) * 0.85
    mixed = [truth.defect_class for truth in plans(class_mix=(("crack", 3.0), ("stain", 1.0), ("dent", 0.0)))]
    assert set(mixed) == {"crack", "stain"}
    assert mixed.count("crack") == pytest.approx(3000, abs=150)


def test_light_drifts_with_the_parts() -> None:
    steady = SimulatedLine(config(3, defect_rate=0.0))
    fading = SimulatedLine(config(3, defect_rate=0.0, lighting_drift=-0.3))
    assert np.array_equal(steady.render(0)[0], fading.render(0)[0])
    bright, dim = steady.render(1000)[0].astype(float), fading.render(1000)[0].astype(float)
    assert dim.mean() / bright.mean() == pytest.approx(0.7, abs=0.03)
    sides = [(dim[:, part] / np.maximum(bright[:, part], 1)).mean() for part in (np.s_[:100], np.s_[-100:])]
    assert sides[0] > sides[1] + 0.1


@pytest.mark.parametrize(("width", "height"), [(64, 64), (200, 150), (1000, 300), (800, 600)])
def test_other_sizes(width: int, height: int) -> None:
    line = SimulatedLine(SimulatedLineConfig(seed=1, defect_rate=1.0, width=width, height=height))
    for index in range(8):
        picture, truth = line.render(index)
        assert picture.shape == (height, width, 3)
        assert truth.box is not None
        left, top, wide, tall = truth.box
        assert 0 <= left < left + wide <= width
        assert 0 <= top < top + tall <= height


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", -1),
        ("width", 10),
        ("height", 100_000),
        ("defect_rate", 1.5),
        ("difficulty", float("nan")),
        ("lighting_drift", -2.0),
        ("class_mix", (("rust", 1.0),)),
        ("class_mix", (("dent", 1.0), ("dent", 1.0))),
        ("class_mix", (("dent", 0.0),)),
        ("class_mix", (("dent", float("inf")),)),
    ],
)
def test_a_wrong_setting_is_named(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        SimulatedLineConfig(**{field: value})  # type: ignore[arg-type]


def test_parts_count_from_zero(good: SimulatedLine) -> None:
    with pytest.raises(ValueError, match="negative"):
        good.render(-1)
