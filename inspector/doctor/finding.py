"""One thing that `doctor` looked at."""

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`ok` is False for what keeps the station from running well; `fix` is then one sentence on what to do."""

    name: str
    ok: bool
    detail: str
    fix: str = ""

    def __post_init__(self) -> None:
        if not self.ok and not self.fix:
            raise ValueError(f"the finding '{self.name}' needs a fix")


def found(name: str, look: Callable[[], Finding], *, limit_s: float) -> Finding:
    """What `look` finds. One that raises, or hangs for more than `limit_s` as drivers do, is a finding too."""
    answers: list[Finding] = []

    def run() -> None:
        try:
            answers.append(look())
        except Exception as error:
            answers.append(Finding(name, False, str(error) or type(error).__name__, "Put right what is said here."))

    thread = threading.Thread(target=run, name=f"doctor-{name}", daemon=True)
    thread.start()
    thread.join(limit_s)
    if answers:
        return answers[0]
    return Finding(name, False, f"no answer within {limit_s:g} s", "Restart the device or service behind it.")
