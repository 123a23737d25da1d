"""The watch on the configuration files: saved edits are taken, bad ones are told and change nothing."""

import os
import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector.config_watch import ConfigWatcher, restart_keys
from inspector.domain.errors import ConfigError
from inspector.settings import LoadedSettings, load_settings

STATION = '[station]\nid = "s1"\nrecipe = "a"\n[source]\nkind = "simulated"\n'
RECIPE = 'product = "Plate"\nbundle = "plates"\n[exits.front]\nok_below = 0.1\nng_above = 0.9\n'

Told = LoadedSettings | ConfigError


class Watched:
    """A configuration folder, a watch on it that is not started, and what it has told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "recipes").mkdir()
        self.save("station.toml", STATION)
        self.save("recipes/a.toml", RECIPE)
        self.told: list[Told] = []
        self.loaded = load_settings(folder / "station.toml")
        self.watcher = ConfigWatcher(self.loaded, self.told.append, self.told.append)

    def save(self, name: str, text: str) -> None:
        """As editors do: a new file in place of the old one."""
        draft = self.folder / f"{name}.new"
        draft.write_text(text, "utf-8")
        draft.replace(self.folder / name)

    def looks(self, count: int = 4) -> list[Told]:
        """What `count` looks tell; two notice a change, two more show that it is told once."""
        self.told.clear()
        for _ in range(count):
            self.watcher.look()
        return list(self.told)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_unchanged_files_tell_nothing(watched: Watched) -> None:
    assert watched.looks() == []


def test_a_saved_band_is_told_once(watched: Watched) -> None:
    watched.looks()
    watched.save("recipes/a.toml", RECIPE.replace("0.1", "0.2"))
    (fresh,) = watched.looks()
    assert isinstance(fresh, LoadedSettings)
    assert fresh.to_recipe().bands["front"].ok_below == 0.2
    assert restart_keys(watched.loaded, fresh) == ()


def test_an_edit_between_reading_and_watching_is_found(watched: Watched) -> None:
    watched.save("recipes/a.toml", RECIPE.replace("0.1", "0.2"))
    (fresh,) = ConfigWatchOf(watched).looks()
    assert isinstance(fresh, LoadedSettings)
    assert fresh.to_recipe().bands["front"].ok_below == 0.2


class ConfigWatchOf:
    """A second watch, begun after the files were changed, on settings that were read before."""

    def __init__(self, watched: Watched) -> None:
        self.told: list[Told] = []
        self.watcher = ConfigWatcher(watched.loaded, self.told.append, self.told.append)

    def looks(self) -> list[Told]:
        for _ in range(4):
            self.watcher.look()
        return self.told


def test_comments_and_a_new_time_tell_nothing(watched: Watched) -> None:
    watched.looks()
    watched.save("station.toml", f"# a comment\n{STATION}")
    os.utime(watched.folder / "recipes" / "a.toml", ns=(1, 1))
    assert watched.looks() == []


def test_a_file_being_written_is_not_judged(watched: Watched) -> None:
    watched.looks()
    for half in (1, 5, 20):
        watched.save("recipes/a.toml", RECIPE[:half])
        assert watched.looks(1) == []
    watched.save("recipes/a.toml", RECIPE.replace("0.1", "0.3"))
    (fresh,) = watched.looks()
    assert isinstance(fresh, LoadedSettings)


def test_a_bad_edit_is_told_once_and_undoing_it_too(watched: Watched) -> None:
    watched.looks()
    watched.save("recipes/a.toml", RECIPE.replace("0.1", "1.1"))
    (error,) = watched.looks()
    assert isinstance(error, ConfigError)
    assert "recipes/a.toml:4: [exits.front] ok_below: 1.1 is above 1" in str(error)
    watched.save("recipes/a.toml", f"\n{RECIPE.replace('0.1', '1.1')}")
    (moved,) = watched.looks()
    assert "recipes/a.toml:5" in str(moved)
    watched.save("recipes/a.toml", RECIPE)
    (again,) = watched.looks()
    assert isinstance(again, LoadedSettings)
    assert again == watched.loaded


def test_a_good_edit_after_a_bad_one_is_compared_with_the_last_good(watched: Watched) -> None:
    watched.looks()
    watched.save("station.toml", "[station")
    assert len(watched.looks()) == 1
    watched.save("station.toml", STATION.replace('"s1"', '"s2"'))
    (fresh,) = watched.looks()
    assert isinstance(fresh, LoadedSettings)
    assert restart_keys(watched.loaded, fresh) == ("[station] id",)


def test_a_removed_file_is_a_bad_edit(watched: Watched) -> None:
    watched.looks()
    (watched.folder / "station.toml").unlink()
    (error,) = watched.looks()
    assert isinstance(error, ConfigError)
    assert "does not exist" in str(error)
    watched.save("station.toml", STATION)
    assert len(watched.looks()) == 1


def test_mending_a_recipe_that_a_bad_edit_names_counts(watched: Watched) -> None:
    watched.looks()
    watched.save("recipes/b.toml", "product = 1")
    watched.save("station.toml", STATION.replace('"a"', '"b"'))
    (error,) = watched.looks(6)
    assert "recipes/b.toml:1: product: 1 is a whole number" in str(error)
    watched.save("recipes/b.toml", RECIPE)
    (fresh,) = watched.looks(6)
    assert isinstance(fresh, LoadedSettings)
    assert fresh.recipe_id == "b"
    watched.save("recipes/a.toml", "nobody reads this now")
    assert watched.looks() == []


def test_the_command_line_stays_on_top(watched: Watched) -> None:
    begun = watched.loaded.with_overrides(source_path=watched.folder, parts=7)
    told: list[Told] = []
    watcher = ConfigWatcher(begun, told.append, told.append)
    watched.save("station.toml", STATION + "[log]\nlevel = 'DEBUG'\n")
    for _ in range(4):
        watcher.look()
    (fresh,) = told
    assert isinstance(fresh, LoadedSettings)
    assert fresh.station.source == begun.station.source
    assert restart_keys(begun, fresh) == ()
    watched.save("station.toml", STATION)


@pytest.fixture
def answers() -> Iterator["queue.Queue[Told]"]:
    before = threading.active_count()
    yield queue.Queue()
    assert threading.active_count() == before


def test_the_thread_survives_a_callback_that_raises(
    watched: Watched, answers: "queue.Queue[Told]", caplog: pytest.LogCaptureFixture
) -> None:
    def fail_then_answer(fresh: LoadedSettings) -> None:
        answers.put(fresh)
        if fresh.to_recipe().full_model_only:
            raise RuntimeError("not today")

    watcher = ConfigWatcher(watched.loaded, fail_then_answer, answers.put, interval_s=0.01)
    watcher.start()
    try:
        watched.save("recipes/a.toml", f"full_model_only = true\n{RECIPE}")
        assert isinstance(answers.get(timeout=20), LoadedSettings)
        watched.save("recipes/a.toml", "oops")
        assert isinstance(answers.get(timeout=20), ConfigError)
        watched.save("recipes/a.toml", RECIPE.replace("0.1", "0.2"))
        assert isinstance(answers.get(timeout=20), LoadedSettings)
    finally:
        watcher.close()
        watcher.close()
    assert "not today" in caplog.text


def test_close_before_start_and_from_a_callback(watched: Watched, answers: "queue.Queue[Told]") -> None:
    ConfigWatcher(watched.loaded, answers.put, answers.put).close()

    def close_and_answer(fresh: LoadedSettings) -> None:
        watcher.close()
        answers.put(fresh)

    watcher = ConfigWatcher(watched.loaded, close_and_answer, answers.put, interval_s=0.01)
    watcher.start()
    watched.save("recipes/a.toml", RECIPE.replace("0.1", "0.2"))
    answers.get(timeout=20)
    watcher.close()
