"""`config/recipes/<name>.toml`: what one product needs."""

from types import MappingProxyType

from pydantic import model_validator

from inspector.domain.exits import ExitBand
from inspector.domain.recipe import PictureLimits, Recipe, StageChoice
from inspector.settings.fields import Device, Name, Precision, Settings, Text, setting

_LIMITS = PictureLimits()


class ExitSettings(Settings):
    """[exits.<exit>]: overrides the band that the bundle brings for this exit. A band set by hand is *uncertified*, and
    the station says so wherever the model is shown; remove the table to go back to the bundle's own band."""

    ok_below: float = setting(
        "Parts with a defect probability below this are OK here. 0 lets no part leave as OK.",
        unit="probability",
        low=0.0,
        high=1.0,
    )
    ng_above: float = setting(
        "Parts with a defect probability above this are NG here. 1 lets no part leave as NG. What lies between the two "
        "goes on to the next stage, or is held after the last.",
        unit="probability",
        low=0.0,
        high=1.0,
    )

    @model_validator(mode="after")
    def _in_order(self) -> "ExitSettings":
        if self.ok_below > self.ng_above:
            raise ValueError(
                f"ok_below {self.ok_below:g} is above ng_above {self.ng_above:g}; "
                "make ok_below the smaller one, or both the same to leave no uncertain middle"
            )
        return self


class StageSettings(Settings):
    """[stages.<stage>]: where and how one stage of the bundle is computed."""

    device: Device = setting("OpenVINO device: CPU, GPU, GPU.1, NPU, AUTO, or AUTO:GPU,CPU.", "CPU")
    precision: Precision | None = setting(
        "Precision that the bundle offers for this stage, such as INT8 or FP32; without it the bundle's default.", None
    )


class PictureSettings(Settings):
    """[picture]: when a picture is unfit for inspection. Such a part is held with the reason, never judged."""

    black_below_mean: float = setting(
        "Held as BLACK when the mean grey level is below this. 0 switches the check off.",
        _LIMITS.black_below_mean,
        unit="grey levels",
        low=0.0,
        high=255.0,
    )
    saturated_level: int = setting(
        "A pixel counts as saturated from this grey level on.",
        _LIMITS.saturated_level,
        unit="grey level",
        low=1,
        high=255,
    )
    saturated_above_share: float = setting(
        "Held as SATURATED when more than this share of the pixels is saturated. 1 switches the check off.",
        _LIMITS.saturated_above_share,
        unit="share",
        low=0.0,
        high=1.0,
    )
    flat_rows_above_share: float = setting(
        "Held as FLAT when more than this share of the rows is constant, as in half a picture. 1 switches this off.",
        _LIMITS.flat_rows_above_share,
        unit="share",
        low=0.0,
        high=1.0,
    )
    blurred_below: float = setting(
        "Held as BLURRED when neighbouring pixels differ by less than this on average. 0 switches the check off.",
        _LIMITS.blurred_below,
        unit="grey levels",
        low=0.0,
        high=255.0,
    )
    frozen_after: int = setting(
        "Held as FROZEN from this many pixel-for-pixel repeats of a picture on. 0 switches the check off.",
        _LIMITS.frozen_after,
        unit="pictures",
        low=0,
        high=1000,
    )


class DeadlineSettings(Settings):
    """[deadline]: the time a part has before its gate."""

    ms: float = setting(
        "A part not decided this long after its picture was taken is held with reason DEADLINE. 0 sets no deadline.",
        0.0,
        unit="ms",
        low=0.0,
        high=60_000.0,
    )


class RecipeSettings(Settings):
    """What one product needs. The name of the file is the name of the recipe. The settings of a recipe, except for
    `product` and `bundle`, are taken over while the station runs, as soon as the file is saved."""

    product: Text = setting("What is inspected, as shown to people.")
    bundle: Name = setting("Model bundle that judges it: the name of a folder in `[model] bundles`.")
    full_model_only: bool = setting(
        "true closes every exit but the last: the full model judges each part. Its own answer, at full cost.",
        False,
    )
    exits: dict[Name, ExitSettings] = setting("Bands set by hand, by exit; uncertified.", {})
    stages: dict[Name, StageSettings] = setting("Device and precision, by stage.", {})
    picture: PictureSettings = setting("When a picture is unfit for inspection.", {})
    deadline: DeadlineSettings = setting("The time a part has before its gate.", {})

    def to_recipe(self, recipe_id: str) -> Recipe:
        return Recipe(
            recipe_id=recipe_id,
            product=self.product,
            bundle=self.bundle,
            bands=MappingProxyType({name: ExitBand(band.ok_below, band.ng_above) for name, band in self.exits.items()}),
            stages=MappingProxyType({name: StageChoice(s.device, s.precision) for name, s in self.stages.items()}),
            picture=PictureLimits(**self.picture.model_dump()),
            full_model_only=self.full_model_only,
            deadline_ms=self.deadline.ms,
        )
