"""Compiled models kept on disk, so that a restart does not compile again.

OpenVINO's own CACHE_DIR loads a damaged blob without a word (tried: of 36 damaged blobs 23 were loaded, three of them
answered wrongly). Here each file starts with the SHA-256 over its key and content, it is read once, and only matching
bytes are handed to OpenVINO. The key covers the verified files of the stage, so a blob never stands in for files that
failed their check. The hash is no secret: who may write into the folder may replace a blob, therefore a folder that
others can write to is not used.
"""

import contextlib
import hashlib
import os
import stat
from pathlib import Path

MAX_BLOBS = 32
"""Oldest blobs beyond this many are removed: a few versions of a few bundles."""

_SUFFIX = ".ovblob"
_DIGEST_BYTES = 32


class BlobCache:
    """Blobs by key (hex) in `folder`; None keeps nothing. Never raises: what goes wrong is told in `warnings`."""

    def __init__(self, folder: Path | None) -> None:
        self.warnings: list[str] = []
        self.delivered: list[str] = []
        """Keys of the blobs that `get` gave out."""
        self._folder = self._usable(folder)

    def get(self, key: str) -> bytes | None:
        if self._folder is None:
            return None
        path = self._path(self._folder, key)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self.warn(f"the compiled model {path} cannot be read ({error}) and was compiled anew")
            return None
        digest, blob = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        if digest != _digest(key, blob):
            self.warn(f"the compiled model {path} was damaged and was compiled anew; check the disk if this repeats")
            self._discard(key)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # used now: pruned last
        self.delivered.append(key)
        return blob

    def put(self, key: str, blob: bytes) -> None:
        if self._folder is None:
            return
        path = self._path(self._folder, key)
        part = path.with_name(f"{key}.{os.getpid()}.part{_SUFFIX}")
        try:
            part.write_bytes(_digest(key, blob) + blob)
            part.replace(path)
            self._prune(self._folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            self.warn(f"the compiled model cannot be kept in {self._folder} ({error}); every start compiles anew")

    def discard_delivered(self) -> None:
        """Remove every blob that `get` gave out."""
        for key in self.delivered:
            self._discard(key)

    def _discard(self, key: str) -> None:
        if self._folder is not None:
            with contextlib.suppress(OSError):
                self._path(self._folder, key).unlink()

    def _usable(self, folder: Path | None) -> Path | None:
        if folder is None:
            return None
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            about = folder.stat()
        except OSError as error:
            self.warn(f"the model cache {folder} cannot be used ({error}); every start compiles anew")
            return None
        if os.name == "posix" and (about.st_mode & stat.S_IWOTH or about.st_uid not in (0, os.geteuid())):
            self.warn(
                f"the model cache {folder} can be written by other users and is not used; "
                f"make it the station's own (chown, chmod 700) or every start compiles anew"
            )
            return None
        return folder

    def _prune(self, folder: Path) -> None:
        blobs = sorted(folder.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in blobs[MAX_BLOBS:]:
            path.unlink(missing_ok=True)

    def warn(self, text: str) -> None:
        """Note `text`, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    @staticmethod
    def _path(folder: Path, key: str) -> Path:
        return folder / f"{key}{_SUFFIX}"


def _digest(key: str, blob: bytes) -> bytes:
    hasher = hashlib.sha256(key.encode())
    hasher.update(blob)
    return hasher.digest()
