"""A small disk of one's own, for tests of a full one.

Mounting needs root. Where it is not allowed (most containers) the tests that need it are skipped by name.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def tmpfs(folder: Path, kilobytes: int) -> Iterator[Path]:
    """`folder` as a disk of `kilobytes`, empty; gone afterwards, with whatever is still open on it."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=755", "inspector-test", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, timeout=20)
        refusal = done.stderr.strip() if done.returncode else ""
    except OSError as error:
        refusal = str(error)
    if refusal:
        pytest.skip(f"a tmpfs cannot be mounted here ({refusal}); run as root with CAP_SYS_ADMIN")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=20)


def remount(folder: Path, option: str) -> None:
    """With another option of mount(8), such as 'ro' or 'size=900k'."""
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True, capture_output=True, timeout=20)


def fill(folder: Path, *, leave_bytes: int = 0) -> Path:
    """A file that takes what is free there but `leave_bytes`; delete it to free the space again."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        room = os.statvfs(folder)
        left = room.f_bavail * room.f_frsize - leave_bytes
        try:
            while left > 0:
                left -= file.write(b"\0" * min(left, 65536))
        except OSError:  # full
            pass
    return ballast
