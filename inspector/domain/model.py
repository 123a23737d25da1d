"""What a loaded model says of itself."""

from dataclasses import dataclass

from inspector.domain.certificate import CertificateStatus
from inspector.domain.exits import ExitBand
from inspector.domain.frame import ColorSpace


@dataclass(frozen=True, slots=True)
class InputSpec:
    """The only picture a bundle takes: u8, shape (height, width, color.channels)."""

    height: int
    width: int
    color: ColorSpace

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.height, self.width, self.color.channels)


@dataclass(frozen=True, slots=True)
class StageInfo:
    """One compiled stage: the exit it feeds, the band that the bundle brings, and where it runs.

    `names_class` is False for a stage that tells OK from NG but not which defect. `feeds_on` names the earlier stage
    whose features it takes; None: it takes the picture.
    """

    name: str
    exit: str
    band: ExitBand
    device: str
    precision: str
    names_class: bool = True
    feeds_on: str | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A loaded bundle. `classes` is the order of every stage's scores; p_defect = 1 - p[ok_class].

    `model_hash` is the SHA-256 (hex) of the manifest, which holds the hash of every other file. `certificate` says whether
    one holds for the bundle as it runs.
    """

    name: str
    version: str
    model_hash: str
    certificate: CertificateStatus
    input: InputSpec
    classes: tuple[str, ...]
    ok_class: str
    stages: tuple[StageInfo, ...]

    @property
    def certificate_hash(self) -> str | None:
        return self.certificate.hash

    @property
    def exits(self) -> tuple[str, ...]:
        return tuple(stage.exit for stage in self.stages)
