"""What the parity gate found, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Group

    from etam_ros.runtime.parity import ParityReport


def parity_table(report: ParityReport) -> Group:
    """A row for each output of each stage, and what became of the masks."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    title = f"{report.candidate}, against torch fp32"
    table = Table(title=title, title_justify="left", title_style="bold", min_width=len(title) + 4)
    table.add_column("stage")
    table.add_column("output")
    for name in ("largest difference", "relative", "limit"):
        table.add_column(name, justify="right")
    table.add_column("")
    for each in report.stages:
        table.add_row(
            each.stage,
            each.output or "feature" if each.stage != "encode_memory" else "memory",
            f"{each.largest:.1e}",
            f"{each.relative:.1e}",
            f"{each.limit:.0e}",
            "ok" if each.passed else "[red]off[/red]",
        )
    masks = (
        f"masks of a short clip: IoU with torch's {report.agreement:.4f} (worst "
        f"{report.worst_agreement:.4f}), same visibility on {report.same_presence:.1%}, object "
        f"scores within {report.largest_score:.2g}"
    )
    if not report.judges_masks:
        masks += "; not judged: the weights are untrained"
    verdict = Text("passed", "bold green")
    if not report.passed:
        verdict = Text("refused: " + "; ".join(report.failures), "bold red")
    return Group(table, Text(masks), verdict)
