"""A certificate for a tiny bundle as it stands and on this machine, without the frames that would prove it."""

from datetime import UTC, datetime
from pathlib import Path

from inspector.adapters.openvino_runtime.certificates import CERTIFICATE, binding_of, certificate_json
from inspector.adapters.openvino_runtime.manifest import read_manifest
from inspector.adapters.openvino_runtime.selection import choose_stages
from inspector.domain.certificate import Certificate, CertifiedClaim, Risk, Truth
from tests.support.bundles import edit_manifest, rehash

SENTENCE = "certified: added escapes ≤ 0.1 %, added overkill ≤ 0.5 % (95 %), labels"


def write_certificate(bundle: Path) -> Certificate:
    """Certify `bundle` as it is, with the promise of `SENTENCE`."""
    manifest, _ = read_manifest(bundle)
    certificate = Certificate(
        claims=(
            CertifiedClaim(Risk.ADDED_ESCAPE, 0.001, 0, 2995, 0.00099975),
            CertifiedClaim(Risk.ADDED_OVERKILL, 0.005, 3, 2000, 0.0038713),
        ),
        confidence=0.95,
        truth=Truth.LABELS,
        method="test",
        binding=binding_of(manifest, choose_stages(manifest, {}, {})),
        dataset="parts",
        dataset_sha256="d" * 64,
        parts=4995,
        seed=7,
        created_at=datetime(2026, 11, 25, 12, 30, tzinfo=UTC),
    )
    (bundle / CERTIFICATE).write_text(certificate_json(certificate), encoding="utf-8")
    edit_manifest(bundle, lambda content: content.update(certificate=CERTIFICATE))
    rehash(bundle)
    return certificate
