"""Random changes to training pictures, drawn from one seeded generator.

Which changes leave the class as it is depends on the product, so every one is off unless the recipe asks for it.
"""

from dataclasses import dataclass
from typing import Any

from inspector.workshop._torch import lazy


@dataclass(frozen=True, slots=True)
class Augment:
    """How far pictures are changed. Ranges are (low, high); grey levels are 0 to 255; the defaults change nothing.

    `quarter_turns` needs square pictures. `shift_px` moves by up to so many pixels and mirrors the edge. `noise` is
    the largest standard deviation in grey levels.
    """

    flip_horizontal: bool = False
    flip_vertical: bool = False
    quarter_turns: bool = False
    shift_px: int = 0
    gain: tuple[float, float] = (1.0, 1.0)
    gamma: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    noise: float = 0.0


def augmented(batch: Any, augment: Augment, generator: Any) -> Any:
    """f32 tensor [n, channels, height, width] of grey levels 0 to 255, changed picture by picture."""
    return _lit(_moved(batch, augment, generator), augment, generator)


def _moved(batch: Any, augment: Augment, generator: Any) -> Any:
    torch = lazy("torch")
    functional = lazy("torch.nn.functional")
    n, _, height, width = batch.shape
    if augment.quarter_turns and height != width:
        raise ValueError(f"quarter turns need square pictures, these are {height}x{width}")
    pad = augment.shift_px
    padded = functional.pad(batch, (pad, pad, pad, pad), mode="reflect") if pad else batch
    # One row of draws a picture, drawn even when unused, so that switching one change off leaves the others alone.
    draws = torch.rand((n, 5), generator=generator).tolist()
    pictures = []
    for picture, (flip_h, flip_v, turns, left, top) in zip(padded, draws, strict=True):
        if pad:
            x, y = int(left * (2 * pad + 1)), int(top * (2 * pad + 1))
            picture = picture[:, y : y + height, x : x + width]
        flipped = [
            axis
            for axis, draw, on in ((2, flip_h, augment.flip_horizontal), (1, flip_v, augment.flip_vertical))
            if on and draw < 0.5
        ]
        if flipped:
            picture = picture.flip(flipped)
        if augment.quarter_turns:
            picture = picture.rot90(int(turns * 4), (1, 2))
        pictures.append(picture)
    return torch.stack(pictures)


def _lit(batch: Any, augment: Augment, generator: Any) -> Any:
    torch = lazy("torch")
    n = len(batch)

    def drawn(low: float, high: float) -> Any:
        return torch.rand((n, 1, 1, 1), generator=generator) * (high - low) + low

    gain, gamma, offset = drawn(*augment.gain), drawn(*augment.gamma), drawn(*augment.offset)
    lit = batch
    if augment.gamma != (1.0, 1.0):
        lit = 255.0 * (lit / 255.0).pow(gamma)
    lit = lit * gain + offset
    if augment.noise > 0:
        sigma = drawn(0.0, augment.noise)
        lit = lit + sigma * torch.randn(lit.shape, generator=generator)
    return lit.clamp(0.0, 255.0)
