"""Is this picture fit for inspection? A dead, covered, blurred or frozen camera must never look like a good part."""

import numpy as np
from numpy.typing import NDArray

from inspector.domain.disposition import Disposition, HoldReason
from inspector.domain.model import InputSpec
from inspector.domain.recipe import PictureLimits

_STEP = 4
"""Brightness is judged on every fourth pixel each way: a sixteenth of the cost, the same mean."""
_ROW_STEP = 8
"""Sharpness is judged along every eighth row at full resolution."""


def format_fault(image: NDArray[np.generic], spec: InputSpec) -> Disposition | None:
    """HOLD(WRONG_FORMAT) unless `image` is exactly what the bundle takes: u8, (height, width, channels)."""
    if image.dtype != np.uint8:
        detail = f"the picture has {image.dtype.itemsize * 8}-bit {image.dtype.name} pixels, the model takes 8-bit"
        return Disposition.hold(HoldReason.WRONG_FORMAT, detail)
    if image.shape != spec.shape:
        found = "x".join(str(n) for n in image.shape)
        wanted = "x".join(str(n) for n in spec.shape)
        detail = f"the picture is {found} (height x width x channels), the model takes {wanted} {spec.color.value}"
        return Disposition.hold(HoldReason.WRONG_FORMAT, detail)
    return None


def content_fault(image: NDArray[np.uint8], limits: PictureLimits) -> Disposition | None:
    """HOLD with the first of BLACK, SATURATED, FLAT, BLURRED that applies. `image` u8, (height, width, channels)."""
    # Counting and adding whole numbers gives the same shares and means as averaging floats, at a fraction of the time.
    coarse = np.ascontiguousarray(image[::_STEP, ::_STEP])
    mean = int(coarse.sum(dtype=np.int64)) / coarse.size
    if mean < limits.black_below_mean:
        return Disposition.hold(HoldReason.BLACK, f"mean grey level {mean:.1f} is below {limits.black_below_mean:g}")
    saturated = np.count_nonzero(coarse >= limits.saturated_level) / coarse.size
    if saturated > limits.saturated_above_share:
        detail = f"{saturated:.0%} of the picture is saturated, {limits.saturated_above_share:.0%} is allowed"
        return Disposition.hold(HoldReason.SATURATED, detail)
    # Along the row and per channel: a row of one colour is as dead as a grey one (decoders fill up with green).
    constant = (coarse == coarse[:, :1]).reshape(len(coarse), -1).all(axis=1)
    flat = np.count_nonzero(constant) / len(coarse)
    if flat > limits.flat_rows_above_share:
        detail = f"{flat:.0%} of the rows are constant, {limits.flat_rows_above_share:.0%} is allowed"
        return Disposition.hold(HoldReason.FLAT, detail)
    if limits.blurred_below > 0:
        rows = image[::_ROW_STEP]
        left, right = rows[:, :-1], rows[:, 1:]
        difference = np.maximum(left, right) - np.minimum(left, right)  # absolute, and still u8
        sharpness = int(difference.sum(dtype=np.int64)) / max(difference.size, 1)
        if sharpness < limits.blurred_below:
            detail = f"sharpness {sharpness:.2f} is below {limits.blurred_below:g} grey levels"
            return Disposition.hold(HoldReason.BLURRED, detail)
    return None


class FrozenWatch:
    """Holds a picture that repeats the ones before it pixel for pixel: no sensor does that, a hung driver does.

    Belongs to one source and one thread.
    """

    def __init__(self) -> None:
        self._last: NDArray[np.generic] | None = None
        self._repeats = 0

    def fault(self, image: NDArray[np.generic], frozen_after: int) -> Disposition | None:
        """HOLD(FROZEN) from the `frozen_after`-th repeat on; 0 switches the watch off."""
        last, self._last = self._last, image
        same = last is not None and last.shape == image.shape and last.dtype == image.dtype
        # The coarse look decides nearly always, the full one only confirms.
        if same and last is not None and np.array_equal(last[::_STEP, ::_STEP], image[::_STEP, ::_STEP]):
            same = np.array_equal(last, image)
        else:
            same = False
        self._repeats = self._repeats + 1 if same else 0
        if frozen_after and self._repeats >= frozen_after:
            return Disposition.hold(HoldReason.FROZEN, f"the picture is identical to the {self._repeats} before it")
        return None
