"""Configuration files: what they give, and what a person is told when something in them is wrong."""

import json
import os
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import BaseModel

from inspector.domain.errors import ConfigError
from inspector.domain.exits import ExitBand
from inspector.domain.recipe import PictureLimits, Recipe, StageChoice
from inspector.settings import (
    FolderSource,
    InvalidConfigError,
    LoadedSettings,
    RecipeSettings,
    SimulatedSource,
    StationSettings,
    VideoSource,
    changed_keys,
    load_settings,
    redacted,
    restart_keys,
    settings_from,
)
from inspector.settings.models import bare, bounds, is_model, unit_of
from inspector.settings.reference import made_files
from inspector.settings.toml_lines import key_lines

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path for path in (REPOSITORY / "config").glob("*.toml"))
RECIPES = sorted(path for path in (REPOSITORY / "config" / "recipes").glob("*.toml"))

STATION = """\
[station]
id = "s1"
recipe = "plates"

[source]
kind = "simulated"

[mqtt]
host = "broker"
port = 1883
"""

RECIPE = """\
product = "Plate"
bundle = "plates"

[exits.front]
ok_below = 0.1
ng_above = 0.9
"""


class Files:
    """A configuration folder to write mistakes into."""

    def __init__(self, folder: Path) -> None:
        self.station = folder / "config" / "station.toml"
        self.recipe = folder / "config" / "recipes" / "plates.toml"
        self.recipe.parent.mkdir(parents=True)
        self.write()

    def write(self, station: str = STATION, recipe: str | None = RECIPE) -> None:
        self.station.write_text(station, "utf-8")
        if recipe is None:
            self.recipe.unlink(missing_ok=True)
        else:
            self.recipe.write_text(recipe, "utf-8")

    def load(self) -> LoadedSettings:
        return load_settings(self.station)

    def mistakes(self) -> list[str]:
        """The lines of the error, without the folder."""
        with pytest.raises(ConfigError) as caught:
            self.load()
        assert caught.value.exit_code == 2
        return str(caught.value).replace(f"{self.station.parent}{os.sep}", "").split("\n")

    def mistake(self) -> str:
        (only,) = self.mistakes()
        return only


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


# What good files give


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_shipped_station_loads(path: Path) -> None:
    loaded = load_settings(path)
    assert loaded.files == (path, path.parent / "recipes" / f"{loaded.recipe_id}.toml")
    assert loaded.to_recipe().bundle == loaded.recipe_id
    assert loaded.bundle_dir == REPOSITORY / "models" / loaded.recipe_id


def test_every_shipped_recipe_is_used_by_a_shipped_station() -> None:
    assert {load_settings(path).recipe_id for path in EXAMPLES} == {path.stem for path in RECIPES}


def test_shipped_station_needs_nothing_but_its_checkout() -> None:
    loaded = load_settings(REPOSITORY / "config" / "station.toml")
    assert isinstance(loaded.station.source, SimulatedSource)
    assert not loaded.station.mqtt.enabled
    assert loaded.station.store.url.get_secret_value() == f"sqlite:///{REPOSITORY}/var/inspector.db"


def test_commented_keys_of_the_shipped_station_are_at_their_defaults_and_exist(tmp_path: Path) -> None:
    text = (REPOSITORY / "config" / "station.toml").read_text("utf-8")
    shown = re.sub(r'^# ((?:state_dir|workers|bundles|inference_threads|url = "sqlite).*)', r"\1", text, flags=re.M)
    assert shown.count("\n# ") < text.count("\n# ")
    target = tmp_path / "config" / "station.toml"
    (tmp_path / "config" / "recipes").mkdir(parents=True)
    for name, content in (("station.toml", text), ("shown.toml", shown)):
        (tmp_path / "config" / name).write_text(content, "utf-8")
    recipe = (REPOSITORY / "config" / "recipes" / "simulated_line.toml").read_text("utf-8")
    (tmp_path / "config" / "recipes" / "simulated_line.toml").write_text(recipe, "utf-8")
    assert load_settings(target).content == load_settings(target.with_name("shown.toml")).content


