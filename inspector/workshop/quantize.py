"""INT8 by post-training quantization of an IR (NNCF): no torch, no labels, a few hundred pictures."""

import importlib
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from inspector.domain.errors import InspectorError


def quantized(model: ov.Model, images: NDArray[np.uint8], *, seed: int = 7, limit: int = 300) -> ov.Model:
    """A new INT8 model. `images` u8 (n, height, width, channels) set the ranges; at most `limit`, drawn by `seed`.

    Use training pictures: ranges taken from calibration pictures would make the bands look better than they are.
    """
    try:
        nncf: Any = importlib.import_module("nncf")
    except ImportError as error:
        raise InspectorError("quantization needs nncf; run pip install 'inspector[workshop]'") from error
    chosen = np.sort(np.random.default_rng(seed).permutation(len(images))[:limit])
    batches = [np.array(images[i : i + 1]) for i in chosen]  # copies: `images` may be mapped read-only
    result: ov.Model = nncf.quantize(
        model.clone(),
        nncf.Dataset(batches),
        preset=nncf.QuantizationPreset.MIXED,
        target_device=nncf.TargetDevice.CPU,
        subset_size=len(batches),
    )
    return result
