"""The command line: parses, calls, prints. Exit code 0 on success, 2 on bad usage or config, 1 on failure."""

import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from inspector import __version__
from inspector.domain.errors import InspectorError
from inspector.pipeline.summary import summary_of

_CONFIG = click.Path(path_type=Path)
_JSON = click.option("--json", "json_file", type=_CONFIG, help="Also write the closing summary to this file.")
_SHARE = click.FloatRange(0, 1, min_open=True, max_open=True)
_WORKSHOP_TOOLS = frozenset({"scipy", "nncf"})
"""Of the extra `workshop`: a station runs without them."""
_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@click.group()
@click.version_option(__version__)
def commands() -> None:
    """Edge inspection that runs your classifier many times faster."""


@commands.command("run")
@click.argument("config", type=_CONFIG)
@click.option("--parts", type=click.IntRange(min=1), help="Stop after so many parts.")
@click.option("--source", type=_CONFIG, help="Inspect this folder, video or .txt list of pictures instead.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed of the simulated line.")
@_JSON
def run_command(config: Path, parts: int | None, source: Path | None, seed: int | None, json_file: Path | None) -> None:
    """Run the station that CONFIG (station.toml) describes, until its source ends or Ctrl-C."""
    _check(config, source)
    from inspector.settings import load_settings
    from inspector.station import Station, stops_on_signals
    from inspector.terminal import RunView

    settings = load_settings(config).with_overrides(source_path=source, parts=parts, seed=seed)
    _log_to_stderr(settings.station.log.level)
    with RunView(settings.station.source.parts) as view:
        station = Station(settings, on_state=view.show)
        with stops_on_signals(station):
            last = station.run()
    _close(summary_of(last), json_file)


