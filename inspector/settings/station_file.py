"""`config/station.toml`: one station, where its pictures come from and where its verdicts go."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from inspector.domain.errors import ConfigError
from inspector.settings.fields import (
    STATE_DIR,
    Endpoint,
    EnvName,
    FilePath,
    Host,
    Name,
    Settings,
    StoreUrl,
    Text,
    setting,
)
from inspector.settings.sources import SourceSettings


class StationSection(Settings):
    """[station]: what this station is called and how it shares the machine."""

    id: Name = setting("Name of this station, unique in the plant. It is the last level of its MQTT topics.")
    path: Annotated[tuple[Text, ...], Field(strict=False, min_length=1, max_length=8)] = setting(
        "Place of the station in the unified namespace, enterprise first, cell last. MQTT topics begin with it.",
        ("enterprise", "site", "area", "line", "cell"),
    )
    recipe: Name = setting("Recipe to run: `recipes/<name>.toml` beside this file.")
    state_dir: FilePath = setting(
        "Folder for what the station writes: database, model cache, sockets. `${state_dir}` stands for it elsewhere.",
        Path(STATE_DIR),
    )
    workers: int = setting(
        "Parts judged at the same time. 0 chooses by the machine's cores.", 0, unit="threads", low=0, high=64
    )
    queue_parts: int = setting(
        "Pictures that may wait for a worker. A part from a camera that finds the queue full is held (OVERLOAD); a "
        "folder, a video and the simulated line wait. Each takes its picture's size in memory (0.9 MB at 640x480).",
        32,
        unit="parts",
        low=1,
        high=4096,
    )


class ModelSection(Settings):
    """[model]: how bundles are found and run. Which one is the recipe's choice."""

    bundles: FilePath = setting("Folder that holds the model bundles.", Path("../models"))
    cache_dir: FilePath = setting(
        "Folder for compiled models: the second start is faster. It may be emptied at any time.",
        "${state_dir}/model-cache",
    )
    inference_threads: int = setting(
        "CPU threads for the models. 0 chooses by the machine's cores.", 0, unit="threads", low=0, high=256
    )
    mode: Literal["latency", "throughput"] = setting(
        "latency answers each part soonest; throughput judges most parts a second, each a little later.", "latency"
    )


