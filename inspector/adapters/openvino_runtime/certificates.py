"""`certificate.json` of a bundle, format 1: read strictly, written, and compared with what runs.

A certificate that cannot be read, or that was made for anything else, is void: the station runs uncertified and says
why. It never keeps a station from starting, because the bundle itself is checked on its own.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

import openvino as ov
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from inspector.adapters.openvino_runtime.devices import candidates
from inspector.adapters.openvino_runtime.manifest import Band, Manifest, Sha256
from inspector.adapters.openvino_runtime.selection import ChosenStage
from inspector.domain.certificate import (
    Binding,
    Certificate,
    CertificateStatus,
    CertifiedClaim,
    CertifiedStage,
    Machine,
    Risk,
    Truth,
    VoidReason,
    void_reason,
)
from inspector.domain.errors import ModelError

FORMAT = 1
CERTIFICATE = "certificate.json"
ARITHMETIC_FEATURES = frozenset(
    {"avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16"}
)
"""Flags of /proc/cpuinfo by which oneDNN chooses its kernels: INT8 sums saturate without VNNI, FMA rounds once."""

_CPUINFO = Path("/proc/cpuinfo")
Rate = Annotated[float, Field(gt=0.0, lt=1.0)]
Count = Annotated[int, Field(ge=0)]


def cpu_features(cpuinfo: Path = _CPUINFO) -> tuple[str, ...]:
    """The arithmetic features of this CPU, sorted; ("unknown",) where the kernel does not list them."""
    try:
        lines = cpuinfo.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ("unknown",)
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), None)
    return ("unknown",) if flags is None else tuple(sorted(ARITHMETIC_FEATURES.intersection(flags)))


def this_machine() -> Machine:
    return Machine(openvino=ov.get_version(), cpu_features=cpu_features())


def binding_of(manifest: Manifest, chosen: Sequence[ChosenStage]) -> Binding:
    """What runs, in the terms of a certificate. The hashes are the manifest's: the files were checked against them."""
    stages = tuple(
        CertifiedStage(
            name=stage.stage.name,
            exit=stage.stage.exit,
            input=stage.stage.input,
            precision=stage.precision,
            device=_settled(stage.device),
            band=stage.band,
            names_class=stage.artefact.names_class,
            xml_sha256=manifest.files[stage.artefact.xml],
            bin_sha256=manifest.files[stage.artefact.bin],
        )
        for stage in chosen
    )
    return Binding(manifest.classes, manifest.ok_class, stages, this_machine())


def _settled(device: str) -> str:
    """The device that AUTO comes to on this machine, as compiling would find it; any other as it is."""
    if device.startswith("AUTO"):
        with suppress(ModelError):
            return candidates(device)[0]
    return device


def certificate_status(data: bytes, sha256: str, running: Binding, hand_set: Sequence[str]) -> CertificateStatus:
    """Whether the certificate file `data` holds for `running`; `hand_set` names exits whose bands a recipe replaced."""
    if hand_set:
        return CertificateStatus.voided(VoidReason.BANDS, ", ".join(hand_set))
    try:
        certificate = read_certificate(data)
    except ValueError as error:
        return CertificateStatus.voided(VoidReason.UNREADABLE, str(error))
    differs = void_reason(certificate.binding, running)
    return CertificateStatus.voided(*differs) if differs else CertificateStatus.holds(certificate, sha256)


def read_certificate(data: bytes) -> Certificate:
    """Raises ValueError, which names the first wrong key."""
    try:
        return _Certificate.model_validate_json(data).value()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        what = str(first["msg"]).removeprefix("Value error, ")
        raise ValueError(f"{where}: {what}" if where else what) from None


def certificate_json(certificate: Certificate) -> str:
    """The file's text. What is written can be read: it went through the same checks."""
    fields = {
        "format": FORMAT,
        "claims": [
            {"risk": c.risk.value, "bound": c.bound, "count": c.count, "of": c.of, "upper": c.upper}
            for c in certificate.claims
        ],
        "confidence": certificate.confidence,
        "truth": certificate.truth.value,
        "method": certificate.method,
        "binding": {
            "classes": list(certificate.binding.classes),
            "ok_class": certificate.binding.ok_class,
            "stages": [
                {
                    "name": s.name,
                    "exit": s.exit,
                    "input": s.input,
                    "precision": s.precision,
                    "device": s.device,
                    "band": {"ok_below": s.band.ok_below, "ng_above": s.band.ng_above},
                    "names_class": s.names_class,
                    "xml_sha256": s.xml_sha256,
                    "bin_sha256": s.bin_sha256,
                }
                for s in certificate.binding.stages
            ],
            "openvino": certificate.binding.machine.openvino,
            "cpu_features": list(certificate.binding.machine.cpu_features),
        },
        "dataset": certificate.dataset,
        "dataset_sha256": certificate.dataset_sha256,
        "parts": certificate.parts,
        "seed": certificate.seed,
        "created_at": certificate.created_at.isoformat(),
    }
    text = json.dumps(fields, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if read_certificate(text.encode()) != certificate:
        raise ValueError("the certificate does not come back from its own file as it was written")
    return text


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class _Claim(_Strict):
    risk: Risk
    bound: Rate
    count: Count
    of: Count
    upper: float = Field(ge=0.0, le=1.0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.count <= self.of:
            raise ValueError(f"count {self.count} of {self.of} is no share")
        if not self.upper <= self.bound:
            raise ValueError(f"upper {self.upper} is above the bound {self.bound}: this proves nothing")
        return self


class _Stage(_Strict):
    name: str
    exit: str
    input: str
    precision: str
    device: str
    band: Band
    names_class: bool
    xml_sha256: Sha256
    bin_sha256: Sha256


class _Binding(_Strict):
    classes: tuple[str, ...] = Field(min_length=2)
    ok_class: str
    stages: tuple[_Stage, ...] = Field(min_length=1)
    openvino: str
    cpu_features: tuple[str, ...]


class _Certificate(_Strict):
    format: Literal[1]
    claims: tuple[_Claim, ...] = Field(min_length=1)
    confidence: Rate
    truth: Truth
    method: str
    binding: _Binding
    dataset: str
    dataset_sha256: Sha256
    parts: Count
    seed: int
    created_at: AwareDatetime

    def value(self) -> Certificate:
        stages = tuple(
            CertifiedStage(**{**dict(stage), "band": stage.band.exit_band()}) for stage in self.binding.stages
        )
        return Certificate(
            claims=tuple(CertifiedClaim(c.risk, c.bound, c.count, c.of, c.upper) for c in self.claims),
            confidence=self.confidence,
            truth=self.truth,
            method=self.method,
            binding=Binding(
                self.binding.classes,
                self.binding.ok_class,
                stages,
                Machine(self.binding.openvino, self.binding.cpu_features),
            ),
            dataset=self.dataset,
            dataset_sha256=self.dataset_sha256,
            parts=self.parts,
            seed=self.seed,
            created_at=datetime.fromisoformat(self.created_at.isoformat()),
        )