def test_lgp_is_the_test_split_of_the_shared_pictures() -> None:
    source = load_settings(REPOSITORY / "config" / "lgp.toml").station.source
    assert isinstance(source, FolderSource)
    assert source.path == REPOSITORY.parent / "shared" / "data" / "lgp"
    assert source.split == "test"
    assert not source.loop


def test_a_recipe_becomes_the_domains_value(files: Files) -> None:
    files.write(
        recipe="full_model_only = true\n"
        + RECIPE
        + '[stages.full]\ndevice = "GPU.1"\nprecision = "FP32"\n[picture]\nblurred_below = 2\n[deadline]\nms = 40\n'
    )
    assert files.load().to_recipe() == Recipe(
        recipe_id="plates",
        product="Plate",
        bundle="plates",
        bands={"front": ExitBand(0.1, 0.9)},
        stages={"full": StageChoice("GPU.1", "FP32")},
        picture=PictureLimits(blurred_below=2.0),
        full_model_only=True,
        deadline_ms=40.0,
    )


def test_picture_limits_default_to_the_domains(files: Files) -> None:
    assert files.load().to_recipe().picture == PictureLimits()


def test_relative_paths_belong_to_the_files_folder(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(files.station.parent)
    here = load_settings(Path("station.toml"))
    root = files.station.parents[1]
    assert here.station.model.bundles == root / "models"
    assert here.station.model.cache_dir == root / "var" / "model-cache"
    assert here.station.feed.endpoint == f"ipc://{root}/var/run/feed.sock"
    assert here.content == files.load().content


def test_variables_and_home_are_expanded(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/line")
    monkeypatch.setenv("STATE", "/srv/state")
    monkeypatch.setenv("DB_PASSWORD", "p@ss/wörd")
    station = STATION.replace('id = "s1"', 'id = "s1"\nstate_dir = "${STATE}/s1"')
    files.write(
        station.replace('kind = "simulated"', 'kind = "folder"\npath = "~/pictures"')
        + '[store]\nurl = "postgresql+psycopg://inspector:${DB_PASSWORD}@db/inspector"\n'
    )
    loaded = files.load()
    assert isinstance(loaded.station.source, FolderSource)
    assert loaded.station.source.path == Path("/home/line/pictures")
    assert loaded.station.model.cache_dir == Path("/srv/state/s1/model-cache")
    assert loaded.station.store.url.get_secret_value() == (
        "postgresql+psycopg://inspector:p%40ss%2Fw%C3%B6rd@db/inspector"
    )


def test_sqlite_files_are_paths_too(files: Files) -> None:
    files.write(STATION + '[store]\nurl = "sqlite:///data/a.db"\n')
    expected = f"sqlite:///{files.station.parent}/data/a.db"
    assert files.load().station.store.url.get_secret_value() == expected


def test_windows_line_ends_and_byte_order_mark_are_read(files: Files) -> None:
    files.station.write_bytes(b"\xef\xbb\xbf" + STATION.replace("1883", "0").replace("\n", "\r\n").encode())
    assert files.mistake() == "station.toml:10: [mqtt] port: 0 is below 1; use 1 to 65535"


def test_version_follows_the_content_alone(files: Files) -> None:
    before = files.load()
    files.write("# a comment\n" + STATION, RECIPE.replace("0.1", "0.10"))
    assert files.load().version == before.version
    files.write(recipe=RECIPE.replace("0.1", "0.2"))
    after = files.load()
    assert after.version != before.version
    assert re.fullmatch(r"[0-9a-f]{64}", after.version)
    assert after.short_version == after.version[:12]
    assert json.loads(after.content)["recipe"]["exits"]["front"]["ok_below"] == 0.2


def test_settings_from_memory_equal_those_from_files(files: Files) -> None:
    made = settings_from(tomllib.loads(STATION), tomllib.loads(RECIPE), recipe_id="plates", folder=files.station.parent)
    assert made.content == files.load().content
    with pytest.raises(InvalidConfigError, match="bundle: is missing"):
        settings_from(tomllib.loads(STATION), {"product": "x"}, recipe_id="x", folder=files.station.parent)


# Secrets


def test_secrets_stay_out_of_content_and_messages(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    (files.station.parent / "mqtt.password").write_text("hunter2\nnot this line\n", "utf-8")
    files.write(
        STATION.replace('kind = "simulated"', 'kind = "camera"\nurl = "rtsp://cam:${SECRET}@10.0.0.7/s"')
        + 'enabled = true\nusername = "s1"\npassword_file = "mqtt.password"\n'
        + '[store]\nurl = "postgresql://inspector:${SECRET}@db/inspector"\n'
    )
    loaded = files.load()
    password = loaded.station.mqtt.password()
    assert password is not None
    assert password.get_secret_value() == "hunter2"
    assert loaded.station.source.kind == "camera"
    assert loaded.station.source.url is not None
    assert loaded.station.source.url.get_secret_value() == "rtsp://cam:hunter2@10.0.0.7/s"
    assert "postgresql://inspector:***@db/inspector" in loaded.content
    monkeypatch.setenv("WHOLE_URL", "postgresql://inspector:hunter2/3@db/inspector?password=hunter2")
    whole = settings_from(
        {**tomllib.loads(STATION), "store": {"url": "${WHOLE_URL}"}},
        tomllib.loads(RECIPE),
        recipe_id="plates",
        folder=files.station.parent,
    )
    assert "postgresql://inspector:***@db/inspector?password=***" in whole.content
    for text in (loaded.content, repr(loaded), str(loaded.station), whole.content, repr(whole)):
        assert "hunter2" not in text
    assert loaded.with_overrides(parts=3).station.source.url == loaded.station.source.url  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "line",
    [
        '[store]\nurl = "postgresql://inspector:hunter2@db/inspector"',
        '[store]\nurl = "postgresql://inspector:x/hunter2@db/inspector"',
        '[store]\nurl = "postgresql://inspector@db/inspector?sslmode=require&password=hunter2"',
        '[store]\nurl = "inspector:hunter2@db"',
        '[store]\nurl = "postgres:/inspector:hunter2@db"',
        '[mqtt.tls]\nca = "x"\npassword = "hunter2"',
        'password = "hunter2"',
        'host2 = "hunter2"',
    ],
)
def test_a_secret_in_plain_text_is_refused_and_not_repeated(files: Files, line: str) -> None:
    files.write(STATION + line + "\n")
    assert "hunter2" not in files.mistake()


def test_a_broker_address_with_a_password_is_not_repeated(files: Files) -> None:
    files.write(STATION.replace('"broker"', '"s1:hunter2@broker"'))
    assert files.mistake() == (
        "station.toml:9: [mqtt] host: the value does not fit; "
        "use a bare host name or address; user, password and port have keys of their own"
    )


def test_a_password_is_asked_for_where_it_should_be(files: Files) -> None:
    files.write(STATION + 'password = "x"\n')
    assert files.mistake() == (
        "station.toml:11: [mqtt] password: secrets do not belong into this file; use password_file or password_env"
    )


def test_absent_secrets_are_told_when_loading(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    station = STATION + 'enabled = true\nusername = "s1"\n'
    files.write(station + 'password_env = "NO_SUCH_SECRET"\n')
    assert files.mistake() == (
        "station.toml:13: [mqtt] password_env: the environment variable NO_SUCH_SECRET is not set; "
        "set it for the station"
    )
    files.write(station + 'password_file = "none"\n')
    assert files.mistake().startswith("station.toml:13: [mqtt] password_file: ")
    assert "No such file" in files.mistake()
    (files.station.parent / "none").write_bytes(b"\n")
    assert files.mistake().endswith("is empty; put the password on its first line")
    files.write((station + 'password_file = "none"\n').replace("enabled = true", "enabled = false"))
    files.load()


def test_redaction_leaves_everything_else() -> None:
    assert redacted("see rtsp://cam:p@10.0.0.7/s, then") == "see rtsp://cam:***@10.0.0.7/s, then"
    assert redacted("http://cam/s?user=a&pwd=b&x=1") == "http://cam/s?user=a&pwd=***&x=1"
    for text in ("use rtsp://user:${NAME}@host/s", "tcp://127.0.0.1:5555", "ipc:///a/b: c", "at 10:15 a@b"):
        assert redacted(text) == text


# What a person is told


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("port = 1883", "port = 70000"), "station.toml:10: [mqtt] port: 70000 is above 65535; use 1 to 65535"),
        (("port = 1883", "prot = 1883"), "station.toml:10: [mqtt] prot: unknown key; did you mean 'port'?"),
        (
            ("port = 1883", 'port = "1883"'),
            "station.toml:10: [mqtt] port: '1883' is text, but a whole number is needed; use 1 to 65535",
        ),
        (
            ("port = 1883", "port = true"),
            "station.toml:10: [mqtt] port: true is true or false, but a whole number is needed; use 1 to 65535",
        ),
        (
            ("port = 1883", "port = 18.83"),
            "station.toml:10: [mqtt] port: 18.83 is a number with a fraction, but a whole number is needed; "
            "use 1 to 65535",
        ),
        (("[mqtt]", "[mqqt]"), "station.toml:8: [mqqt]: unknown table; did you mean 'mqtt'?"),
        (
            ("port = 1883", "picture_hz = 5"),
            "station.toml:10: [mqtt] picture_hz: unknown key; 'picture_hz' belongs into [feed]",
        ),
        (
            ('"simulated"', '"simulatd"'),
            "station.toml:6: [source] kind: 'simulatd' is not known; "
            'use "simulated", "folder", "video" or "camera"; did you mean \'simulated\'?',
        ),
        (
            ('kind = "simulated"', "seed = 1"),
            'station.toml:5: [source] kind: is missing; use "simulated", "folder", "video" or "camera"',
        ),
        (
            ('kind = "simulated"', 'kind = "simulated"\ndefect_rate = 1.5'),
            "station.toml:7: [source] defect_rate: 1.5 is above 1; use 0 to 1 share",
        ),
        (
            ('kind = "simulated"', 'kind = "simulated"\ndefect_rate = nan'),
            "station.toml:7: [source] defect_rate: nan is not finite, but a finite number is needed; use 0 to 1 share",
        ),
        (
            ('kind = "simulated"', 'kind = "simulated"\ndefect_rat = 0.5'),
            "station.toml:7: [source] defect_rat: unknown key; did you mean 'defect_rate'?",
        ),
        (
            ('kind = "simulated"', 'kind = "camera"\ndevice = 0\nurl = "rtsp://x"'),
            "station.toml:5: [source]: needs exactly one of device (USB) and url (network)",
        ),
        (
            ('kind = "simulated"', 'kind = "folder"\npath = "${NO_SUCH_FOLDER}/x"'),
            "station.toml:7: [source] path: the environment variable NO_SUCH_FOLDER is not set; "
            "set it for the station, or write the value out",
        ),
        (
            ('kind = "simulated"', 'kind = "folder"\npath = ""'),
            "station.toml:7: [source] path: is empty; write a path, or remove the key to take the default",
        ),
        (
            ("port = 1883", "protocol = 5"),
            "station.toml:10: [mqtt] protocol: 5 is a whole number, but text is needed; "
            'use "5" or "3.1.1", with the quotes',
        ),
        (
            ('id = "s1"', 'id = "s 1"'),
            "station.toml:2: [station] id: 's 1' does not fit; "
            "use letters, digits, '.', '_' and '-' (at most 64, the first a letter or digit)",
        ),
        (
            ('id = "s1"', ""),
            "station.toml:1: [station] id: is missing; add it: Name of this station, unique in the plant. "
            "It is the last level of its MQTT topics.",
        ),
        (
            ('id = "s1"', 'id = "s1"\npath = []'),
            "station.toml:3: [station] path: has 0 entries; write at least 1",
        ),
        (
            ('id = "s1"', 'id = "s1"\npath = ["a", 2]'),
            'station.toml:3: [station] path, entry 2: 2 is a whole number, but text in quotes ("like this") is needed',
        ),
        (
            ("port = 1883", 'password_env = "A"\npassword_file = "b"'),
            "station.toml:8: [mqtt]: password_env and password_file are both set; keep one of them",
        ),
        (
            ("port = 1883", 'password_env = "A"'),
            "station.toml:8: [mqtt]: a password without a user; add username",
        ),
        (
            ("port = 1883", '[mqtt.tls]\ncert = "c.pem"'),
            "station.toml:10: [mqtt.tls]: cert and key belong together; give both, or neither",
        ),
        (
            ("port = 1883", '[feed]\nendpoint = "tcp://0.0.0.0:5555"'),
            "station.toml:11: [feed] endpoint: would offer pictures and commands to the whole network in plain text; "
            "use ipc:// or tcp://127.0.0.1:PORT, and an SSH tunnel for a panel on another machine",
        ),
        (
            ("port = 1883", '[feed]\nendpoint = "tcp://127.0.0.1:99999"'),
            "station.toml:11: [feed] endpoint: is no endpoint; "
            "use ipc:///path/to/socket or tcp://127.0.0.1:PORT with a port of 1 to 65535",
        ),
        (
            ("port = 1883", '[feed]\nendpoint = "tcp://127.0.0.1:5555"\ncommand_endpoint = "tcp://127.0.0.1:5555"'),
            "station.toml:10: [feed]: endpoint and command_endpoint are the same; give each its own",
        ),
        (
            ("port = 1883", '[store]\nurl = "sqlite:///"'),
            "station.toml:11: [store] url: keeps the verdicts in memory, where a restart loses them; "
            "use sqlite:///path/to/file.db",
        ),
        (
            ("port = 1883", '[store]\nurl = "mysql://db/x"'),
            "station.toml:11: [store] url: is no database URL; "
            "use sqlite:///path/to/file.db or postgresql://user:${NAME}@host/database",
        ),
        (
            ("port = 1883", '[store]\nurl = "sqlite:///a.db?timeout=5"'),
            "station.toml:11: [store] url: has options, which a SQLite file takes none of; remove what begins with '?'",
        ),
        (
            ("port = 1883", '[store]\nurl = "postgresql://inspector:hunter2@db/x"'),
            "station.toml:11: [store] url: holds a password in plain text; "
            "write ${NAME} in its place and set the environment variable NAME",
        ),
        (
            ("port = 1883", "port = 1883\n[log]\nlevel = 'Warning'"),
            'station.toml:12: [log] level: \'Warning\' is not known; use "DEBUG", "INFO", "WARNING" or "ERROR"; '
            "did you mean 'WARNING'?",
        ),
        (
            ("[mqtt]", "mqtt = 5\n[log]"),
            "station.toml:8: [source] mqtt: unknown key; remove it, or use one of parts, kind, seed, parts_per_s, "
            "defect_rate, difficulty, lighting_drift, width, height",
        ),
    ],
)
def test_a_mistake_in_the_stations_file(files: Files, change: tuple[str, str], told: str) -> None:
    assert STATION.count(change[0]) == 1
    files.write(STATION.replace(*change))
    assert told in files.mistakes()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            ("ok_below = 0.1", "ok_below = 0.95"),
            "recipes/plates.toml:4: [exits.front]: ok_below 0.95 is above ng_above 0.9; "
            "make ok_below the smaller one, or both the same to leave no uncertain middle",
        ),
        (
            ("ok_below = 0.1", "ok_below = -0.1"),
            "recipes/plates.toml:5: [exits.front] ok_below: -0.1 is below 0; use 0 to 1 probability",
        ),
        (
            ("[exits.front]", "[exit.front]"),
            "recipes/plates.toml:4: [exit]: unknown table; did you mean 'exits'?",
        ),
        (
            ("[exits.front]", '[stages.front]\nprecision = "int8"\ndevice = "GPU1"\n[exits.front]'),
            "recipes/plates.toml:6: [stages.front] device: 'GPU1' does not fit; "
            "use CPU, GPU, GPU.1, NPU, AUTO or AUTO:GPU,CPU",
        ),
        (
            ("[exits.front]", '[exits."front exit"]'),
            "recipes/plates.toml:4: [exits.front exit]: 'front exit' does not fit; "
            "use letters, digits, '.', '_' and '-' (at most 64, the first a letter or digit)",
        ),
        (
            ("[exits.front]", "exits = 1\n[picture]"),
            "recipes/plates.toml:4: [exits]: 1 is a whole number, but a table is needed",
        ),
    ],
)
def test_a_mistake_in_the_recipe(files: Files, change: tuple[str, str], told: str) -> None:
    assert RECIPE.count(change[0]) == 1
    files.write(recipe=RECIPE.replace(*change))
    assert told in files.mistakes()


