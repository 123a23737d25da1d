"""The files of a bundle: read once, within a size, inside the folder, and only if their SHA-256 is the declared one.

OpenVINO does not check what it loads (one flipped bit in a `.bin` turned 0.5/0.5 into 0/1 without a word), so every
byte that reaches it comes out of here: hashed and handed on from the same buffer, never read a second time.
"""

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from inspector.domain.errors import ModelError

MAX_BYTES = {".json": 4 << 20, ".xml": 32 << 20, ".bin": 512 << 20, ".png": 64 << 20}
"""Largest file of each kind, in bytes. EfficientNet-Lite0 in FP32 is 14 MB; this leaves room for much larger ones."""

MAX_OTHER_BYTES = 64 << 20


class BundleFiles:
    """The files of one bundle folder, verified against `hashes` (path in the bundle -> SHA-256, hex)."""

    def __init__(self, folder: Path, hashes: Mapping[str, str]) -> None:
        self._folder = folder
        self._hashes = hashes

    def read(self, name: str) -> bytes:
        """The verified content of `name`. Raises ModelError if it is unlisted, absent, too large or damaged."""
        expected = self._hashes.get(name)
        if expected is None:
            raise ModelError(f"{self._folder / name} has no hash under 'files' in manifest.json; rebuild the bundle")
        data = read_inside(self._folder, name)
        actual = hashlib.sha256(data).hexdigest()
        if actual != expected:
            raise ModelError(
                f"{self._folder / name} is damaged: its SHA-256 is {actual[:12]}…, manifest.json says "
                f"{expected[:12]}…; copy the bundle again"
            )
        return data

    def verify_all(self) -> None:
        """Check every listed file. Raises ModelError as `read` does."""
        for name in self._hashes:
            self.read(name)


def read_inside(folder: Path, name: str) -> bytes:
    """The content of `name` (relative, POSIX) in `folder`; raises ModelError unless it is a regular file inside it."""
    path = folder / PurePosixPath(name)
    try:
        resolved = path.resolve(strict=True)
        if not resolved.is_relative_to(folder.resolve(strict=True)):
            raise ModelError(
                f"{path} leads outside the bundle folder to {resolved}; put the file itself into the bundle"
            )
        # O_NONBLOCK: opening a FIFO must not hang the station. O_BINARY exists on Windows only.
        descriptor = os.open(resolved, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise ModelError(f"{path} is not a regular file; copy the bundle again")
            limit = MAX_BYTES.get(path.suffix.lower(), MAX_OTHER_BYTES)
            if about.st_size > limit:
                raise ModelError(
                    f"{path} has {about.st_size} bytes, more than the {limit} allowed; is it the right file?"
                )
            data = file.read(limit + 1)
    except FileNotFoundError as error:
        raise ModelError(f"{path} is missing; copy the bundle again") from error
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a loop of symbolic links
        raise ModelError(f"{path} cannot be read ({error}); check the file's permissions and the disk") from error
    if len(data) > limit:
        raise ModelError(f"{path} grew while it was read; copy the bundle again")
    return data
