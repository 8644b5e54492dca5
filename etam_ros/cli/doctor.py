"""`etam doctor`: what is installed, what runs here, and how to get the rest."""

from __future__ import annotations

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
    json_: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Report what is installed, what runs here, and how to get the rest.

    Exit code 0 if the tracker runs on this machine, 1 if not.
    """
    from etam_ros.cli.terminal.findings import find_all
    from etam_ros.cli.terminal.plain_doctor import as_json, as_text, tracker_runs, verdicts

    findings = find_all()
    if json_:
        typer.echo(as_json(findings))
    elif any(item.name == "rich" and item.status != "ok" for item in findings):
        typer.echo(as_text(findings))
    else:
        _print_tables(findings)
        typer.echo("\n".join(verdicts(findings)))
    raise typer.Exit(0 if tracker_runs(findings) else 1)


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
