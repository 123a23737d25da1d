"""Settings: TOML in, typed and checked values out. Every problem is reported at once, with file, line, key and remedy.

    load_settings(config/station.toml) ─▶ LoadedSettings | ConfigError

Read `station_file` and `recipe_file` for what can be set; `docs/configuration.md` and `config/schema/*.json` are made
from them by `python -m inspector.settings`.
"""

from inspector.settings.changes import changed_keys, restart_keys
from inspector.settings.fields import redacted
from inspector.settings.loaded import LoadedSettings, Overrides
from inspector.settings.loading import line_in, load_settings, settings_from
from inspector.settings.problems import InvalidConfigError, Problem, did_you_mean
from inspector.settings.recipe_file import RecipeSettings
from inspector.settings.sources import CameraSource, FolderSource, SimulatedSource, SourceSettings, VideoSource
from inspector.settings.station_file import MqttSection, StationSettings, TlsSettings

__all__ = [
    "CameraSource",
    "FolderSource",
    "InvalidConfigError",
    "LoadedSettings",
    "MqttSection",
    "Overrides",
    "Problem",
    "RecipeSettings",
    "SimulatedSource",
    "SourceSettings",
    "StationSettings",
    "TlsSettings",
    "VideoSource",
    "changed_keys",
    "did_you_mean",
    "line_in",
    "load_settings",
    "redacted",
    "restart_keys",
    "settings_from",
]
