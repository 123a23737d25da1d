"""The command line: parses, calls, prints. Exit code 0 on success, 2 on bad usage or config, 1 on failure."""

import sys
from pathlib import Path

import click

from inspector import __version__
from inspector.domain.errors import InspectorError

_CONFIG = click.Path(path_type=Path)


@click.group()
@click.version_option(__version__)
def commands() -> None:
    """Edge inspection that runs your classifier many times faster."""


@commands.command("check")
@click.argument("config", type=_CONFIG)
def check_command(config: Path) -> None:
    """Validate CONFIG (station.toml), its recipe and its model bundle."""
    from inspector.check import check

    report = check(config)
    for note in report.notes:
        click.echo(f"note: {note}")
    for problem in report.problems:
        click.echo(problem, err=True)
    if not report.ok:
        sys.exit(2)
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
@click.argument("config", type=_CONFIG)
@click.option("--language", type=click.Choice(["en", "ja"]), default="en", show_default=True)
@click.option("--theme", default="light", show_default=True)
def dashboard_command(config: Path, language: str, theme: str) -> None:
    """The operators' dashboard of the station that runs with CONFIG."""
    from inspector.settings import load_settings
    from ui.app import run_dashboard

    feed = load_settings(config).station.feed
    sys.exit(run_dashboard(feed.endpoint, feed.command_endpoint, language=language, theme=theme))


def main() -> None:
    try:
        commands()
    except InspectorError as error:
        click.echo(f"inspector: {error}", err=True)
        sys.exit(error.exit_code)
