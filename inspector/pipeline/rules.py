"""The rules in force: everything of a recipe that may change while the line runs, replaced as one value."""

from dataclasses import dataclass

from inspector.domain.model import ModelInfo
from inspector.domain.recipe import PictureLimits, Recipe
from inspector.pipeline.cascade import ExitPolicy


@dataclass(frozen=True, slots=True)
class Rules:
    """Bands, picture limits and deadline with the config version that they come from."""

    recipe_id: str
    config_version: str
    policy: ExitPolicy
    picture: PictureLimits
    deadline_ms: float

    @classmethod
    def of(cls, recipe: Recipe, info: ModelInfo, config_version: str) -> "Rules":
        return cls(recipe.recipe_id, config_version, ExitPolicy.of(recipe, info), recipe.picture, recipe.deadline_ms)
