"""The certificate: what dynamic execution may cost at most, how sure that is, and what exactly it holds for.

    certify ─▶ Certificate (in the bundle) ─▶ loading compares it with what runs ─▶ CertificateStatus
                                                 │ equal: certified, its hash goes with every verdict
                                                 └ anything differs: void, with the reason; no hash

The sentences here are English and made of the enums' values, so that the dashboard can put them in another language.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from inspector.domain.exits import ExitBand

UNCERTIFIED = "uncertified"
VOID_BEFORE = "uncertified: the certificate is void, "
CERTIFIED_BEFORE = "certified: "


class Truth(StrEnum):
    """What an error is measured against."""

    LABELS = "labels"
    FULL_MODEL = "full model"


class Risk(StrEnum):
    """What dynamic execution may add to the full model's own errors."""

    ADDED_ESCAPE = "added escapes"
    ADDED_OVERKILL = "added overkill"
    ADDED_MISNAMING = "added misnaming"


RELATIVE_ONLY = "relative to the full model only"
"""What is said wherever the truth is the full model: its own errors are not bounded."""


@dataclass(frozen=True, slots=True)
class CertifiedClaim:
    """`count` of `of` calibration parts went wrong; with the certificate's confidence at most a share of `bound` does.

    `upper` is the exact one-sided limit from these counts alone, never above `bound`.
    """

    risk: Risk
    bound: float
    count: int
    of: int
    upper: float


@dataclass(frozen=True, slots=True)
class CertifiedStage:
    """One stage as it was calibrated. `xml_sha256` and `bin_sha256` (hex) hold its preprocessing, too."""

    name: str
    exit: str
    input: str
    precision: str
    device: str
    band: ExitBand
    names_class: bool
    xml_sha256: str
    bin_sha256: str


@dataclass(frozen=True, slots=True)
class Machine:
    """What scores depend on besides the files: `cpu_features` are those that change arithmetic, sorted."""

    openvino: str
    cpu_features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Binding:
    """Everything a certificate holds for. `stages` in order of the bundle."""

    classes: tuple[str, ...]
    ok_class: str
    stages: tuple[CertifiedStage, ...]
    machine: Machine


@dataclass(frozen=True, slots=True)
class Certificate:
    """Written by `inspector certify`. `dataset_sha256` is over path, content, label, split and group of every picture;
    `parts` counts one picture a group of its calib split."""

    claims: tuple[CertifiedClaim, ...]
    confidence: float
    truth: Truth
    method: str
    binding: Binding
    dataset: str
    dataset_sha256: str
    parts: int
    seed: int
    created_at: datetime


class VoidReason(StrEnum):
    """Why a certificate does not hold, as the rest of a sentence."""

    BANDS = "because a band was set by hand"
    STAGES = "because the stages are not the certified ones"
    FILES = "because a model file is not the certified one"
    PRECISION = "because a stage runs in another precision"
    DEVICE = "because a stage runs on another device"
    CPU = "because this CPU computes in another way than the one it was made on"
    OPENVINO = "because another OpenVINO runs than it was made with"
    UNREADABLE = "because it cannot be read"


@dataclass(frozen=True, slots=True)
class CertificateStatus:
    """Whether a certificate holds for what runs. `hash` (SHA-256 of its file, hex) is None unless it does.

    `sentence` is for people and begins with `UNCERTIFIED` or `CERTIFIED_BEFORE`.
    """

    hash: str | None
    sentence: str
    void: VoidReason | None = None

    @classmethod
    def none(cls) -> "CertificateStatus":
        return cls(None, UNCERTIFIED)

    @classmethod
    def holds(cls, certificate: Certificate, sha256: str) -> "CertificateStatus":
        return cls(sha256, CERTIFIED_BEFORE + claims_sentence(certificate))

    @classmethod
    def voided(cls, reason: VoidReason, detail: str = "") -> "CertificateStatus":
        """`detail` names what differs, in words that need no translation: file, stage, version."""
        return cls(None, f"{VOID_BEFORE}{reason.value}{f' ({detail})' if detail else ''}", reason)

    @property
    def is_certified(self) -> bool:
        return self.hash is not None

    def with_hand_set(self, exits: Sequence[str]) -> "CertificateStatus":
        """The status once the bands of `exits` come from a recipe; nothing is voided where nothing held."""
        return self.voided(VoidReason.BANDS, ", ".join(exits)) if exits and self.is_certified else self


def claims_sentence(certificate: Certificate) -> str:
    """Such as "added escapes ≤ 0.1 %, added overkill ≤ 0.5 % (95 %), labels"."""
    claims = ", ".join(f"{claim.risk.value} ≤ {percent(claim.bound)}" for claim in certificate.claims)
    return f"{claims} ({percent(certificate.confidence)}), {truth_text(certificate.truth)}"


def truth_text(truth: Truth) -> str:
    return truth.value if truth is Truth.LABELS else RELATIVE_ONLY


def percent(share: float) -> str:
    """0.001 as "0.1 %", with no more digits than it has."""
    return f"{100 * share:.6g} %"


def void_reason(certified: Binding, running: Binding) -> tuple[VoidReason, str] | None:
    """The first difference between what was certified and what runs, with its detail; None when they are equal."""
    here, there = running.stages, certified.stages
    if (running.classes, running.ok_class) != (certified.classes, certified.ok_class):
        return VoidReason.STAGES, "classes"
    if [(s.name, s.exit, s.input) for s in here] != [(s.name, s.exit, s.input) for s in there]:
        return VoidReason.STAGES, ", ".join(s.name for s in here)
    for now, then in zip(here, there, strict=True):
        if now.precision != then.precision:
            return VoidReason.PRECISION, f"{now.name}: {then.precision} → {now.precision}"
        if now.device != then.device:
            return VoidReason.DEVICE, f"{now.name}: {then.device} → {now.device}"
        if (now.xml_sha256, now.bin_sha256) != (then.xml_sha256, then.bin_sha256):
            return VoidReason.FILES, now.name
        if now.names_class != then.names_class:
            return VoidReason.STAGES, f"{now.name}: names_class"
        if now.band != then.band:
            return VoidReason.BANDS, now.exit
    if running.machine.cpu_features != certified.machine.cpu_features:
        differing = set(running.machine.cpu_features) ^ set(certified.machine.cpu_features)
        return VoidReason.CPU, ", ".join(sorted(differing))
    if running.machine.openvino != certified.machine.openvino:
        return VoidReason.OPENVINO, f"{certified.machine.openvino} → {running.machine.openvino}"
    return None
