"""PyTorch, imported only when a network is trained: stations and tests run without it."""

import importlib
from typing import Any

from inspector.domain.errors import InspectorError


def lazy(module: str) -> Any:
    """The module `module` of the `train` extra. Raises InspectorError with the remedy when it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InspectorError(
            f"training needs {module.partition('.')[0]}, which is not installed; run pip install 'inspector[train]'"
        ) from error


def torch_ready(seed: int, threads: int) -> Any:
    """torch with its generator seeded and its threads set, so that a run repeats on the same machine."""
    torch = lazy("torch")
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    return torch
