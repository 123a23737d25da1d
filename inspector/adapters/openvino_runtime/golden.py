"""The last check before a model may judge parts: it answers its golden pictures as it did where it was made.

Hashes show that the files are the builder's. This shows that they work here: on this device, with this driver, out of
this cache, and that the builder's own weights were sound (one NaN weight passes every hash).
"""

import struct
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from inspector.adapters.openvino_runtime.artefact import CompiledStage
from inspector.adapters.openvino_runtime.classifier import OpenVinoSession
from inspector.adapters.openvino_runtime.integrity import BundleFiles
from inspector.adapters.openvino_runtime.manifest import Golden, Manifest
from inspector.adapters.openvino_runtime.selection import ChosenStage
from inspector.domain.errors import ModelError
from inspector.domain.frame import Image

Decode = Callable[[bytes], NDArray[np.generic]]
"""PNG bytes -> picture as stored: u8 (height, width), (height, width, 1) or BGR (height, width, 3). May raise."""

_PNG_START = b"\x89PNG\r\n\x1a\n"


def check_golden(
    session: OpenVinoSession, files: BundleFiles, manifest: Manifest, stages: Sequence[CompiledStage], decode: Decode
) -> None:
    """Run every stage on every golden picture. Raises ModelError at the first that does not answer as expected."""
    for golden in manifest.golden:
        session.begin(_picture(files.read(golden.file), golden, manifest, decode))
        for index, stage in enumerate(stages):
            _compare(session.run(index).scores, golden, manifest, stage.chosen)


def _compare(scores: NDArray[np.floating], golden: Golden, manifest: Manifest, chosen: ChosenStage) -> None:
    where = f"stage '{chosen.stage.name}' ({chosen.precision} on {chosen.device}) of bundle '{manifest.name}'"
    if not np.isfinite(scores).all():  # first: every comparison with NaN is false
        raise ModelError(
            f"{where} answers golden picture {golden.file} with scores that are no numbers; "
            "its weights are damaged, rebuild the bundle"
        )
    expected = np.asarray(golden.scores[chosen.stage.name][chosen.precision])
    off = np.abs(scores.astype(np.float64) - expected)
    worst = int(off.argmax())
    if not off[worst] <= golden.tolerance:
        raise ModelError(
            f"{where} gives {scores[worst]:.4f} for class '{manifest.classes[worst]}' on golden picture {golden.file} "
            f"instead of {expected[worst]:.4f} (tolerance {golden.tolerance}); rebuild the bundle, or choose another "
            "device or precision in the recipe"
        )


def _picture(data: bytes, golden: Golden, manifest: Manifest, decode: Decode) -> Image:
    spec = manifest.input.spec()
    where = f"golden picture {golden.file} of bundle '{manifest.name}'"
    # Size from the header, before anything is unpacked: a small PNG can hold a picture of gigabytes.
    if not data.startswith(_PNG_START) or len(data) < 24:
        raise ModelError(f"{where} is no PNG file; rebuild the bundle")
    width, height = struct.unpack(">II", data[16:24])
    if (height, width) != (spec.height, spec.width):
        raise ModelError(
            f"{where} is {width}x{height}, manifest.json says {spec.width}x{spec.height}; rebuild the bundle"
        )
    try:
        image = decode(data)
    except Exception as error:
        raise ModelError(f"{where} cannot be decoded ({error}); rebuild the bundle") from error
    if image.ndim == 2:
        image = image[..., np.newaxis]
    if image.dtype != np.uint8 or image.shape != spec.shape:
        raise ModelError(
            f"{where} is {image.dtype} {image.shape}, the bundle takes uint8 {spec.shape}; rebuild the bundle"
        )
    return np.ascontiguousarray(image, dtype=np.uint8)
