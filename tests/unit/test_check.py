"""`inspector check`: configuration, bundle and files together."""

from collections.abc import Callable
from pathlib import Path

import pytest

from inspector.check import CheckReport, check
from tests.support.bundles import write_tiny_bundle

STATION = """\
[station]
id = "s1"
recipe = "plates"

[source]
kind = "simulated"
"""

RECIPE = """\
product = "Plate"
bundle = "tiny"
"""


class Site:
    """A station's files with a bundle that fits them, as they would be installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config" / "station.toml"
        self.recipe = folder / "config" / "recipes" / "plates.toml"
        self.recipe.parent.mkdir(parents=True)
        self.write()
        self.bundle = write_tiny_bundle(folder / "models" / "tiny", height=480, width=640)

    def write(self, station: str = STATION, recipe: str = RECIPE) -> None:
        self.config.write_text(station, "utf-8")
        self.recipe.write_text(recipe, "utf-8")

    def problem(self) -> str:
        """The only problem, without the folder."""
        (problem,) = check(self.config).problems
        return problem.replace(f"{self.folder}/", "")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_good_site(site: Site) -> None:
    report = check(site.config)
    assert report.ok
    assert report.files == (site.config, site.recipe)
    assert report.settings is not None
    assert report.model is not None
    assert report.model.name == "tiny"
    assert report.notes == (
        "the bundle 'tiny' brings no certificate: this station runs uncertified",
        "[mqtt] enabled is false: verdicts are kept in the database and sent to nobody",
    )


def test_mistakes_in_the_files_come_first(site: Site) -> None:
    site.write(STATION.replace("simulated", "simulatd"), RECIPE + "colour = 1\n")
    report = check(site.config)
    assert not report.ok
    assert report.settings is None
    assert len(report.problems) == 2
    assert "did you mean 'simulated'?" in report.problems[0]
    assert "plates.toml:3: colour: unknown key" in report.problems[1]
    assert set(report.files) == {site.config, site.recipe}


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    (problem,) = check(tmp_path / "none.toml").problems
    assert "none.toml: does not exist" in problem


def test_a_bundle_that_is_not_there(site: Site) -> None:
    site.write(recipe=RECIPE.replace("tiny", "tinny"))
    assert site.problem() == (
        "config/recipes/plates.toml:2: bundle: there is no bundle 'tinny' in models; did you mean 'tiny'?"
    )
    site.write(STATION + '[model]\nbundles = "nowhere"\n')
    assert site.problem() == (
        "config/recipes/plates.toml:2: bundle: there is no bundle 'tiny' in config/nowhere; correct [model] bundles"
    )


def _flip_a_bit(bundle: Path) -> None:
    weights = next(bundle.glob("*.bin"))
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)


def _remove_weights(bundle: Path) -> None:
    next(bundle.glob("*.bin")).unlink()


def _break_manifest(bundle: Path) -> None:
    (bundle / "manifest.json").write_text("{", "utf-8")


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_flip_a_bit, "is damaged"),
        (_remove_weights, "is missing"),
        (_break_manifest, "manifest.json is not valid JSON"),
    ],
)
def test_a_damaged_bundle(site: Site, damage: Callable[[Path], None], told: str) -> None:
    damage(site.bundle)
    problem = site.problem()
    assert problem.startswith("config/recipes/plates.toml:2: bundle: models/tiny/")
    assert told in problem


def test_a_recipe_that_does_not_fit_its_bundle(site: Site) -> None:
    site.write(
        recipe=RECIPE
        + "[exits.frnt]\nok_below = 0.1\nng_above = 0.9\n"
        + '[stages.ful]\ndevice = "CPU"\n[stages.full]\nprecision = "FP16"\n'
    )
    problems = [problem.replace(f"{site.folder}/", "") for problem in check(site.config).problems]
    assert problems == [
        "config/recipes/plates.toml:3: [exits] frnt: the bundle 'tiny' has no such exit; did you mean 'front'?",
        "config/recipes/plates.toml:6: [stages] ful: the bundle 'tiny' has no such stage; did you mean 'full'?",
        "config/recipes/plates.toml:9: [stages.full] precision: stage 'full' of bundle 'tiny' does not come in FP16; "
        "the recipe can choose FP32, INT8",
    ]


def test_a_band_set_by_hand_is_said_to_be_uncertified(site: Site) -> None:
    site.write(recipe="full_model_only = true\n" + RECIPE + "[exits.front]\nok_below = 0.1\nng_above = 0.9\n")
    report = check(site.config)
    assert report.ok
    assert report.notes[:2] == (
        "the bands of front are set by hand: this station runs uncertified",
        "full_model_only is on: no part takes an early exit",
    )


def test_pictures_that_the_bundle_does_not_take(site: Site) -> None:
    site.write(STATION + "width = 320\nheight = 240\n")
    assert site.problem() == "config/station.toml:7: [source] width: the bundle 'tiny' takes 640x480 px; write that"
    write_tiny_bundle(site.bundle, height=480, width=640, color="GREY")
    site.write()
    assert "takes grey pictures and the simulated line makes coloured ones" in site.problem()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (
            'kind = "folder"\npath = "none"',
            "7: [source] path: picture folder config/none: there is no such folder; correct the path",
        ),
        ('kind = "video"\npath = "a.mp4"', "7: [source] path: there is no video config/a.mp4; correct the path"),
        (
            'kind = "folder"\npath = "."\nlist_file = "a.txt"',
            "8: [source] list_file: picture list config/a.txt cannot be read (No such file or directory); "
            "give a UTF-8 text file with one path a line",
        ),
    ],
)
def test_a_source_that_is_not_there(site: Site, source: str, told: str) -> None:
    site.write(STATION.replace('kind = "simulated"', source))
    assert site.problem() == f"config/station.toml:{told}"


def test_the_command_lines_source_is_the_one_that_counts(site: Site, tmp_path: Path) -> None:
    site.write(STATION.replace('kind = "simulated"', 'kind = "folder"\npath = "none"'))
    assert check(site.config, source_path=tmp_path).ok
    assert not check(site.config).ok


def test_the_way_to_the_broker(site: Site) -> None:
    (site.config.parent / "password").write_text("secret\n", "utf-8")
    (site.config.parent / "password").chmod(0o644)
    login = '[mqtt]\nenabled = true\nhost = "10.0.0.9"\nusername = "s1"\npassword_file = "password"\n'
    site.write(STATION + login)
    report = check(site.config)
    assert report.ok
    assert report.notes[1:] == (
        "the password for 10.0.0.9 crosses the network unencrypted: add [mqtt.tls]",
        f"others on this machine can read {site.config.parent / 'password'}: chmod 600 it",
    )
    site.write(STATION + login + '[mqtt.tls]\nca = "ca.pem"\n')
    (site.config.parent / "password").chmod(0o600)
    report = check(site.config)
    assert isinstance(report, CheckReport)
    assert len(report.notes) == 1
    assert site.problem() == "config/station.toml:13: [mqtt.tls] ca: there is no file config/ca.pem; correct the path"
