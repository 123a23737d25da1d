"""What `bench` found, for programs (the contract is DESIGN §6) and for people."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from inspector.assurance.binomial import upper_limit
from inspector.domain.disposition import Action
from inspector.domain.inspection import InspectedPart
from inspector.domain.truth import Label
from inspector.workshop.bench import DYNAMIC, FULL_FP32, FULL_INT8, LIMIT, VARIANTS, Measured, Run
from inspector.workshop.provenance import machine

CONFIDENCE = 0.95
WORDS = {
    FULL_FP32: "full model, FP32",
    FULL_INT8: "full model, INT8",
    DYNAMIC: "dynamic",
    LIMIT: "compute limit",
}


def report_of(found: Measured, bundle: Path, dataset: Path) -> dict[str, Any]:
    """Plain JSON values. Rates are parts/s; what the bundle cannot run is None, and `notes` says why."""
    speeds = {name: [run.parts_per_s for run in found.runs.get(name, ())] for name in VARIANTS}
    ratios = {
        "vs_full_fp32": _ratios(speeds[DYNAMIC], speeds[FULL_FP32]),
        "vs_full_int8": _ratios(speeds[DYNAMIC], speeds[FULL_INT8]),
        "limit_fraction": _ratios(speeds[DYNAMIC], speeds[LIMIT]),
    }
    speedup = {name: _median(values) for name, values in ratios.items()}
    limit_fraction = speedup.pop("limit_fraction")
    return {
        "bundle": str(bundle),
        "dataset": str(dataset),
        "parts": found.pictures,
        "left_out": found.left_out,
        "held": dict(Counter(str(part.disposition.hold_reason) for part in found.dynamic if _is_held(part))),
        "policies": {
            "full": _quality(found.full),
            "dynamic": {**_quality(found.dynamic), "exits": _exits(found.info.exits, found.dynamic)},
        },
        "added_escape": _added(found, Label.NG, Action.PASS),
        "added_overkill": _added(found, Label.OK, Action.REJECT),
        "throughput_per_s": {name: _median(values) for name, values in speeds.items()},
        "latency_ms": {name: _latency(found.runs.get(name, ())) for name in VARIANTS if name != LIMIT},
        "speedup": speedup,
        "limit_fraction": limit_fraction,
        "spread": {
            "throughput_per_s": {name: _spread(values) for name, values in speeds.items()},
            "speedup": {name: _spread(ratios[name]) for name in speedup},
            "limit_fraction": _spread(ratios["limit_fraction"]),
        },
        "rounds": len(found.runs[DYNAMIC]),
        "threads": found.threads,
        "workers": found.workers,
        "machine": machine(),
        "disk": found.disk,
        "certificate": found.info.certificate.sentence,
        "notes": list(found.notes),
    }


def print_report(report: Mapping[str, Any]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    speed = Table(title=f"{report['bundle']} on {report['dataset']}: {report['parts']} parts", title_justify="left")
    for name in ("variant", "parts/s", "lowest-highest", "p50 ms", "p99 ms"):
        speed.add_column(name, justify="left" if name == "variant" else "right")
    for name in VARIANTS:
        rate, spread = report["throughput_per_s"][name], report["spread"]["throughput_per_s"][name]
        if rate is None:
            speed.add_row(WORDS[name], "-", "", "", "")
            continue
        latency = report["latency_ms"].get(name)
        tails = (f"{latency['p50']:.2f}", f"{latency['p99']:.2f}") if latency else ("", "")
        speed.add_row(WORDS[name], f"{rate:.1f}", f"{spread['min']:.1f}-{spread['max']:.1f}", *tails)
    console.print(speed)
    for line in sentences(report):
        console.print(line)


def sentences(report: Mapping[str, Any]) -> list[str]:
    """The figures beside the table, one line each."""
    lines = []
    for key, what in (("vs_full_fp32", "the full model in FP32"), ("vs_full_int8", "the full model in INT8")):
        if report["speedup"][key] is not None:
            spread = report["spread"]["speedup"][key]
            lines.append(
                f"Dynamic runs {report['speedup'][key]:.2f} times as fast as {what} "
                f"({spread['min']:.2f}-{spread['max']:.2f} over {report['rounds']} rounds)."
            )
    spread = report["spread"]["limit_fraction"]
    lines.append(
        f"It reaches {report['limit_fraction']:.1%} of the bare inference calls' rate "
        f"({spread['min']:.1%}-{spread['max']:.1%})."
    )
    dynamic = report["policies"]["dynamic"]
    lines.append("Exits: " + ", ".join(f"{e['name']} {e['share']:.1%}" for e in dynamic["exits"]) + ".")
    for name, policy in (("Full model", report["policies"]["full"]), ("Dynamic", dynamic)):
        lines.append(
            f"{name}: {policy['escape']['count']} of {policy['escape']['of']} defective parts escape, "
            f"{policy['overkill']['count']} of {policy['overkill']['of']} good parts are rejected."
        )
    for key, what in (("added_escape", "defective parts escape"), ("added_overkill", "good parts are rejected")):
        added = report[key]
        lines.append(
            f"Added by the early exits: {added['count']} of {added['of']} {what} that the full model judges otherwise; "
            f"at most {added['upper']:.2%} ({added['confidence']:.0%} confidence)."
        )
    if report["held"]:
        lines.append("Held: " + ", ".join(f"{reason} {count}" for reason, count in report["held"].items()) + ".")
    lines.append(
        f"{report['workers']} workers, {report['threads']} inference threads; {report['machine']}; database on "
        f"{report['disk'] or 'a disk of unknown kind'}. Latency is from picture to decision at full load."
    )
    lines.append(f"Certificate: {report['certificate']}.")
    return lines + [f"Note: {note}." for note in report["notes"]]


def _quality(parts: Sequence[InspectedPart]) -> dict[str, Any]:
    known = [part for part in parts if part.truth is not None]
    ng = [part for part in known if part.truth is not None and part.truth.label is Label.NG]
    return {
        "escape": {"count": sum(part.is_escape for part in parts), "of": len(ng)},
        "overkill": {"count": sum(part.is_overkill for part in parts), "of": len(known) - len(ng)},
        "accuracy": _rounded(sum(part.is_correct for part in known) / len(known)) if known else None,
        "auroc": _auroc(known),
    }


def _auroc(parts: Sequence[InspectedPart]) -> float | None:
    """How well the p_defect of the exit that decided ranks NG above OK (Mann-Whitney); None when one side is missing."""
    scores: dict[Label, list[float]] = {Label.OK: [], Label.NG: []}
    for part in parts:
        if part.verdict is not None and part.truth is not None:
            scores[part.truth.label].append(part.verdict.exits[-1].p_defect)
    good, bad = np.sort(scores[Label.OK]), np.asarray(scores[Label.NG])
    if not len(good) or not len(bad):
        return None
    below = (np.searchsorted(good, bad, "left") + np.searchsorted(good, bad, "right")) / 2
    return _rounded(float(below.mean() / len(good)))


def _exits(names: Sequence[str], parts: Sequence[InspectedPart]) -> list[dict[str, Any]]:
    taken = Counter(part.verdict.exit for part in parts if part.verdict is not None)
    total = sum(count for name, count in taken.items() if name is not None)
    return [{"name": name, "share": _rounded(taken[name] / total) if total else 0.0} for name in names]


def _added(found: Measured, label: Label, wrong: Action) -> dict[str, Any]:
    """Of the parts with `label`: on how many the cascade is `wrong` where the full model is not. As a certificate counts."""
    pairs = [
        (full.disposition.action, dynamic.disposition.action)
        for full, dynamic in zip(found.full, found.dynamic, strict=True)
        if dynamic.truth is not None and dynamic.truth.label is label
    ]
    count = sum(full is not wrong and dynamic is wrong for full, dynamic in pairs)
    upper = upper_limit(count, len(pairs), CONFIDENCE)
    return {"count": count, "of": len(pairs), "upper": _rounded(upper), "confidence": CONFIDENCE}


def _latency(runs: Sequence[Run]) -> dict[str, float] | None:
    latencies = [latency for run in runs for latency in run.latencies_ms]
    if not latencies:
        return None
    p50, p99 = np.quantile(latencies, [0.5, 0.99])
    return {"p50": round(float(p50), 3), "p99": round(float(p99), 3)}


def _ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Round by round: both met the same weather."""
    return [a / b for a, b in zip(above, below, strict=True)] if below else []


def _median(values: Sequence[float]) -> float | None:
    return _rounded(float(np.median(values))) if values else None


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    return {"min": _rounded(min(values)), "max": _rounded(max(values))} if values else None


def _rounded(value: float) -> float:
    return round(value, 6) if math.isfinite(value) else value


def _is_held(part: InspectedPart) -> bool:
    return part.disposition.action is Action.HOLD