@commands.command("demo")
@click.option("--headless", is_flag=True, help="A table in the terminal instead of the dashboard.")
@click.option("--parts", type=click.IntRange(min=1), help="Stop after so many parts.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=7, show_default=True, help="Names the line.")
@click.option("--rate", type=click.FloatRange(min=0, max=1000), help="Parts a second; 0 is as fast as they are judged.")
@click.option("--dir", "folder", type=_CONFIG, help="Keep settings and database in this folder.")
@_JSON
def demo_command(
    headless: bool, parts: int | None, seed: int, rate: float | None, folder: Path | None, json_file: Path | None
) -> None:
    """Watch a simulated line being inspected: station, broker, MES and dashboard, with nothing else installed."""
    from inspector.demo import run_demo
    from ui.app import has_display

    if not headless and not has_display():
        click.echo("inspector: there is no display here, so this runs as with --headless", err=True)
        headless = True
    _log_to_stderr("WARNING")
    last = run_demo(headless=headless, parts=parts, seed=seed, rate=rate, folder=folder)
    _close(summary_of(last), json_file)


@commands.command("check")
@click.argument("config", type=_CONFIG)
def check_command(config: Path) -> None:
    """Validate CONFIG (station.toml), its recipe and its model bundle."""
    _check(config, None)
    click.echo(f"{config} is valid")


@commands.command("doctor")
@click.argument("config", type=_CONFIG, required=False)
def doctor_command(config: Path | None) -> None:
    """Look at camera, device, database, broker, disk and clock; say how to mend what is wrong."""
    from inspector.doctor import doctor

    findings = doctor(config)
    for finding in findings:
        click.echo(f"{'ok ' if finding.ok else 'BAD'} {finding.name}: {finding.detail}")
        if finding.fix:
            click.echo(f"    {finding.fix}")
    if not all(finding.ok for finding in findings):
        sys.exit(1)


@commands.command("dashboard")
@click.argument("config", type=_CONFIG, default=Path("config/station.toml"), required=False)
@click.option("--language", type=click.Choice(["en", "ja"]), default="en", show_default=True)
@click.option("--theme", default="light", show_default=True)
def dashboard_command(config: Path, language: str, theme: str) -> None:
    """The operators' dashboard of the station that runs with CONFIG (default: config/station.toml)."""
    from inspector.settings import load_settings
    from ui.app import run_dashboard

    feed = load_settings(config).station.feed
    sys.exit(run_dashboard(feed.endpoint, feed.command_endpoint, language=language, theme=theme))


@commands.command("bench")
@click.argument("bundle", type=_CONFIG)
@click.argument("dataset", type=_CONFIG)
@click.option("--split", type=click.Choice(["train", "calib", "test"]), default="test", show_default=True)
@click.option("--rounds", type=click.IntRange(1, 1000), default=7, show_default=True, help="Each runs every variant.")
@click.option("--threads", type=click.IntRange(1, 256), help="CPU threads of the models; by default as a station's.")
@click.option("--workers", type=click.IntRange(1, 64), help="Parts judged at the same time; by default as a station's.")
@_JSON
def bench_command(
    bundle: Path,
    dataset: Path,
    split: str,
    rounds: int,
    threads: int | None,
    workers: int | None,
    json_file: Path | None,
) -> None:
    """Measure how fast a station is with BUNDLE on DATASET: full FP32, full INT8, dynamic and the compute limit."""
    from inspector.terminal import progress_bar
    from inspector.workshop.bench import measure
    from inspector.workshop.bench_report import print_report, report_of
    from inspector.workshop.dataset import Split

    _log_to_stderr("WARNING")
    with progress_bar() as progress:
        found = measure(
            bundle, dataset, split=Split(split), rounds=rounds, threads=threads, parallel=workers, progress=progress
        )
    report = report_of(found, bundle, dataset)
    print_report(report)
    _write_json(report, json_file)


@commands.command("accelerate")
@click.argument("model", type=_CONFIG)
@click.argument("dataset", type=_CONFIG)
@click.option("--out", type=_CONFIG, required=True, help="Folder of the bundle; an older bundle there is replaced.")
@click.option("--classes", help="The model's outputs in their order, such as defect,ok, if it does not name them.")
@click.option("--ok-class", help="The class of good parts, if it is not called ok.")
@click.option("--mean", help="Subtracted from grey levels: one number, or three by channel, such as 123.7,116.3,103.5.")
@click.option("--scale", help="Divides after that: one number, or three.")
@click.option("--channels", type=click.Choice(["rgb", "bgr"]), help="What the model was trained on.")
@click.option("--size", help="Height and width of the model's input, such as 224x224, if it leaves them free.")
@click.option("--unlabelled", is_flag=True, help="The truth is the full model's own answer.")
@click.option("--max-added-escape", type=_SHARE, default=0.001, show_default=True, help="Defective parts passed more.")
@click.option("--max-added-overkill", type=_SHARE, default=0.005, show_default=True, help="Good parts rejected more.")
@click.option("--confidence", type=_SHARE, default=0.95, show_default=True)
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True, help="Times are measured with.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=7, show_default=True)
@_JSON
def accelerate_command(
    model: Path,
    dataset: Path,
    out: Path,
    classes: str | None,
    ok_class: str | None,
    mean: str | None,
    scale: str | None,
    channels: str | None,
    size: str | None,
    unlabelled: bool,
    max_added_escape: float,
    max_added_overkill: float,
    confidence: float,
    threads: int,
    seed: int,
    json_file: Path | None,
) -> None:
    """Make a faster bundle of the classifier MODEL (OpenVINO IR or ONNX) for the frames of DATASET, and certify it."""
    from inspector.terminal import progress_bar
    from inspector.workshop.accelerate import accelerate, options_from, print_accelerated, report_of
    from inspector.workshop.certify import Wanted

    _log_to_stderr("WARNING")
    options = options_from(mean=mean, scale=scale, channels=channels, size=size, ok_class=ok_class)
    with progress_bar() as progress:
        made = accelerate(
            model,
            dataset,
            out,
            Wanted(max_added_escape, max_added_overkill, confidence),
            classes=tuple(name.strip() for name in classes.split(",")) if classes else None,
            options=options,
            unlabelled=unlabelled,
            threads=threads,
            seed=seed,
            progress=progress,
        )
    print_accelerated(made)
    _write_json(report_of(made), json_file)


@commands.command("certify")
@click.argument("bundle", type=_CONFIG)
@click.argument("dataset", type=_CONFIG)
@click.option("--max-added-escape", type=_SHARE, required=True, help="Defective parts passed more, such as 0.001.")
@click.option("--max-added-overkill", type=_SHARE, required=True, help="Good parts rejected more, such as 0.005.")
@click.option("--max-misnamed", type=_SHARE, help="Defects named otherwise; by default as --max-added-overkill.")
@click.option("--confidence", type=_SHARE, default=0.95, show_default=True)
@click.option("--unlabelled", is_flag=True, help="The truth is the full model's own answer.")
@click.option("--ok-class", default="ok", show_default=True, help="The data set's folder of good parts.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=7, show_default=True, help="Draws frames of groups.")
def certify_command(
    bundle: Path,
    dataset: Path,
    max_added_escape: float,
    max_added_overkill: float,
    max_misnamed: float | None,
    confidence: float,
    unlabelled: bool,
    ok_class: str,
    seed: int,
) -> None:
    """Prove on DATASET how many errors BUNDLE's early exits add at most, and write the certificate into BUNDLE."""
    from inspector.terminal import progress_bar
    from inspector.workshop.certify import Wanted, certify, print_certified

    _log_to_stderr("WARNING")
    wanted = Wanted(max_added_escape, max_added_overkill, confidence, max_misnamed)
    with progress_bar() as progress:
        certified = certify(
            bundle, dataset, wanted, unlabelled=unlabelled, ok_class=ok_class, seed=seed, progress=progress
        )
    print_certified(certified)


@commands.command("evaluate")
@click.argument("bundle", type=_CONFIG)
@click.argument("dataset", type=_CONFIG)
@click.option("--split", type=click.Choice(["train", "calib", "test"]), default="test", show_default=True)
@click.option("--confidence", type=_SHARE, default=0.95, show_default=True, help="Of the upper limits.")
@click.option("--unlabelled", is_flag=True, help="The truth is the full model's own answer.")
@click.option("--ok-class", default="ok", show_default=True, help="The data set's folder of good parts.")
@_JSON
def evaluate_command(
    bundle: Path,
    dataset: Path,
    split: str,
    confidence: float,
    unlabelled: bool,
    ok_class: str,
    json_file: Path | None,
) -> None:
    """Quality of the full model and of the early-exit cascade of BUNDLE on one split of DATASET."""
    from inspector.terminal import progress_bar
    from inspector.workshop.dataset import Split
    from inspector.workshop.evaluate import evaluate, print_report, report_of

    _log_to_stderr("WARNING")
    with progress_bar() as progress:
        found = evaluate(
            bundle, dataset, split=Split(split), unlabelled=unlabelled, ok_class=ok_class, progress=progress
        )
    report = report_of(found, bundle, dataset, confidence)
    print_report(report)
    _write_json(report, json_file)


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(level=level, format=_LOG_FORMAT)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it reports every start at INFO


def _check(config: Path, source: Path | None) -> None:
    """Print every problem and note of a configuration; exit with 2 on a problem."""
    from inspector.check import check

    report = check(config, source_path=source)
    for note in report.notes:
        click.echo(f"note: {note}", err=True)
    for problem in report.problems:
        click.echo(problem, err=True)
    if not report.ok:
        sys.exit(2)


def _close(summary: Mapping[str, Any], json_file: Path | None) -> None:
    from inspector.terminal import print_summary

    print_summary(summary)
    _write_json(summary, json_file)


def _write_json(values: Mapping[str, Any], json_file: Path | None) -> None:
    if json_file is not None:
        try:
            json_file.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise InspectorError(
                f"--json {json_file} cannot be written ({error.strerror}); name another file"
            ) from error


def main() -> None:
    try:
        commands()
    except InspectorError as error:
        click.echo(f"inspector: {error}", err=True)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _WORKSHOP_TOOLS:
            raise
        click.echo(
            f"inspector: this command works on models and needs {error.name}, which a station does not; "
            "run script/setup dev, or pip install 'inspector[workshop]'",
            err=True,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
