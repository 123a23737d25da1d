"""`manifest.json` of a bundle, format 1: read strictly, every reference in it resolved.

What is checked here needs the manifest alone. That the files are what it says is checked by `integrity`, that the
models are what it says by `artefact`, that they answer as it says by `golden`.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from inspector.adapters.openvino_runtime.integrity import read_inside
from inspector.domain.errors import ModelError
from inspector.domain.exits import ExitBand
from inspector.domain.frame import ColorSpace
from inspector.domain.model import InputSpec

FORMAT = 1
MANIFEST = "manifest.json"
UNLISTED = frozenset({MANIFEST, "CARD.md"})
"""Files that carry no hash: the manifest itself and what is only for people."""

IMAGE = "image"
FEATURES = "features"
SCORES = "scores"


def _relative_path(value: str) -> str:
    path = PurePosixPath(value)
    if (
        path.is_absolute()
        or ".." in path.parts
        or str(path) != value
        or value == "."
        or any(c in value for c in "\\:\0")
    ):
        raise ValueError("must be a plain path inside the bundle folder, such as 'golden/ok_0.png'")
    return value


RelativePath = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_relative_path)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}$")]
Precision = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]{0,15}$")]
ClassName = Annotated[str, Field(pattern=r"^\S(.{0,62}\S)?$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Probability = Annotated[float, Field(ge=0.0, le=1.0)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Input(_Strict):
    height: int = Field(ge=1, le=16384)
    width: int = Field(ge=1, le=16384)
    color: ColorSpace

    def spec(self) -> InputSpec:
        return InputSpec(self.height, self.width, self.color)


class Band(_Strict):
    ok_below: Probability
    ng_above: Probability

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        self.exit_band()
        return self

    def exit_band(self) -> ExitBand:
        return ExitBand(self.ok_below, self.ng_above)


class Artefact(_Strict):
    """One compiled-to-be form of a stage, with the band found for exactly this form."""

    xml: Annotated[RelativePath, Field(pattern=r"\.xml$")]
    bin: Annotated[RelativePath, Field(pattern=r"\.bin$")]
    band: Band
    names_class: bool


class Stage(_Strict):
    name: Name
    exit: Name
    input: Name
    default_precision: Precision
    artefacts: dict[Precision, Artefact] = Field(min_length=1, max_length=8)


class Golden(_Strict):
    """A picture and what every artefact answered for it where the bundle was made: {stage: {precision: scores}}."""

    file: Annotated[RelativePath, Field(pattern=r"\.png$")]
    label: ClassName
    scores: dict[Name, dict[Precision, tuple[Probability, ...]]]
    tolerance: float = Field(gt=0.0, le=0.2)


class Manifest(_Strict):
    format: int
    name: Name
    version: Version
    input: Input
    classes: tuple[ClassName, ...] = Field(min_length=2, max_length=1000)
    ok_class: ClassName
    stages: tuple[Stage, ...] = Field(min_length=1, max_length=16)
    files: dict[RelativePath, Sha256] = Field(max_length=1000)
    golden: tuple[Golden, ...] = Field(min_length=1, max_length=100)
    certificate: RelativePath | None
    provenance: dict[str, JsonValue]

    @model_validator(mode="after")
    def _references(self) -> Self:
        problem = next(self._problems(), None)
        if problem is not None:
            raise ValueError(problem)
        return self

    def _problems(self) -> Iterator[str]:
        if len(set(self.classes)) < len(self.classes):
            yield "classes: each may stand there only once"
        if self.ok_class not in self.classes:
            yield f"ok_class: '{self.ok_class}' is not one of classes"
        earlier: list[str] = [IMAGE]
        for stage in self.stages:
            if stage.name in earlier:
                yield f"stages: the name '{stage.name}' is used twice or reserved"
            if stage.input not in earlier:
                yield f"stages.{stage.name}.input: '{stage.input}' is neither 'image' nor an earlier stage"
            if stage.default_precision not in stage.artefacts:
                yield f"stages.{stage.name}.default_precision: there is no artefact in {stage.default_precision}"
            earlier.append(stage.name)
        if len({stage.exit for stage in self.stages}) < len(self.stages):
            yield "stages: every stage needs an exit name of its own"
        for name in self._named_files():
            if name not in self.files:
                yield f"files: there is no hash for '{name}'"
        for name in UNLISTED & self.files.keys():
            yield f"files: '{name}' cannot be listed"
        for golden in self.golden:
            for stage in self.stages:
                for precision in stage.artefacts:
                    if len(golden.scores.get(stage.name, {}).get(precision, ())) != len(self.classes):
                        yield (
                            f"golden.{golden.file}.scores.{stage.name}.{precision}: "
                            f"needs {len(self.classes)} numbers, one per class"
                        )

    def _named_files(self) -> Iterator[str]:
        for stage in self.stages:
            for artefact in stage.artefacts.values():
                yield artefact.xml
                yield artefact.bin
        for golden in self.golden:
            yield golden.file
        if self.certificate is not None:
            yield self.certificate

    def feeds_others(self, stage: Stage) -> bool:
        """Whether a later stage takes the features of `stage`."""
        return any(other.input == stage.name for other in self.stages)


def read_manifest(folder: Path) -> tuple[Manifest, str]:
    """The manifest of the bundle in `folder` and its SHA-256 (hex). Raises ModelError, naming every wrong key."""
    if not folder.is_dir():
        raise ModelError(f"model bundle {folder} is missing; check the recipe's bundle path")
    path = folder / MANIFEST
    data = read_inside(folder, MANIFEST)
    try:
        content = json.loads(data, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not valid JSON ({error}); copy the bundle again") from error
    stated = content.get("format") if isinstance(content, dict) else None
    if stated is None:
        raise ModelError(
            f"{path} does not state its format, so it is no bundle manifest; check the recipe's bundle path"
        )
    if stated is True or stated != FORMAT:
        raise ModelError(
            f"{path} has format {stated!r}, this version of Inspector reads format {FORMAT}; "
            "rebuild the bundle or update Inspector"
        )
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        problems = "; ".join(_problem_text(problem) for problem in error.errors(include_url=False)[:8])
        raise ModelError(f"{path} is wrong: {problems}; rebuild the bundle") from error
    return manifest, hashlib.sha256(data).hexdigest()


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = next(key for key, _ in pairs if sum(key == other for other, _ in pairs) > 1)
        raise ValueError(f"the key '{twice}' stands there twice")
    return content


def _problem_text(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    what = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where}: {what}" if where else what