def test_all_mistakes_of_both_files_at_once(files: Files) -> None:
    files.write(
        STATION.replace("1883", "70000").replace("host", "hots").replace('"simulated"', '"simulated"\nspeed = 3'),
        RECIPE.replace("0.1", "2").replace("product", "produkt"),
    )
    lines = files.mistakes()
    assert [line.split(": ")[0:2] for line in lines] == [
        ["station.toml:7", "[source] speed"],
        ["station.toml:10", "[mqtt] hots"],
        ["station.toml:11", "[mqtt] port"],
        ["recipes/plates.toml", "product"],
        ["recipes/plates.toml:1", "produkt"],
        ["recipes/plates.toml:5", "[exits.front] ok_below"],
    ]


def test_a_syntax_error_in_one_file_does_not_hide_the_other(files: Files) -> None:
    files.write(STATION, RECIPE.replace('"plates"', "plates"))
    files.station.write_text(STATION.replace("1883", "0"), "utf-8")
    assert files.mistakes() == [
        "station.toml:10: [mqtt] port: 0 is below 1; use 1 to 65535",
        "recipes/plates.toml:2: is not valid TOML: invalid value, column 10; "
        'text needs quotes ("like this"), and true and false are written small',
    ]


def test_a_table_written_twice(files: Files) -> None:
    files.write(STATION + "[mqtt]\n")
    assert files.mistake().startswith("station.toml:11: is not valid TOML: cannot declare ('mqtt',) twice")
    assert "remove one" in files.mistake()