class StoreSection(Settings):
    """[store]: the database that keeps every verdict, and the messages that the broker has not taken yet."""

    url: StoreUrl = setting(
        "Where it is: `sqlite:///` and a path, or `postgresql://user:${NAME}@host/database` with the password from the "
        "environment.",
        "sqlite:///${state_dir}/inspector.db",
    )
    group_parts: int = setting(
        "Verdicts written in one transaction at most. More cost less CPU a part.", 64, unit="parts", low=1, high=4096
    )
    group_wait_ms: float = setting(
        "How long a verdict waits for others before it is written. A part is released once its verdict is on disk.",
        2.0,
        unit="ms",
        low=0.0,
        high=1000.0,
    )
    min_free_mb: int = setting(
        "Free disk space below which an alarm is raised. With the disk full, parts are held.",
        200,
        unit="MB",
        low=0,
        high=1_000_000,
    )

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database, None for a server."""
        kind, _, path = self.url.get_secret_value().partition(":///")
        return Path(path) if kind == "sqlite" else None


class TlsSettings(Settings):
    """[mqtt.tls]: encrypts the way to the broker and proves who it is."""

    ca: FilePath | None = setting("Certificate authority of the broker (PEM). Without it, those of the system.", None)
    cert: FilePath | None = setting("Certificate of this station (PEM), for brokers that ask for one.", None)
    key: FilePath | None = setting("Private key of `cert` (PEM).", None)

    @model_validator(mode="after")
    def _both_or_none(self) -> "TlsSettings":
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key belong together; give both, or neither")
        return self


class MqttSection(Settings):
    """[mqtt]: sends every verdict and alarm to the MES, at least once, in the order they were made. While the broker is
    away they wait in the database; nothing is lost and the line goes on."""

    enabled: bool = setting("true sends to the broker. With false nothing is sent and nothing piles up.", False)
    host: Host = setting("Broker: host name or address.", "localhost")
    port: int = setting("Port of the broker: usually 1883, with TLS 8883.", 1883, unit="port", low=1, high=65535)
    protocol: Literal["5", "3.1.1"] = setting("Version of MQTT that the broker speaks.", "5")
    client_id: Name | None = setting(
        "Name of the session at the broker, unique there. Without it `inspector-` and the station's id.", None
    )
    username: Text | None = setting("User at the broker.", None)
    password_env: EnvName | None = setting("Environment variable that holds the password.", None)
    password_file: FilePath | None = setting(
        "File whose first line is the password; only the station's user should read it.", None
    )
    tls: TlsSettings | None = setting(
        "Encryption; a table without keys (`[mqtt.tls]`) is enough to switch it on.", None
    )
    keepalive_s: int = setting("A silent connection is tested this often.", 30, unit="s", low=5, high=3600)
    max_in_flight: int = setting(
        "Messages under way at the same time, before the broker has confirmed the first.",
        100,
        unit="messages",
        low=1,
        high=1000,
    )
    session_expiry_s: int = setting(
        "How long the broker keeps the session of an absent station (MQTT 5 only).",
        86_400,
        unit="s",
        low=0,
        high=4_294_967_294,
    )
    drain_s: float = setting(
        "On a stop, how long to go on sending what still waits. The rest is sent after the next start.",
        5.0,
        unit="s",
        low=0.0,
        high=600.0,
    )

    @model_validator(mode="after")
    def _one_password_and_its_user(self) -> "MqttSection":
        if self.password_env is not None and self.password_file is not None:
            raise ValueError("password_env and password_file are both set; keep one of them")
        if self.username is None and (self.password_env is not None or self.password_file is not None):
            raise ValueError("a password without a user; add username")
        return self

    def password(self) -> SecretStr | None:
        """The password as it stands now in the file or environment; None when none is set. Raises ConfigError."""
        if self.password_env is not None:
            found = os.environ.get(self.password_env)
            if not found:
                raise ConfigError(
                    f"[mqtt] password_env: the environment variable {self.password_env} is not set; "
                    "set it for the station"
                )
            return SecretStr(found)
        if self.password_file is not None:
            try:
                first = self.password_file.read_text("utf-8").partition("\n")[0].rstrip("\r")
            except (OSError, ValueError) as error:
                why = getattr(error, "strerror", None) or "it is no UTF-8 text"
                raise ConfigError(
                    f"[mqtt] password_file: {self.password_file} cannot be read ({why}); "
                    "put the password on its first line and let the station's user read it"
                ) from None
            if not first:
                raise ConfigError(
                    f"[mqtt] password_file: {self.password_file} is empty; put the password on its first line"
                )
            return SecretStr(first)
        return None


class FeedSection(Settings):
    """[feed]: the live view that dashboards connect to."""

    endpoint: Endpoint = setting(
        "Where state, verdicts and pictures are published: `ipc://` and a path, or `tcp://127.0.0.1:PORT`.",
        "ipc://${state_dir}/run/feed.sock",
    )
    command_endpoint: Endpoint = setting(
        "Where commands of dashboards are taken, such as the acknowledgement of an alarm. Same forms.",
        "ipc://${state_dir}/run/command.sock",
    )
    picture_hz: float = setting(
        "Pictures sent to dashboards at most; only the newest counts. 0 sends none.",
        10.0,
        unit="1/s",
        low=0.0,
        high=60.0,
    )
    jpeg_quality: int = setting(
        "Quality of those pictures. What is judged is never compressed.", 80, unit="%", low=1, high=100
    )

    @model_validator(mode="after")
    def _two_endpoints(self) -> "FeedSection":
        if self.endpoint == self.command_endpoint:
            raise ValueError("endpoint and command_endpoint are the same; give each its own")
        return self


class LogSection(Settings):
    """[log]: what the station says of itself on standard error."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting(
        "Least severe message that is shown. Taken over while the station runs.", "INFO"
    )


class StationSettings(Settings):
    """One station, where its pictures come from and where its verdicts go. A change takes effect after a restart,
    except for `[log] level`."""

    station: StationSection = setting("What this station is called and how it shares the machine.")
    source: SourceSettings = setting("Where pictures come from; `kind` decides which keys there are.")
    model: ModelSection = setting("How models are found and run.", {})
    store: StoreSection = setting("The database.", {})
    mqtt: MqttSection = setting("The way to the MES.", {})
    feed: FeedSection = setting("The live view for dashboards.", {})
    log: LogSection = setting("The log.", {})

    @property
    def topic_path(self) -> tuple[str, ...]:
        """The unified namespace down to this station, for `domain.events.Topics`."""
        return (*self.station.path, self.station.id)

    @property
    def mqtt_client_id(self) -> str:
        return self.mqtt.client_id or f"inspector-{self.station.id}"
