"""Findings about the machine itself. Only the standard library: these must work where nothing else does."""

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from inspector.doctor.finding import Finding

DISPLAY_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
}
"""What Qt's xcb platform loads, and the Debian package that brings it."""

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
_TIMEX_BYTES = 512
"""More than any platform's struct timex (208 on 64-bit Linux)."""


def disk(folder: Path, min_free_mb: int) -> Finding:
    """Free space where the station writes. `folder` need not exist yet."""
    there = nearest_existing(folder)
    free_mb = shutil.disk_usage(there).free // 1_000_000
    detail = f"{free_mb} MB free for {folder}, {min_free_mb} MB are asked for"
    if free_mb < min_free_mb:
        return Finding("disk", False, detail, f"Free some space on the disk of {there}, or move [station] state_dir.")
    return Finding("disk", True, detail)


def nearest_existing(path: Path) -> Path:
    return next((folder for folder in (path, *path.parents) if folder.exists()), Path("/"))


def cores(load_1min: float | None = None, count: int | None = None) -> Finding:
    """Cores that this process may use, and whether others use them already."""
    count = count or len(os.sched_getaffinity(0))
    load = os.getloadavg()[0] if load_1min is None else load_1min
    detail = f"{count} cores, {load:.1f} of them busy in the last minute"
    if count < 2:
        fix = "Give the station a second core; with one, the camera, the models and the database wait for each other."
        return Finding("cores", False, detail, fix)
    if load > count - 1:
        return Finding(
            "cores", False, detail, "Stop what else runs here (top shows it); the station needs a core of its own."
        )
    return Finding("cores", True, detail)


def clock(now: datetime | None = None, synchronised: bool | None = None) -> Finding:
    """Verdicts carry the wall clock's time, so it must be right. `synchronised` is None where nobody knows."""
    now = now or datetime.now(UTC)
    synchronised = clock_is_synchronised() if synchronised is None else synchronised
    shown = now.strftime("%Y-%m-%d %H:%M:%S UTC")
    if not 2025 <= now.year < 2100:
        return Finding(
            "clock", False, shown, "Set the date (timedatectl set-time); if it is lost again, change the battery."
        )
    if synchronised is False:
        fix = "Switch time synchronisation on: timedatectl set-ntp true, or install chrony."
        return Finding("clock", False, f"{shown}, not synchronised", fix)
    return Finding("clock", True, f"{shown}, {'synchronised' if synchronised else 'synchronisation unknown'}")


def clock_is_synchronised() -> bool | None:
    """What the kernel says, else systemd; None where neither says anything."""
    try:
        timex = ctypes.create_string_buffer(_TIMEX_BYTES)  # zeroed: modes = 0 only reads
        state = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
        if state >= 0:
            # struct timex begins: unsigned modes; long offset, freq, maxerror, esterror; int status
            word = ctypes.sizeof(ctypes.c_long)
            status = int.from_bytes(timex.raw[5 * word : 5 * word + 4], sys.byteorder)
            return state != _TIME_ERROR and not status & _STA_UNSYNC
    except (OSError, AttributeError):
        pass  # no Linux
    try:
        command = ["timedatectl", "show", "--property", "NTPSynchronized", "--value"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=3, check=False).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return {"yes": True, "no": False}.get(answer)


def display(libraries: Iterable[str] = tuple(DISPLAY_LIBRARIES)) -> Finding:
    """Can the dashboard open a window here?"""
    missing = [library for library in libraries if not _loads(library)]
    if missing:
        packages = " ".join(sorted(DISPLAY_LIBRARIES.get(library, library) for library in missing))
        detail = f"Qt misses {', '.join(missing)}"
        return Finding("display", False, detail, f"sudo apt-get install {packages}")
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return Finding(
            "display", True, "no display here; the station needs none, `inspector demo --headless` shows a table"
        )
    return Finding("display", True, "the dashboard can open a window")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
