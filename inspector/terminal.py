"""A run in a terminal: a live table while it goes on, the closing summary when it ends.

Where output is no terminal (a log, a pipe) there is one line every few seconds instead of a table.
"""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from inspector.domain.state import StationState

_LINE_EVERY_S = 5.0


class RunView:
    """Shows states on standard error, so that standard output stays free for the summary. A context manager.

    `total` is how many parts the run takes, 0 when nobody knows.
    """

    def __init__(self, total: int = 0) -> None:
        self._total = total
        self._console = Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._line_at = float("-inf")

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def show(self, state: StationState) -> None:
        if self._console.is_terminal:
            self._live.update(_screen(state, self._total), refresh=True)
        elif time.monotonic() - self._line_at >= _LINE_EVERY_S:
            self._line_at = time.monotonic()
            self._console.print(_line(state), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def progress_bar() -> Iterator[Callable[[float, str], None]]:
    """A bar on standard error for long work. Tell it how much is done, 0 to 1, and what is being done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=2) as progress:
        task = progress.add_task("", total=1.0)
        yield lambda done, doing: progress.update(task, completed=done, description=doing)


def print_summary(summary: Mapping[str, Any]) -> None:
    """The closing summary for people; `--json` writes the same for programs."""
    # A log or a pipe has no width: nothing is folded there.
    console = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=400)
    hold = summary["hold"]
    held = sum(hold.values())
    reasons = f" ({', '.join(f'{reason} {count}' for reason, count in sorted(hold.items()))})" if hold else ""
    mqtt = summary["mqtt"]
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column()
    table.add_row("run", f"{summary['run_id']} · {summary['recipe']} · {summary['model']} ({summary['certificate']})")
    balance = "=" if summary["conserved"] else "≠"
    table.add_row(
        "triggers",
        f"{summary['triggers']} {balance} PASS {summary['pass']} + REJECT {summary['reject']} + HOLD {held}{reasons}",
    )
    exits = ", ".join(f"{e['name']} {e['share']:.1%} ({e['count']})" for e in summary["exits"])
    table.add_row("exits", exits or "none")
    for name in ("escape", "overkill"):
        found = summary[name]
        if found["of"]:
            table.add_row(name, f"{found['count']} of {found['of']} ({found['count'] / found['of']:.2%})")
    if summary["accuracy"] is not None:
        table.add_row("accuracy", f"{summary['accuracy']:.2%}")
    latency = summary["latency_ms"]
    table.add_row("latency", f"p50 {latency['p50']:.2f} ms, p99 {latency['p99']:.2f} ms (picture to decision)")
    received = mqtt["received_by_mes"]
    heard = f", {received} verdicts received by the MES" if received is not None else ""
    table.add_row("MQTT", f"{mqtt['queued']} queued, {mqtt['acknowledged']} acknowledged by the broker{heard}")
    console.print(table)


def _line(state: StationState) -> str:
    counts = state.counts
    exits = " ".join(f"{e.name} {e.share:.0%}" for e in state.exits)
    alarms = "".join(f" · ALARM {alarm.code.value}" for alarm in state.alarms if alarm.is_active)
    return (
        f"{counts.triggers} parts: PASS {counts.passed} REJECT {counts.rejected} HOLD {counts.held} · {exits} · "
        f"p50 {state.latency_p50_ms:.1f} ms p99 {state.latency_p99_ms:.1f} ms · {state.parts_per_s:.0f}/s{alarms}"
    )


def _screen(state: StationState, total: int) -> Group:
    counts = state.counts
    title = Text.assemble(
        (f"{state.product}", "bold"), f"  ·  {state.model} ({state.certificate})  ·  {state.phase.value}"
    )
    numbers = Table(title_justify="left", expand=False)
    for name in ("Parts", "PASS", "REJECT", "HOLD", "in flight", "parts/s", "p50", "p99", "MQTT waiting"):
        numbers.add_column(name, justify="right")
    numbers.add_row(
        f"{counts.triggers}",
        f"{counts.passed}",
        f"{counts.rejected}",
        f"{counts.held}",
        f"{counts.in_flight}",
        f"{state.parts_per_s:.1f}",
        f"{state.latency_p50_ms:.1f} ms",
        f"{state.latency_p99_ms:.1f} ms",
        f"{state.mqtt_queued}",
    )
    exits = Table(box=None, show_header=False)
    for exit_ in state.exits:
        bar = ProgressBar(total=1.0, completed=exit_.share, width=40)
        exits.add_row(f"decided by {exit_.name}", bar, f"{exit_.share:.1%}")
    rows: list[Any] = [title, numbers, exits]
    if state.escape.of or state.overkill.of:
        rows.append(
            Text(
                f"against the truth: escapes {state.escape.count} of {state.escape.of}, "
                f"overkill {state.overkill.count} of {state.overkill.of}"
            )
        )
    if counts.hold:
        rows.append(Text("held: " + ", ".join(f"{reason} {n}" for reason, n in sorted(counts.hold.items()))))
    if total:
        rows.append(ProgressBar(total=total, completed=counts.triggers, width=60))
    rows += [Text(f"✔ {h.name}: {h.detail}", style="dim") for h in state.health if h.ok]
    rows += [Text(f"✘ {h.name}: {h.detail}", style="bold red") for h in state.health if not h.ok]
    rows += [Text(f"▲ {alarm.message}", style="bold yellow") for alarm in state.alarms if alarm.is_active]
    return Group(*rows)
