"""`python -m inspector.workshop.bench_page PAGE JSON…`: writes what `bench --json` found into a page, between markers."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inspector.workshop.bench import VARIANTS
from inspector.workshop.bench_report import WORDS, sentences

BEGIN = "<!-- bench: begin, written by script/bench -->"
END = "<!-- bench: end -->"


def page_with(page: str, reports: Sequence[Mapping[str, Any]]) -> str:
    """`page` with `reports` in place of what stood between the markers. Raises ValueError where they are missing."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no markers; add the lines {BEGIN} and {END}")
    return "\n\n".join([before + BEGIN, *map(_section, reports), END + after])


def _section(report: Mapping[str, Any]) -> str:
    lines = [
        f"## `{Path(report['bundle']).name}`, {report['parts']} parts",
        "",
        "| variant | parts/s | lowest–highest | p50 ms | p99 ms |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name in VARIANTS:
        rate, spread = report["throughput_per_s"][name], report["spread"]["throughput_per_s"][name]
        latency = report["latency_ms"].get(name)
        if rate is not None:
            tails = f"{latency['p50']:.2f} | {latency['p99']:.2f}" if latency else " | "
            lines.append(f"| {WORDS[name]} | {rate:.1f} | {spread['min']:.1f}–{spread['max']:.1f} | {tails} |")
    return "\n".join([*lines, "", *(f"- {sentence}" for sentence in sentences(report))])


def main(page: Path, files: Sequence[Path]) -> None:
    reports = [json.loads(file.read_text("utf-8")) for file in files]
    page.write_text(page_with(page.read_text("utf-8"), reports), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
