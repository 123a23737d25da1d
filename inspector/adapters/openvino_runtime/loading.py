"""Loading a bundle: manifest ─▶ hashes ─▶ recipe's choices ─▶ compile (or cache) ─▶ golden pictures ─▶ ready.

Any doubt on the way is a ModelError: a station without a model does not start, a station with a wrong one would.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from inspector.adapters.openvino_runtime.artefact import check_seams, compile_stage
from inspector.adapters.openvino_runtime.cache import BlobCache
from inspector.adapters.openvino_runtime.certificates import binding_of, certificate_status
from inspector.adapters.openvino_runtime.classifier import OpenVinoClassifier
from inspector.adapters.openvino_runtime.devices import Hint, candidates
from inspector.adapters.openvino_runtime.golden import Decode, check_golden
from inspector.adapters.openvino_runtime.integrity import BundleFiles
from inspector.adapters.openvino_runtime.manifest import Manifest, read_manifest
from inspector.adapters.openvino_runtime.selection import ChosenStage, choose_stages, describe
from inspector.domain.certificate import CertificateStatus
from inspector.domain.errors import ModelError
from inspector.domain.exits import ExitBand
from inspector.domain.model import ModelInfo
from inspector.domain.recipe import StageChoice


def load_bundle(
    folder: Path,
    *,
    choices: Mapping[str, StageChoice],
    decode: Decode,
    cache_dir: Path | None,
    inference_threads: int,
    bands: Mapping[str, ExitBand] | None = None,
    hint: Hint = "LATENCY",
) -> OpenVinoClassifier:
    """Load the bundle in `folder`, checked from the first byte to its golden pictures.

    `choices` says by stage name where and how a stage runs (default: its default precision on CPU); `bands` replaces
    bands by exit name, which voids the certificate. `decode` reads the golden PNGs. `inference_threads` is the number
    of CPU threads per stage: with LATENCY all of them work on one part, with THROUGHPUT each on one of its own, for as
    many sessions. Compiled models are kept in `cache_dir`; None compiles at every start.

    Raises ModelError, one sentence with the remedy, for anything that is missing, damaged, unknown or wrong.
    """
    if inference_threads < 1:
        raise ModelError(f"a model needs at least one inference thread, not {inference_threads}; change the setting")
    manifest, model_hash = read_manifest(folder)
    files = BundleFiles(folder, manifest.files)
    files.verify_all()
    chosen = choose_stages(manifest, choices, bands or {})
    for stage in chosen:
        candidates(stage.device)  # an absent device is told before any work is done

    def compiled(cache: BlobCache) -> OpenVinoClassifier:
        """Compiled, or out of `cache`, and checked on the golden pictures."""
        stages = tuple(
            compile_stage(files, manifest, stage, cache, threads=inference_threads, hint=hint) for stage in chosen
        )
        check_seams(manifest, stages)
        running = [stage.chosen for stage in stages]
        info = describe(manifest, model_hash, running, _certificate(files, manifest, running, bands or {}))
        classifier = OpenVinoClassifier(info, stages, cache.warnings)
        check_golden(classifier.session(), files, manifest, stages, decode)
        return classifier

    cache = BlobCache(cache_dir)
    try:
        return compiled(cache)
    except ModelError as doubt:
        if not cache.delivered:
            raise
        cache.discard_delivered()
        fresh = BlobCache(None)
        fresh.warn(f"a compiled model kept in {cache_dir} did not pass its check and was compiled anew ({doubt})")
        return compiled(fresh)


def read_info(
    folder: Path,
    *,
    choices: Mapping[str, StageChoice] | None = None,
    bands: Mapping[str, ExitBand] | None = None,
) -> ModelInfo:
    """What the bundle in `folder` says of itself, with every file's hash checked but nothing compiled: for `check`.

    `choices` and `bands` are those of the recipe, checked against the bundle. Devices are named as chosen; whether they
    exist is told by `load_bundle` and `available_devices`. Raises ModelError as `load_bundle` does.
    """
    manifest, model_hash = read_manifest(folder)
    files = BundleFiles(folder, manifest.files)
    files.verify_all()
    chosen = choose_stages(manifest, choices or {}, bands or {})
    return describe(manifest, model_hash, chosen, _certificate(files, manifest, chosen, bands or {}))


def _certificate(
    files: BundleFiles, manifest: Manifest, chosen: Sequence[ChosenStage], bands: Mapping[str, ExitBand]
) -> CertificateStatus:
    """Whether the bundle's certificate holds when it runs like this."""
    name = manifest.certificate
    if name is None:
        return CertificateStatus.none()
    return certificate_status(files.read(name), manifest.files[name], binding_of(manifest, chosen), tuple(bands))
