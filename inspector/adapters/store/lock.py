"""One station a database file: a lock file beside it that the kernel frees when the process ends, however it ends."""

import fcntl
import os
import threading
from pathlib import Path

from inspector.domain.errors import StoreError

# A POSIX lock is the process's own: a second one in the same process would be granted. So the paths are kept here, too.
# (flock() would tell them apart, but a forked child would keep it alive after its station was killed.)
_held: set[Path] = set()
_held_lock = threading.Lock()


class StationLock:
    """Held from `acquire` to `release`. The file stays behind: deleting it would let two stations lock two files."""

    def __init__(self, database: Path, station_id: str) -> None:
        self._database = database
        self._path = database.with_name(database.name + ".lock")
        self._station_id = station_id
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Idempotent: once held, it only makes sure that the file was not deleted, which would let a second one in.

        Raises StoreError when another station, or another store of this process, uses the database."""
        with _held_lock:
            if self._descriptor is not None:
                if self._is_in_place(self._descriptor):
                    return
                self._let_go()
            if self._path in _held:
                raise self._refusal("this process")
            try:
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as error:
                raise StoreError(
                    f"cannot write beside the database {self._database}: {error.strerror} ({self._path.name}); "
                    "make its folder writable for this user, or name another one"
                ) from error
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
                os.close(descriptor)
                raise self._refusal(holder or "another process") from error
            self._descriptor = descriptor
            _held.add(self._path)
        self._sign(descriptor)

    def _is_in_place(self, descriptor: int) -> bool:
        mine = os.fstat(descriptor)
        try:
            there = os.stat(self._path)  # noqa: PTH116  (a third of the time of Path.stat, once a commit)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)

    def _let_go(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            _held.discard(self._path)

    def _sign(self, descriptor: int) -> None:
        """Leave a name for the message that a second station gets. On a full disk the lock holds all the same."""
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"station {self._station_id} (process {os.getpid()})\n".encode(), 0)
        except OSError:
            pass

    def _refusal(self, holder: str) -> StoreError:
        return StoreError(
            f"database {self._database} is in use by {holder}; stop that station, or give this one its own database"
        )

    def release(self) -> None:
        """Idempotent."""
        with _held_lock:
            self._let_go()
