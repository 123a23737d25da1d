"""A dead, covered, blurred or frozen camera never looks like a good part."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from inspector.domain.disposition import HoldReason
from inspector.domain.frame import ColorSpace
from inspector.domain.model import InputSpec
from inspector.domain.recipe import PictureLimits
from inspector.pipeline.picture import FrozenWatch, content_fault, format_fault

BGR, GREY = InputSpec(96, 128, ColorSpace.BGR), InputSpec(96, 128, ColorSpace.GREY)
LIMITS = PictureLimits()

Picture = NDArray[np.uint8]


def good(spec: InputSpec = BGR, seed: int = 1) -> Picture:
    """A part on a belt: texture, edges and a sensor's noise."""
    rng = np.random.default_rng(seed)
    picture = rng.normal(110, 12, spec.shape)
    picture[20:70, 30:90] += 60
    return picture.clip(0, 255).astype(np.uint8)


def reason(image: Picture, limits: PictureLimits = LIMITS) -> HoldReason | None:
    fault = content_fault(image, limits)
    return fault.hold_reason if fault else None


# --- Content ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [BGR, GREY], ids=["bgr", "grey"])
def test_a_good_picture_passes(spec: InputSpec) -> None:
    assert format_fault(good(spec), spec) is None
    assert reason(good(spec)) is None


def half(fill: Any) -> Picture:
    picture = good()
    picture[48:] = fill
    return picture


def out_of_focus() -> Picture:
    blurred = good().astype(np.float64)
    for _ in range(400):
        for axis in (0, 1):
            blurred = (np.roll(blurred, 1, axis) + 2 * blurred + np.roll(blurred, -1, axis)) / 4
    return (80 + blurred / 4).astype(np.uint8)


BAD: dict[str, tuple[Picture, HoldReason]] = {
    "black": (np.zeros(BGR.shape, np.uint8), HoldReason.BLACK),
    "a covered lens with noise": (
        np.random.default_rng(1).integers(0, 6, BGR.shape, dtype=np.uint8),
        HoldReason.BLACK,
    ),
    "white": (np.full(BGR.shape, 255, np.uint8), HoldReason.SATURATED),
    "two thirds in glare": (np.where(np.arange(128)[:, None] < 86, np.uint8(253), good()), HoldReason.SATURATED),
    "grey card": (np.full(BGR.shape, 128, np.uint8), HoldReason.FLAT),
    "one colour": (np.full(BGR.shape, (0, 135, 0), np.uint8), HoldReason.FLAT),
    "half a picture in grey": (half(128), HoldReason.FLAT),
    "half a picture in a decoder's green": (half((0, 135, 0)), HoldReason.FLAT),
    "half a picture in stripes": (half(np.arange(48, dtype=np.uint8)[:, None, None]), HoldReason.FLAT),
    "out of focus": (out_of_focus(), HoldReason.BLURRED),
}


@pytest.mark.parametrize(("image", "why"), BAD.values(), ids=BAD.keys())
def test_an_unfit_picture_is_held_with_its_reason(image: Picture, why: HoldReason) -> None:
    assert reason(image) is why


@pytest.mark.parametrize(
    ("image", "why"), [pair for name, pair in BAD.items() if "green" not in name and "colour" not in name]
)
def test_the_same_holds_for_a_grey_camera(image: Picture, why: HoldReason) -> None:
    assert reason(np.ascontiguousarray(image[:, :, :1])) is why


def test_a_quarter_of_flat_rows_is_allowed_and_no_more() -> None:
    picture = good()
    picture[:24] = 128  # 6 of the 24 rows looked at
    assert reason(picture) is None
    picture[:28] = 128
    assert reason(picture) is HoldReason.FLAT


def test_each_limit_moves_its_check() -> None:
    assert reason(good(), replace(LIMITS, black_below_mean=200)) is HoldReason.BLACK
    assert reason(good(), replace(LIMITS, saturated_level=100)) is HoldReason.SATURATED
    assert reason(good(), replace(LIMITS, blurred_below=60)) is HoldReason.BLURRED
    assert reason(out_of_focus(), replace(LIMITS, blurred_below=0)) is None
    assert reason(half(128), replace(LIMITS, flat_rows_above_share=0.6)) is None