def test_an_unfinished_file(files: Files) -> None:
    files.write(STATION + 'username = """')
    assert files.mistake().startswith("station.toml:11: is not valid TOML: ")


def test_files_that_cannot_be_read(files: Files, tmp_path: Path) -> None:
    files.station.write_bytes(STATION.encode().replace(b"broker", b"br\xfcker"))
    assert files.mistake() == "station.toml:9: is not UTF-8 text; save it as UTF-8"
    files.station.write_bytes(b"#" * 2_000_000)
    assert "is larger than 1000000 bytes" in files.mistake()
    with pytest.raises(ConfigError, match=r"is a folder; give the path of the station\.toml in it"):
        load_settings(tmp_path)
    with pytest.raises(ConfigError, match=r"nowhere\.toml: does not exist; give the path of a station\.toml"):
        load_settings(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(Path("a\0b"))


def test_a_recipe_that_is_not_there(files: Files) -> None:
    files.write(STATION.replace('"plates"', '"plaets"'))
    assert files.mistake() == (
        "station.toml:3: [station] recipe: there is no recipe 'plaets' (recipes/plaets.toml); did you mean 'plates'?"
    )


def test_a_recipe_name_cannot_leave_its_folder(files: Files) -> None:
    files.write(STATION.replace('"plates"', '"../recipes/plates"'))
    assert files.mistake().startswith("station.toml:3: [station] recipe: '../recipes/plates' does not fit; use letters")


def test_a_socket_path_that_linux_does_not_take(files: Files) -> None:
    files.write(STATION + f'[feed]\nendpoint = "ipc:///{"d" * 110}/feed.sock"\n')
    assert "[feed] endpoint: is a socket path of 121 bytes" in files.mistake()


def test_numbers_beyond_everything(files: Files) -> None:
    files.write(STATION.replace("1883", "9" * 400))
    assert files.mistake().startswith("station.toml:10: [mqtt] port: the value is above 65535; use 1 to 65535")
    files.write(STATION.replace("1883", "9" * 5000))
    assert "a value that no setting can take" in files.mistake()
    files.write(STATION + "username = " + "[" * 5000 + "]" * 5000 + "\n")
    assert "a value that no setting can take" in files.mistake()


# Overrides and changes


def test_overrides_take_the_place_of_the_file(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = files.load()
    seeded = loaded.with_overrides(parts=10, seed=3)
    assert isinstance(seeded.station.source, SimulatedSource)
    assert (seeded.station.source.parts, seeded.station.source.seed) == (10, 3)
    assert seeded.version != loaded.version
    folder = loaded.with_overrides(parts=5).with_overrides(Path("pictures")).station.source
    assert isinstance(folder, FolderSource)
    assert (folder.path, folder.parts) == (tmp_path / "pictures", 5)
    video = loaded.with_overrides(Path("a.MP4")).station.source
    assert isinstance(video, VideoSource)
    listed = loaded.with_overrides(Path("list.txt")).station.source
    assert isinstance(listed, FolderSource)
    assert (listed.path, listed.list_file) == (tmp_path, tmp_path / "list.txt")


def test_an_overridden_folder_keeps_its_other_keys(files: Files, tmp_path: Path) -> None:
    files.write(STATION.replace('kind = "simulated"', 'kind = "folder"\npath = "x"\nsplit = "test"\nok_class = "good"'))
    source = files.load().with_overrides(source_path=tmp_path).station.source
    assert isinstance(source, FolderSource)
    assert (source.path, source.split, source.ok_class) == (tmp_path, "test", "good")


def test_wrong_overrides_name_their_option(files: Files, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--parts: -1 is below 0; use 0 to 1000000000 parts$"):
        files.load().with_overrides(parts=-1)
    with pytest.raises(ConfigError, match=r"^--seed: only a simulated source has a seed"):
        files.load().with_overrides(source_path=tmp_path, seed=1)


def test_what_may_change_while_running(files: Files) -> None:
    before = files.load()
    files.write(
        STATION + '[log]\nlevel = "DEBUG"\n',
        "full_model_only = true\n"
        + RECIPE.replace("0.1", "0.2")
        + "[picture]\nblurred_below = 1.0\n[deadline]\nms = 5\n",
    )
    after = files.load()
    assert restart_keys(before, after) == ()
    assert set(changed_keys(before, after)) == {
        "[log] level",
        "recipe: full_model_only",
        "recipe: [exits.front] ok_below",
        "recipe: [picture] blurred_below",
        "recipe: [deadline] ms",
    }


def test_what_waits_for_a_restart(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "one")
    url = '[store]\nurl = "postgresql://inspector:${SECRET}@db/x"\n'
    files.write(STATION + url)
    before = files.load()
    monkeypatch.setenv("SECRET", "two")
    recipe = RECIPE.replace('"plates"', '"other"') + '[stages.full]\ndevice = "GPU"\n'
    files.write(STATION.replace("1883", "1884") + url, recipe)
    after = files.load()
    assert restart_keys(before, after) == (
        "recipe: bundle",
        "recipe: [stages.full] device",
        "[mqtt] port",
        "[store] url",
    )
    assert restart_keys(before, before) == ()


# What is made from the models


@pytest.mark.parametrize("path", sorted(made_files()), ids=str)
def test_made_files_are_current(path: Path) -> None:
    committed = (REPOSITORY / path).read_text("utf-8")
    assert committed == made_files()[path], f"{path} is old: run script/schema"


def _models(model: type[BaseModel]) -> list[type[BaseModel]]:
    found = [model]
    for field in model.model_fields.values():
        kind = bare(field.annotation)
        for member in kind if isinstance(kind, tuple) else getattr(kind, "__args__", (kind,)):
            if is_model(member):
                found += _models(member)
    return found


@pytest.mark.parametrize("model", [*_models(StationSettings), *_models(RecipeSettings)], ids=lambda m: m.__name__)
def test_every_field_describes_itself(model: type[BaseModel]) -> None:
    assert model.model_config.get("extra") == "forbid"
    assert model.model_config.get("strict") is True
    assert model.model_config.get("frozen") is True
    assert model.__doc__
    for name, field in model.model_fields.items():
        assert field.description, name
        if bare(field.annotation) in (int, float):
            low, high = bounds(field)
            assert unit_of(field), name
            if name != "device":
                assert low is not None, name
                assert high is not None, name


# Lines


def test_lines_of_keys_in_every_form_of_toml() -> None:
    text = """
# a = 1
a.b = 1
"q [x]" = '''
[not.a.table]
no = 1
'''
list = [
  1, # ]
  "]", {x = 1},
]
[t . "u.v"]  # comment
c = { d = 1 } # [x]
e = \"\"\"\\\"\"\" [f] \"\"\"
f = 2
[[many]]
g = 1
[[many]]
h = 'C:\\'
i = 1
"""
    lines = key_lines(text)
    assert tomllib.loads(text)
    assert lines == {
        ("a",): 3,
        ("a", "b"): 3,
        ("q [x]",): 4,
        ("list",): 8,
        ("t",): 12,
        ("t", "u.v"): 12,
        ("t", "u.v", "c"): 13,
        ("t", "u.v", "e"): 14,
        ("t", "u.v", "f"): 15,
        ("many",): 16,
        ("many", "g"): 17,
        ("many", "h"): 19,
        ("many", "i"): 20,
    }


# No edit does worse than a ConfigError

_TOML_BITS = ["[", "]", "[[", "]]", "=", '"', "'", '"""', "'''", "{", "}", "\n", "#", ".", ",", "\\", "\0", "${", "}"]
_TOML_BITS += ["é", "true", "1e999", "nan", "-", "0x", "1979-05-27", "[station]", "[source.kind]", "kind", '"camera"']
_TOML_BITS += ["../..", "~nobody/", "${PATH}", "9" * 40, "sqlite:///", "tcp://[::1]:1", "rtsp://a:b@c", "[exits.x]"]


@st.composite
def _edited(draw: st.DrawFn, text: str) -> str:
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.sampled_from([0, 0, 1, 3, 20]))
        text = text[:at] + draw(st.one_of(st.sampled_from(_TOML_BITS), st.text(max_size=4))) + text[at + cut :]
    return text


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("edited")
    (folder / "recipes").mkdir()
    return folder


@hypothesis_settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_edit_does_worse_than_a_config_error(scratch: Path, data: st.DataObject) -> None:
    station = (REPOSITORY / "config" / "station.toml").read_text("utf-8")
    recipe = (REPOSITORY / "config" / "recipes" / "simulated_line.toml").read_text("utf-8")
    uncommented = recipe.replace("# [", "[").replace("# ok", "ok").replace("# ng", "ng").replace("# device", "device")
    edited_station = data.draw(_edited(station))
    edited_recipe = data.draw(_edited(uncommented))
    (scratch / "station.toml").write_text(edited_station, "utf-8", errors="surrogatepass")
    (scratch / "recipes" / "simulated_line.toml").write_text(edited_recipe, "utf-8", errors="surrogatepass")
    try:
        loaded = load_settings(scratch / "station.toml")
    except ConfigError as error:
        assert isinstance(error, InvalidConfigError)
        assert len(str(error).split("\n")) == len(error.problems)
        assert all(problem.text for problem in error.problems)
    else:
        assert json.loads(loaded.content)
        loaded.to_recipe()


@hypothesis_settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_lines_are_found_in_whatever_is_valid(data: st.DataObject) -> None:
    text = data.draw(_edited((REPOSITORY / "config" / "station.toml").read_text("utf-8"))).replace("\r\n", "\n")
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, ValueError):
        return
    lines = key_lines(text)
    for name, table in tables.items():
        assert (name,) in lines
        if isinstance(table, dict) and text.splitlines()[lines[name,] - 1].lstrip().startswith("["):
            for key in table:
                assert (name, key) in lines
