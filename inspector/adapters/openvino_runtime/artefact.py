"""One stage from verified bytes to a compiled model whose inputs and outputs are what the manifest says."""

import contextlib
import hashlib
import io
import json
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import openvino as ov

from inspector.adapters.openvino_runtime.cache import BlobCache
from inspector.adapters.openvino_runtime.devices import Hint, can_export, candidates, core, identity, properties
from inspector.adapters.openvino_runtime.integrity import BundleFiles
from inspector.adapters.openvino_runtime.manifest import FEATURES, IMAGE, SCORES, Manifest
from inspector.adapters.openvino_runtime.selection import ChosenStage
from inspector.domain.errors import ModelError

MAX_TENSOR_BYTES = 1 << 30
"""Largest tensor a model may ask for. A file of a few bytes can describe one that exhausts the memory."""


@dataclass(frozen=True, slots=True, eq=False)
class CompiledStage:
    """A stage ready to run; `chosen.device` is where. Outputs are named by their index."""

    chosen: ChosenStage
    compiled: Any
    scores_output: int
    features_output: int | None


def compile_stage(
    files: BundleFiles, manifest: Manifest, chosen: ChosenStage, cache: BlobCache, *, threads: int, hint: Hint
) -> CompiledStage:
    """Compile for the first device that takes the stage. Raises ModelError when the files are damaged, are not what the
    manifest says, or compile for no device that the recipe allows.
    """
    xml, weights = files.read(chosen.artefact.xml), files.read(chosen.artefact.bin)
    *preferred, last = candidates(chosen.device)
    for device in preferred:
        with contextlib.suppress(ModelError):
            return _compile_for(device, xml, weights, manifest, chosen, cache, threads, hint)
    return _compile_for(last, xml, weights, manifest, chosen, cache, threads, hint)


def check_seams(manifest: Manifest, stages: tuple[CompiledStage, ...]) -> None:
    """Raise ModelError unless every stage that takes features is given them in its own shape and type."""
    by_name = {stage.chosen.stage.name: stage for stage in stages}
    for stage in stages:
        if stage.chosen.stage.input == IMAGE:
            continue
        giver = by_name[stage.chosen.stage.input]
        given, taken = giver.compiled.outputs[giver.features_output], stage.compiled.inputs[0]
        if _port_text(given) != _port_text(taken):
            raise ModelError(
                f"{_where(manifest, stage.chosen)} takes features {_port_text(taken)}, but "
                f"{_where(manifest, giver.chosen)} gives {_port_text(given)}; choose the same precision for both"
            )


def _compile_for(
    device: str,
    xml: bytes,
    weights: bytes,
    manifest: Manifest,
    wanted: ChosenStage,
    cache: BlobCache,
    threads: int,
    hint: Hint,
) -> CompiledStage:
    chosen = replace(wanted, device=device)
    options = properties(device, threads=threads, hint=hint)
    key = _cache_key(xml, weights, device, options) if can_export(device) else None
    cached = _from_cache(cache, key, device, options)
    compiled = cached if cached is not None else _compile(xml, weights, manifest, chosen, options)
    if cached is None and key is not None:
        _keep(cache, key, compiled, _where(manifest, chosen))
    return CompiledStage(chosen, compiled, *_checked_outputs(compiled, manifest, chosen))


def _compile(xml: bytes, weights: bytes, manifest: Manifest, chosen: ChosenStage, options: dict[str, Any]) -> Any:
    where = _where(manifest, chosen)
    if not xml.lstrip().startswith((b"<?xml", b"<net")):
        raise ModelError(f"{where} is no OpenVINO IR: {chosen.artefact.xml} holds no XML; convert the model to IR")
    try:
        # From these verified bytes, not from the path: nothing can change between check and use.
        model = core().read_model(xml.decode(), ov.Tensor(np.frombuffer(weights, np.uint8)))
    except (RuntimeError, UnicodeDecodeError, ValueError) as error:
        raise ModelError(f"{where} cannot be read by OpenVINO ({_reason(error)}); rebuild the bundle") from error
    _checked_outputs(model, manifest, chosen)
    _refuse_giants(model, where)
    try:
        return core().compile_model(model, chosen.device, options)
    except RuntimeError as error:
        raise ModelError(
            f"{where} does not compile for {chosen.device} ({_reason(error)}); choose another device in the recipe"
        ) from error


