"""`etam doctor`: what is installed, what runs here, and how to get the rest."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Final

import typer

from etam_ros import __version__

if TYPE_CHECKING:
    from etam_ros.cli.terminal.findings import Finding

_MARKS: Final = {
    "ok": "[green]ok[/green]",
    "missing": "[yellow]missing[/yellow]",
    "broken": "[red]broken[/red]",
}


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of a table.")
    ] = False,
) -> None:
    """Say what is installed, what runs here, and how to get the rest.

    Exit code 0 if the tracker runs on this machine, 1 if not.
    """
    from etam_ros.cli.terminal.findings import NEEDED_BY_NODE, NEEDED_TO_TRACK, find_all

    findings = find_all()
    fine = {item.name for item in findings if item.status == "ok"}
    tracker_runs = fine >= NEEDED_TO_TRACK
    node_runs = fine >= NEEDED_BY_NODE
    if as_json:
        report = {
            "etam_ros": __version__,
            "tracker_runs": tracker_runs,
            "node_runs": node_runs,
            "findings": [asdict(item) for item in findings],
        }
        typer.echo(json.dumps(report, indent=2))
    else:
        _print_tables(findings)
        for what, runs, needed in (
            ("The tracker (etam track)", tracker_runs, NEEDED_TO_TRACK),
            ("The node (etam node)", node_runs, NEEDED_BY_NODE),
        ):
            lacking = ", ".join(sorted(needed - fine))
            typer.echo(f"{what} runs here." if runs else f"{what} does not run here: {lacking}.")
    raise typer.Exit(0 if tracker_runs else 1)


def _print_tables(findings: list[Finding]) -> None:
    """One table a group, and below it what to do about each piece that is not there."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120
    console.print(f"etam_ros {__version__}")
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for group, items in groupby(findings, key=lambda item: item.group):
        table.add_row("", "", "")
        table.add_row(f"[bold]{group}[/bold]", "", "")
        for item in items:
            table.add_row(item.name, _MARKS[item.status], escape(item.detail))
            if item.without:
                table.add_row("", "", f"[dim]switches off:[/dim] {escape(item.without)}")
            if item.remedy:
                table.add_row("", "", f"[dim]to get it:[/dim] [cyan]{escape(item.remedy)}[/cyan]")
    console.print(table)
    console.print()
