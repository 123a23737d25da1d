"""CARD.md of a bundle: what it is, how it was made, how good it is on pictures it never saw, and where it ends."""

from collections.abc import Sequence
from dataclasses import dataclass

from inspector.workshop.assemble import Figures
from inspector.workshop.quality import Rate


@dataclass(frozen=True, slots=True)
class CardText:
    """The parts of a card that a person writes, in Markdown. `limits` is one entry a limit."""

    title: str
    purpose: str
    data: str
    licence: str
    recipe: str
    bands: str
    limits: Sequence[str]
    machine: str


GENERAL_LIMITS = (
    "The exit bands are **uncertified**: plainly calibrated, with a margin, on a small split. They promise nothing "
    "about new parts; certify them on your own frames before they decide anything that matters.",
    "Not for safety functions, and not for medical use.",
    "A model knows only what it was trained on: other products, lenses, lighting or defects need their own.",
)


def card(text: CardText, figures: Sequence[Figures]) -> str:
    """The card. Intervals are Clopper-Pearson, two-sided, 95 %."""
    parts = [
        f"# {text.title}",
        text.purpose,
        "## Data",
        text.data,
        "## Licence",
        text.licence,
        "## How it was made",
        text.recipe,
        "## Exit bands",
        text.bands,
        _band_table(figures),
        "## Quality on the untouched test split",
        f"{figures[0].parts} parts. In brackets: exact 95 % intervals (Clopper-Pearson). *Added* counts parts on which "
        "the cascade differs from the full model of the same precision.",
        _quality_table(figures),
        "### Per exit",
        _exit_table(figures),
        "## Time",
        f"Median of one call in ms, one thread, f32 arithmetic hint, rounds interleaved; {text.machine}. Read the "
        "ratios: absolute figures are of that machine. *Dynamic* is the mean over the test split.",
        _time_table(figures),
        "## Limits",
        "\n".join(f"- {limit}" for limit in (*text.limits, *GENERAL_LIMITS)),
    ]
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _rate(rate: Rate) -> str:
    low, high = rate.interval()
    return f"{rate.count} of {rate.of} = {100 * rate.value:.2f} % [{100 * low:.2f}, {100 * high:.2f}]"


def _band_table(figures: Sequence[Figures]) -> str:
    rows = [
        [f.precision, name, f"{band.ok_below:.7g}", f"{band.ng_above:.7g}", str(f.calib)]
        for f in figures
        for name, band in f.bands.items()
    ]
    return _table(["precision", "exit", "OK below", "NG above", "calibration pictures"], rows)


def _quality_table(figures: Sequence[Figures]) -> str:
    rows = []
    for f in figures:
        for policy, q in (("full model alone", f.full), ("dynamic", f.dynamic)):
            added = f"{f.added_escapes} / {f.added_overkill}" if policy == "dynamic" else ""
            named = _rate(q.named)
            rows.append(
                [
                    f.precision,
                    policy,
                    _rate(q.right),
                    _rate(q.escape),
                    _rate(q.overkill),
                    str(q.undecided),
                    added,
                    named,
                ]
            )
    head = [
        "precision",
        "policy",
        "right",
        "escapes",
        "overkill",
        "undecided",
        "added escapes / overkill",
        "class right",
    ]
    return _table(head, rows)


def _exit_table(figures: Sequence[Figures]) -> str:
    rows = [
        [f.precision, use.name, _rate(use.share), str(use.escapes), str(use.overkill), f"{f.auroc[use.name]:.4f}"]
        for f in figures
        for use in f.exits
    ]
    return _table(["precision", "exit", "decides", "escapes", "overkill", "AUROC over all parts"], rows)


def _time_table(figures: Sequence[Figures]) -> str:
    names = list(figures[0].stage_ms)
    rows = [[f.precision, *(f"{f.stage_ms[name]:.2f}" for name in names), f"{f.dynamic_ms:.2f}"] for f in figures]
    return _table(["precision", *names, "dynamic"], rows)
