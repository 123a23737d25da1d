"""Training a network on pictures in memory.

    pictures u8 ─▶ batch ─▶ augmented ─▶ prepared (resize, scale) ─▶ network ─▶ loss ─▶ AdamW ─▶ moving average

The moving average of the weights is what comes out: it needs no early stopping, so no split is spent on choosing an
epoch. Runs repeat bit by bit on the same machine, torch build and thread count.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.workshop._torch import lazy, torch_ready
from inspector.workshop.augment import Augment, augmented
from inspector.workshop.dataset import Pictures
from inspector.workshop.nets import Preprocessing

Progress = Callable[[str], None]
"""Takes one line for a person."""

Loss = Callable[[Any, Any, Any], Any]
"""(logits [n, classes], augmented pictures f32 [n, c, h, w] of grey levels, targets [n, ...]) -> scalar tensor."""


@dataclass(frozen=True, slots=True)
class TrainRecipe:
    """How a network is trained. `learning_rate` is the peak; it warms up over `warmup_share` and falls as a cosine.

    `average_decay` is the per-step decay of the moving average. `bfloat16` halves the time on CPUs with AVX512-BF16;
    weights stay f32.
    """

    preprocessing: Preprocessing
    epochs: int
    batch: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    warmup_share: float = 0.1
    label_smoothing: float = 0.05
    average_decay: float = 0.99
    augment: Augment = field(default_factory=Augment)
    seed: int = 7
    threads: int = 2
    bfloat16: bool = False


def fit(net: Any, pictures: Pictures, recipe: TrainRecipe, progress: Progress) -> Any:
    """`net` fitted to the labels (cross-entropy); returns the averaged network in eval mode."""
    functional = lazy("torch.nn.functional")

    def loss(logits: Any, _: Any, labels: Any) -> Any:
        return functional.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)

    return optimise(net, pictures.images, pictures.labels, recipe, loss, progress)


def optimise(
    net: Any,
    images: NDArray[np.uint8],
    targets: NDArray[Any],
    recipe: TrainRecipe,
    loss: Loss,
    progress: Progress,
) -> Any:
    """Minimise `loss` over `recipe.epochs` passes; returns the moving average of `net` in eval mode.

    `images` u8 (n, height, width, channels); `targets` (n, ...): class indices, or whatever `loss` takes.
    """
    torch = torch_ready(recipe.seed, recipe.threads)
    swa = lazy("torch.optim.swa_utils")
    net = net.to(memory_format=torch.channels_last).train()
    average = swa.AveragedModel(net, multi_avg_fn=swa.get_ema_multi_avg_fn(recipe.average_decay), use_buffers=True)
    decayed = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]  # biases and norms: decaying them only hurts
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=recipe.learning_rate,
    )
    steps = recipe.epochs * math.ceil(len(images) / recipe.batch)
    generator = torch.Generator().manual_seed(recipe.seed)
    order = np.random.default_rng(recipe.seed)
    step = 0
    for epoch in range(recipe.epochs):
        total = 0.0
        for chosen in _batches(len(images), recipe.batch, order):
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate * _schedule(step / steps, recipe.warmup_share)
            changed = augmented(_as_tensor(images[chosen]), recipe.augment, generator)
            with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16):
                logits = net(prepared(changed, recipe.preprocessing)).float()
            value = loss(logits, changed, torch.from_numpy(targets[chosen]))
            optimiser.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            optimiser.step()
            average.update_parameters(net)
            total += float(value.detach()) * len(chosen)
            step += 1
            if step % 250 == 0:
                progress(f"step {step}/{steps}: loss {float(value.detach()):.4f}")
        progress(f"epoch {epoch + 1}/{recipe.epochs}: loss {total / len(images):.4f}")
    return average.module.eval()


def probabilities(
    net: Any, images: NDArray[np.uint8], preprocessing: Preprocessing, *, batch: int = 32, bfloat16: bool = False
) -> NDArray[np.float32]:
    """Softmax scores of `net`, f32, shape (n, classes), for `images` u8 (n, height, width, channels)."""
    torch = lazy("torch")
    parts = []
    net = net.to(memory_format=torch.channels_last)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        for start in range(0, len(images), batch):
            inputs = prepared(_as_tensor(images[start : start + batch]), preprocessing)
            parts.append(net(inputs).float().softmax(dim=1).numpy())
    return np.concatenate(parts)


def prepared(grey_levels: Any, preprocessing: Preprocessing) -> Any:
    """f32 [n, c, h, w] of grey levels, cropped, resized and scaled exactly as the exported network does it."""
    functional = lazy("torch.nn.functional")
    torch = lazy("torch")
    if preprocessing.crop is not None:
        top, left, height, width = preprocessing.crop
        grey_levels = grey_levels[:, :, top : top + height, left : left + width]
    size = (preprocessing.height, preprocessing.width)
    if tuple(grey_levels.shape[2:]) != size:
        # Neither side smooths before it samples: OpenVINO's linear resize does not, so we must not.
        grey_levels = functional.interpolate(grey_levels, size, mode="bilinear", align_corners=False, antialias=False)
    scaled = (grey_levels - preprocessing.mean) / preprocessing.scale
    return scaled.contiguous(memory_format=torch.channels_last)


def _as_tensor(images: NDArray[np.uint8]) -> Any:
    return lazy("torch").from_numpy(np.array(images, order="C")).permute(0, 3, 1, 2).float()


def _batches(n: int, size: int, order: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    shuffled = order.permutation(n)
    for start in range(0, n, size):
        chosen = np.sort(shuffled[start : start + size])  # in order: kinder to a memory-mapped array
        if len(chosen) > 1:  # batch norm cannot learn from a single picture
            yield chosen


def _schedule(done: float, warmup: float) -> float:
    """Share of the peak learning rate after the share `done` of all steps."""
    if done < warmup:
        return (done + 1e-3) / warmup
    return 0.5 * (1.0 + math.cos(math.pi * (done - warmup) / (1.0 - warmup)))
