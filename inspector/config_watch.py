"""Notices a saved configuration file and reads it, while the station runs.

    every second: look ─▶ unchanged ───────────────────────────────────────▶ nothing
                    └──▶ changed, still being written ─▶ look again
                    └──▶ changed and at rest ─▶ read ─▶ good ─▶ on_change(new settings)
                                                   └──▶ bad ──▶ on_error(ConfigError); the last good ones stay

`restart_keys` tells which of the new settings cannot be taken over without a restart.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from inspector.domain.errors import ConfigError
from inspector.settings import InvalidConfigError, LoadedSettings, changed_keys, load_settings, restart_keys

__all__ = ["ConfigWatcher", "changed_keys", "restart_keys"]

log = logging.getLogger(__name__)

_Stamp = tuple[int, int, int] | None
"""Modification time, size and inode of a file; None when it is not there."""


class ConfigWatcher:
    """Looks at the files of `loaded` every `interval_s` in a thread of its own, from `start` to `close`.

    Both callbacks run in that thread and may raise: it is logged and the watch goes on. `on_change` gets settings that
    differ from the last good ones (the command line's overrides on top), or the last good ones once more when a bad
    edit has been undone: the alarm raised for it is then to be cleared. `on_error` gets each new mistake once. A change
    of comments or spaces alone is none. Files that a bad edit names are watched too, so that mending them counts.
    """

    def __init__(
        self,
        loaded: LoadedSettings,
        on_change: Callable[[LoadedSettings], None],
        on_error: Callable[[ConfigError], None],
        *,
        interval_s: float = 1.0,
    ) -> None:
        self._good = loaded
        self._on_change = on_change
        self._on_error = on_error
        self._interval_s = interval_s
        self._mistake: str | None = None
        # Nothing is judged yet: what was saved after `loaded` was read and before the watch began is found as well.
        self._judged: dict[Path, tuple[_Stamp, str | None]] = {}
        self._seen = _stamps(loaded.files)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="config-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop looking and join the thread. Idempotent, callable before `start`; from a callback it does not wait."""
        self._stop.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()

    def look(self) -> None:
        """One look, as the thread takes it every `interval_s`. A change is judged at the second look that finds it."""
        stamps = _stamps(self._seen)
        at_rest = stamps == self._seen  # a half-written file is not judged
        self._seen = stamps
        if not stamps or not at_rest or stamps == {file: stamp for file, (stamp, _) in self._judged.items()}:
            return
        before = {file: content for file, (_, content) in self._judged.items()}
        self._judged = {file: (stamp, _content(file)) for file, stamp in stamps.items()}
        if before != {file: content for file, (_, content) in self._judged.items()}:
            self._judge()

    def _judge(self) -> None:
        files = self._good.files
        try:
            fresh = load_settings(files[0]).with_same_overrides(self._good)
        except ConfigError as error:
            named = error.files if isinstance(error, InvalidConfigError) else ()
            self._seen = _stamps(dict.fromkeys((*files, *named)))
            is_new, self._mistake = str(error) != self._mistake, str(error)
            if is_new:
                self._on_error(error)
            return
        self._seen = _stamps(fresh.files)
        was_bad, self._mistake = self._mistake is not None, None
        if was_bad or changed_keys(self._good, fresh):
            self._good = fresh
            self._on_change(fresh)

    def _watch(self) -> None:
        while not self._stop.wait(self._interval_s):
            try:
                self.look()
            except Exception:
                log.exception("a changed configuration could not be handled; the settings in force stay")


def _stamps(files: Iterable[Path]) -> dict[Path, _Stamp]:
    return {file: _stamp(file) for file in files}


def _stamp(file: Path) -> _Stamp:
    try:
        about = file.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size, about.st_ino


def _content(file: Path) -> str | None:
    """SHA-256 (hex) of `file`, None when it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return None
