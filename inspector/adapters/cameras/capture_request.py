"""What a capture process is asked for."""

import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """`device` may hold a password, so a request goes over a socket and never stands on a command line.

    `width`, `height` (px) and `fps` are asked of a USB camera, 0 leaves them. `timeout_s` limits opening and each read.
    """

    device: int | str = field(repr=False)
    width: int = 0
    height: int = 0
    fps: float = 0.0
    timeout_s: float = 5.0

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "CaptureRequest":
        return cls(**json.loads(text))
