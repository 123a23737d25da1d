"""What a recipe makes of a bundle: per stage one artefact, one device, one band."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inspector.adapters.openvino_runtime.manifest import IMAGE, Artefact, Manifest, Stage
from inspector.domain.certificate import CertificateStatus
from inspector.domain.errors import ModelError
from inspector.domain.exits import ExitBand
from inspector.domain.model import ModelInfo, StageInfo
from inspector.domain.recipe import StageChoice


@dataclass(frozen=True, slots=True)
class ChosenStage:
    """`device` is what the recipe says, and what that has come to once the stage is compiled."""

    stage: Stage
    artefact: Artefact
    precision: str
    device: str
    band: ExitBand

    @property
    def info(self) -> StageInfo:
        return StageInfo(
            name=self.stage.name,
            exit=self.stage.exit,
            band=self.band,
            device=self.device,
            precision=self.precision,
            names_class=self.artefact.names_class,
            feeds_on=None if self.stage.input == IMAGE else self.stage.input,
        )


def choose_stages(
    manifest: Manifest, choices: Mapping[str, StageChoice], bands: Mapping[str, ExitBand]
) -> tuple[ChosenStage, ...]:
    """One entry per stage, in order. `choices` goes by stage name, `bands` by exit name; both may be empty.

    Raises ModelError for a stage, exit or precision that the bundle does not have.
    """
    _refuse_unknown("stage", choices, [stage.name for stage in manifest.stages], manifest.name)
    _refuse_unknown("exit", bands, [stage.exit for stage in manifest.stages], manifest.name)
    return tuple(_choose(manifest, stage, choices.get(stage.name, StageChoice()), bands) for stage in manifest.stages)


def describe(
    manifest: Manifest, model_hash: str, chosen: Sequence[ChosenStage], certificate: CertificateStatus
) -> ModelInfo:
    """What the bundle says of itself when it runs like this."""
    return ModelInfo(
        name=manifest.name,
        version=manifest.version,
        model_hash=model_hash,
        certificate=certificate,
        input=manifest.input.spec(),
        classes=manifest.classes,
        ok_class=manifest.ok_class,
        stages=tuple(stage.info for stage in chosen),
    )


def _choose(manifest: Manifest, stage: Stage, choice: StageChoice, bands: Mapping[str, ExitBand]) -> ChosenStage:
    precision = choice.precision or stage.default_precision
    artefact = stage.artefacts.get(precision)
    if artefact is None:
        raise ModelError(
            f"stage '{stage.name}' of bundle '{manifest.name}' does not come in {precision}; "
            f"the recipe can choose {_listed(stage.artefacts)}"
        )
    return ChosenStage(stage, artefact, precision, choice.device, bands.get(stage.exit, artefact.band.exit_band()))


def _refuse_unknown(kind: str, given: Mapping[str, object], known: Sequence[str], bundle: str) -> None:
    for name in given:
        if name not in known:
            raise ModelError(
                f"the recipe names the {kind} '{name}', which bundle '{bundle}' does not have; it has {_listed(known)}"
            )


def _listed(names: Mapping[str, object] | Sequence[str]) -> str:
    return ", ".join(names)
