"""`inspector doctor`: is everything there that a station needs, and if not, what is to be done?

Nothing is changed: no database is made, no message sent, and a running station goes on undisturbed (a camera that it
uses is busy, and said to be).
"""

from functools import partial
from pathlib import Path

from inspector.doctor import machine, peers
from inspector.doctor.finding import Finding, found
from inspector.domain.errors import ConfigError
from inspector.settings import LoadedSettings, load_settings

__all__ = ["Finding", "doctor"]

_MIN_FREE_MB = 200
"""Where no configuration says how much free disk space is wanted."""


def doctor(path: Path | None = None) -> list[Finding]:
    """Look at everything that the station of `path` needs; without a path, at what any station needs.

    Never raises; each finding comes within half a minute at worst, most at once.
    """
    settings: LoadedSettings | None = None
    findings: list[Finding] = []
    if path is not None:
        try:
            settings = load_settings(path)
            findings.append(Finding("configuration", True, f"{path}, version {settings.short_version}"))
        except ConfigError as error:
            fix = f"Correct what is said here, then run: inspector check {path}"
            findings.append(Finding("configuration", False, str(error), fix))
    state_dir = settings.station.station.state_dir if settings else Path.cwd()
    min_free_mb = settings.station.store.min_free_mb if settings else _MIN_FREE_MB

    findings.append(found("source", partial(peers.source, settings) if settings else peers.cameras, limit_s=30))
    device = partial(peers.inference_device, settings, peers.cpu_flags())
    findings.append(found("inference device", device, limit_s=30))
    if settings is not None:
        findings.append(found("model", partial(peers.model, settings), limit_s=30))
        findings.append(found("database", partial(peers.database, settings), limit_s=10))
        findings.append(found("broker", partial(peers.broker, settings), limit_s=10))
    findings.append(found("disk", partial(machine.disk, state_dir, min_free_mb), limit_s=5))
    findings.append(found("clock", machine.clock, limit_s=5))
    findings.append(found("cores", machine.cores, limit_s=5))
    findings.append(found("display", machine.display, limit_s=10))
    return findings
