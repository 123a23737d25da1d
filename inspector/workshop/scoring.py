"""What a stage says of pictures and how long it takes, through OpenVINO as the station runs it."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from inspector.workshop.export import SCORES_NAME


def compiled(model: ov.Model | Path, *, threads: int = 1) -> ov.CompiledModel:
    """`model` on the CPU in f32 arithmetic (no silent bf16), one stream of `threads` threads."""
    options = {
        "INFERENCE_PRECISION_HINT": "f32",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": str(threads),
    }
    return ov.Core().compile_model(model, "CPU", options)


def scores_of(stage: ov.CompiledModel, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Scores, shape (n, classes), of `images` u8 (n, height, width, channels), one at a time."""
    request = stage.create_infer_request()
    rows = []
    for image in images:
        request.set_input_tensor(ov.Tensor(np.ascontiguousarray(image[np.newaxis])))
        request.infer()
        rows.append(request.get_tensor(SCORES_NAME).data[0].copy())
    return np.asarray(rows, np.float32)


def median_ms(
    stages: Mapping[str, ov.CompiledModel], images: NDArray[np.uint8], *, rounds: int = 200, warm_up: int = 20
) -> dict[str, float]:
    """Median time of one synchronous call per stage in ms. Rounds are interleaved, so all meet the same weather."""
    requests = {name: stage.create_infer_request() for name, stage in stages.items()}
    times: dict[str, list[float]] = {name: [] for name in stages}
    pictures: Sequence[NDArray[np.uint8]] = [np.ascontiguousarray(image[np.newaxis]) for image in images[:64]]
    for turn in range(warm_up + rounds):
        picture = pictures[turn % len(pictures)]
        for name, request in requests.items():
            request.set_input_tensor(ov.Tensor(picture))
            start = time.perf_counter_ns()
            request.infer()
            if turn >= warm_up:
                times[name].append((time.perf_counter_ns() - start) / 1e6)
    return {name: float(np.median(values)) for name, values in times.items()}