def test_the_detail_says_how_far_off_it_is() -> None:
    fault = content_fault(np.full(BGR.shape, 2, np.uint8), LIMITS)
    assert fault is not None
    assert fault.detail == "mean grey level 2.0 is below 8"


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, st.sampled_from([(96, 128, 3), (96, 128, 1), (5, 3, 3), (1, 2, 1)])))
def test_no_picture_breaks_the_check(image: Picture) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        content_fault(image, LIMITS)


# --- Format ----------------------------------------------------------------------------------------------------------

MISFITS: dict[str, Callable[[], NDArray[Any]]] = {
    "16-bit": lambda: good().astype(np.uint16) * 256,
    "float": lambda: good().astype(np.float32) / 255,
    "signed": lambda: good().astype(np.int8),
    "boolean": lambda: good() > 100,
    "grey for a colour model": lambda: good(GREY),
    "grey without channel": lambda: good(GREY)[:, :, 0],
    "with alpha": lambda: np.concatenate([good(), good()[:, :, :1]], axis=2),
    "too small": lambda: good()[:-1],
    "turned": lambda: good().transpose(1, 0, 2),
    "channels first": lambda: good().transpose(2, 0, 1),
    "empty": lambda: good()[:0],
    "a batch": lambda: good()[None],
}


@pytest.mark.parametrize("make", MISFITS.values(), ids=MISFITS.keys())
def test_only_what_the_bundle_takes_is_taken(make: Callable[[], NDArray[Any]]) -> None:
    fault = format_fault(make(), BGR)
    assert fault is not None
    assert fault.hold_reason is HoldReason.WRONG_FORMAT


def test_colour_for_a_grey_model_is_refused_in_words() -> None:
    fault = format_fault(good(), GREY)
    assert fault is not None
    assert fault.detail == "the picture is 96x128x3 (height x width x channels), the model takes 96x128x1 GREY"
    deep = format_fault(good().astype(np.uint16), BGR)
    assert deep is not None
    assert "16-bit uint16" in deep.detail


# --- Frozen ----------------------------------------------------------------------------------------------------------


def held(watch: FrozenWatch, pictures: list[Picture], frozen_after: int) -> list[bool]:
    return [watch.fault(picture, frozen_after) is not None for picture in pictures]


def test_a_repeated_picture_is_frozen_until_it_changes() -> None:
    a, b = good(seed=1), good(seed=2)
    assert held(FrozenWatch(), [a, a.copy(), a.copy(), b, b.copy(), a], 1) == [False, True, True, False, True, False]


def test_the_number_of_repeats_is_a_setting() -> None:
    a = good()
    assert held(FrozenWatch(), [a] * 5, 3) == [False, False, False, True, True]
    assert held(FrozenWatch(), [a] * 5, 0) == [False] * 5


def test_one_changed_pixel_off_the_coarse_grid_is_another_picture() -> None:
    a = good()
    b = a.copy()
    b[1, 1, 0] ^= 1
    assert held(FrozenWatch(), [a, b], 1) == [False, False]


def test_another_shape_or_depth_is_another_picture() -> None:
    a = good()
    watch = FrozenWatch()
    assert watch.fault(a, 1) is None
    assert watch.fault(a[:48], 1) is None
    assert watch.fault(a[:48].astype(np.uint16), 1) is None
    assert watch.fault(a[:48].astype(np.uint16), 1) is not None


def test_the_frozen_detail_counts() -> None:
    watch, a = FrozenWatch(), good()
    watch.fault(a, 1)
    watch.fault(a, 1)
    fault = watch.fault(a, 1)
    assert fault is not None
    assert fault.hold_reason is HoldReason.FROZEN
    assert "2 before it" in fault.detail
