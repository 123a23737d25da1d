"""A loaded bundle that runs: `ports.StagedClassifier` and its sessions on OpenVINO.

Per stage a session owns one infer request and calls it synchronously, in the caller's thread: 12-19 µs of overhead
where the asynchronous way costs 27-90 µs. Pictures and features are passed by reference, not copied.
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import openvino as ov

from inspector.adapters.openvino_runtime.artefact import CompiledStage
from inspector.domain.errors import ModelError
from inspector.domain.frame import Image
from inspector.domain.model import ModelInfo
from inspector.ports import StageOutput


class OpenVinoSession:
    """`ports.StagedSession`. Not thread-safe; sessions of one classifier may run in different threads at a time.

    The picture given to `begin` is not copied if it is C-contiguous and writeable (OpenVINO shares no other memory;
    it does not write), so it must not change until the part's last `run`.
    """

    def __init__(self, info: ModelInfo, stages: Sequence[CompiledStage]) -> None:
        self._info = info
        names = [stage.chosen.stage.name for stage in stages]
        self._stages = stages
        # Index of the stage whose features each stage takes; None: it takes the picture.
        self._givers = [
            names.index(stage.chosen.stage.input) if stage.chosen.stage.input in names else None for stage in stages
        ]
        self._requests: list[Any] = [stage.compiled.create_infer_request() for stage in stages]
        self._done = [False] * len(stages)
        self._picture: Any = None
        self._copy: Image | None = None

    def begin(self, image: Image) -> None:
        """Raises ModelError unless `image` is u8 of the bundle's shape; then no stage runs until the next `begin`."""
        self._picture = None
        self._done = [False] * len(self._stages)
        if image.dtype != np.uint8 or image.shape != self._info.input.shape:
            raise ModelError(
                f"bundle '{self._info.name}' takes u8 pictures of shape {self._info.input.shape}, "
                f"this one is {image.dtype} {image.shape}; set the camera or choose another bundle"
            )
        if not (image.flags.c_contiguous and image.flags.writeable):
            if self._copy is None:
                self._copy = np.empty(self._info.input.shape, np.uint8)
            np.copyto(self._copy, image)
            image = self._copy
        self._picture = ov.Tensor(image[np.newaxis], shared_memory=True)

    def run(self, stage: int) -> StageOutput:
        if not 0 <= stage < len(self._stages):
            raise ModelError(f"bundle '{self._info.name}' has {len(self._stages)} stages, there is no stage {stage}")
        started = time.perf_counter()
        source = self._source(stage)
        request = self._requests[stage]
        self._done[stage] = False
        try:
            request.set_input_tensor(source)
            request.infer(share_outputs=True)  # else every output is copied once more, features included
            # A copy: the request overwrites its own memory with the next part.
            scores = request.get_output_tensor(self._stages[stage].scores_output).data[0].copy()
        except RuntimeError as error:
            info = self._info.stages[stage]
            raise ModelError(
                f"stage '{info.name}' ({info.precision}) failed on {info.device}: {str(error).strip()[-300:]}; "
                "restart the station, and check the device if this repeats"
            ) from error
        self._done[stage] = True
        return StageOutput(scores, (time.perf_counter() - started) * 1e3)

    def _source(self, stage: int) -> Any:
        if self._picture is None:
            raise ModelError("no picture was given for this part; call begin first")
        giver = self._givers[stage]
        if giver is None:
            return self._picture
        if not self._done[giver]:
            names = [info.name for info in self._info.stages]
            raise ModelError(
                f"stage '{names[stage]}' takes the features of stage '{names[giver]}', which has not run for this part"
            )
        return self._requests[giver].get_output_tensor(self._stages[giver].features_output)


class OpenVinoClassifier:
    """`ports.StagedClassifier`. Made by `load_bundle`; `session` may be called from any thread.

    `warnings` are sentences for a person about things that went wrong without making the model wrong, such as a cache
    that cannot be written.
    """

    def __init__(self, info: ModelInfo, stages: Sequence[CompiledStage], warnings: Sequence[str] = ()) -> None:
        self._info = info
        self._stages: tuple[CompiledStage, ...] | None = tuple(stages)
        self.warnings = tuple(warnings)

    @property
    def info(self) -> ModelInfo:
        return self._info

    def session(self) -> OpenVinoSession:
        """Raises ModelError after `close`, or when the device grants no further request."""
        stages = self._stages
        if stages is None:
            raise ModelError(f"bundle '{self._info.name}' is closed; load it again")
        try:
            return OpenVinoSession(self._info, stages)
        except RuntimeError as error:
            raise ModelError(
                f"bundle '{self._info.name}' gives no further session ({str(error).strip()[-300:]}); use fewer workers"
            ) from error

    def close(self) -> None:
        """Let go of the compiled models. Sessions that are still held stay usable and keep theirs. Idempotent."""
        self._stages = None
