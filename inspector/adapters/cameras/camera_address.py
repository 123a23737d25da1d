"""Where a camera is: its number or URL, what of it may be shown, and why nothing comes from there."""

import os
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from inspector.domain.errors import SourceError

_SCHEMES = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
"""What a network camera speaks, and on which port. The decoder would take far more, even files."""

_LOGIN = re.compile(r"(?<=://)\S*@")
"""Up to the last @, wherever it is: a password that was not escaped may hold any other sign."""
_SECRET_OPTION = re.compile(
    r"((?:user(?:name)?|usr|login|pass(?:word|wd)?|pwd|token|auth|secret|key)=)[^&\s/?#]+", re.I
)


def redacted(text: str) -> str:
    """`text` without the user names and passwords of the URLs in it. Rather hides too much than too little."""
    return _SECRET_OPTION.sub(r"\1***", _LOGIN.sub("***@", text))


@dataclass(frozen=True, slots=True)
class CameraAddress:
    """`device` is the number of a USB camera or the URL of a network camera; `str()` is what may be shown of it."""

    device: int | str = field(repr=False)

    @classmethod
    def of(cls, device: int | str) -> "CameraAddress":
        """Takes 0, "0", "/dev/video0" and rtsp, rtsps, http, https URLs. Raises SourceError for anything else."""
        text = str(device).strip()
        number = re.fullmatch(r"(?:/dev/video)?(\d{1,3})", text)
        if number:
            return cls(int(number[1]))
        scheme, mark, rest = text.partition("://")
        # No control character either: the decoder, written in C, would see a shorter URL than we do.
        if scheme.lower() not in _SCHEMES or not mark or not rest or re.search(r"[\s\0-\x1f\x7f]", text):
            # Where this is no URL, nothing tells the password from the rest but the @ behind it.
            shown = "***@" + text.rpartition("@")[2] if "@" in text else text
            raise SourceError(
                f"camera {redacted(shown)!r}: this is neither a number nor a camera's URL; "
                "give 0 for /dev/video0, or a URL such as rtsp://host:554/stream"
            )
        return cls(f"{scheme.lower()}://{rest}")  # the decoder knows no RTSP://

    def __str__(self) -> str:
        return f"/dev/video{self.device}" if isinstance(self.device, int) else redacted(self.device)

    def why_absent(self) -> str:
        """Why it cannot be opened, and what to do: a look at the device or port, no picture. Takes up to 2 s per IP
        address of the host, and as long as the network needs to find these."""
        return _why_no_device(Path(str(self))) if isinstance(self.device, int) else _why_no_stream(self.device)


def _why_no_device(path: Path) -> str:
    if not path.exists():
        there = ", ".join(sorted(str(other) for other in path.parent.glob("video*"))) or "none"
        return f"there is no such device (there are: {there}); plug the camera in, or correct its number"
    if not os.access(path, os.R_OK | os.W_OK):
        return "this user may not use it; add the user to the group video and log in again"
    return "it gives no picture; close other programs that use it, or unplug it and plug it in again"


def _why_no_stream(url: str) -> str:
    malformed = "its URL is malformed; write @, :, / and # in the password as %40, %3A, %2F and %23"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _SCHEMES[parts.scheme]
    except ValueError:
        return malformed
    if not host:
        return malformed
    try:
        socket.create_connection((host, port), timeout=2.0).close()
    except UnicodeError:  # no host can have this name
        return malformed
    except socket.gaierror:
        return "the network does not know this host; correct the name, or give its IP address"
    except ConnectionRefusedError:
        return f"the host is there and nothing answers on port {port}; correct the port, or switch its stream on"
    except OSError as error:
        return f"it cannot be reached ({error.strerror or error}); check power, cable and address"
    return "it answers and gives no picture; check path, user, password, and its limit of viewers"