def _checked_outputs(model: Any, manifest: Manifest, chosen: ChosenStage) -> tuple[int, int | None]:
    """Indices of the outputs "scores" and "features" of `model` (read or compiled); ModelError if anything differs."""
    where = _where(manifest, chosen)
    takes_image = chosen.stage.input == IMAGE
    wanted_input = IMAGE if takes_image else FEATURES
    if len(model.inputs) != 1 or wanted_input not in model.inputs[0].get_names():
        raise ModelError(
            f"{where} must have exactly one input, named '{wanted_input}', but has {_names(model.inputs)}; "
            "rebuild the bundle"
        )
    image = f"u8 [1,{','.join(str(n) for n in manifest.input.spec().shape)}]"
    if takes_image and _port_text(model.inputs[0]) != image:
        raise ModelError(f"{where} takes {_port_text(model.inputs[0])}, manifest.json says {image}; rebuild the bundle")
    found = {name: index for index, port in enumerate(model.outputs) for name in port.get_names()}
    needed = {SCORES, FEATURES} if manifest.feeds_others(chosen.stage) else {SCORES}
    if not needed <= found.keys() or any(not {SCORES, FEATURES} & port.get_names() for port in model.outputs):
        raise ModelError(
            f"{where} must have the outputs {' and '.join(sorted(needed))} (and at most 'features' besides), "
            f"but has {_names(model.outputs)}; rebuild the bundle"
        )
    scores = f"f32 [1,{len(manifest.classes)}]"
    if _port_text(model.outputs[found[SCORES]]) != scores:
        raise ModelError(
            f"{where} gives scores {_port_text(model.outputs[found[SCORES]])}, but {len(manifest.classes)} classes "
            f"need {scores}; rebuild the bundle"
        )
    if FEATURES in needed and not model.outputs[found[FEATURES]].get_partial_shape().is_static:
        raise ModelError(f"{where} gives features of no fixed shape; rebuild the bundle")
    return found[SCORES], found.get(FEATURES)


def _refuse_giants(model: Any, where: str) -> None:
    for node in model.get_ops():
        for port in node.outputs():
            shape = port.get_partial_shape()
            if shape.is_static:
                size = math.prod(int(n) for n in shape.to_shape()) * port.get_element_type().size
                if size > MAX_TENSOR_BYTES:
                    raise ModelError(
                        f"{where} asks for a tensor of {size >> 20} MiB at '{node.get_friendly_name()}', more than the "
                        f"{MAX_TENSOR_BYTES >> 20} MiB allowed; use a smaller input"
                    )


def _from_cache(cache: BlobCache, key: str | None, device: str, options: dict[str, Any]) -> Any | None:
    blob = cache.get(key) if key is not None else None
    if key is None or blob is None:
        return None
    try:
        return core().import_model(io.BytesIO(blob), device, options)
    except RuntimeError:  # a driver that changed without changing its name: compile anew and keep that
        return None


def _keep(cache: BlobCache, key: str, compiled: Any, where: str) -> None:
    stream = io.BytesIO()
    try:
        compiled.export_model(stream)
    except RuntimeError as error:
        cache.warn(f"{where} cannot be exported ({_reason(error)}); every start compiles it anew")
    else:
        cache.put(key, stream.getvalue())


def _cache_key(xml: bytes, weights: bytes, device: str, options: dict[str, Any]) -> str:
    parts = (
        hashlib.sha256(xml).hexdigest(),
        hashlib.sha256(weights).hexdigest(),
        identity(device),
        json.dumps(options, sort_keys=True),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _where(manifest: Manifest, chosen: ChosenStage) -> str:
    return f"stage '{chosen.stage.name}' ({chosen.precision}) of bundle '{manifest.name}'"


def _port_text(port: Any) -> str:
    return f"{port.get_element_type().get_type_name()} {str(port.get_partial_shape()).replace(' ', '')}"


def _names(ports: Any) -> str:
    return ", ".join("/".join(sorted(port.get_names())) or "one without a name" for port in ports) or "none"


def _reason(error: Exception) -> str:
    """The last line of OpenVINO's message that says something: the first ones name its source files."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith("Exception from ")]
    return (told or lines or [type(error).__name__])[-1].rstrip(".")[:200]
