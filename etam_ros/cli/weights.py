"""`etam weights`: the weights of all models, by name."""

from __future__ import annotations

import os
from difflib import get_close_matches
from typing import Annotated

import typer

from etam_ros.errors import ConfigError

app = typer.Typer(
    help="List, download and find the weights of the models.",
    add_completion=False,
    rich_markup_mode="rich",
)

Name = Annotated[str, typer.Argument(help="Name of a model, as shown by `etam weights list`.")]


@app.command("list", epilog="[bold]Example:[/bold] etam weights list")
def list_names() -> None:
    """List the models, and where their weights are on this machine."""
    from etam_ros.runtime.backends.torch.weights import list_weights

    row = "{:<25}{:>8}{:>12}  {}"
    typer.secho(row.format("name", "input", "parameters", "on this machine"), bold=True)
    for entry in list_weights():
        size, parameters = f"{entry.image_size} px", f"{entry.parameters / 1e6:.1f} M"
        typer.echo(row.format(entry.name, size, parameters, entry.local_path or "no"))
    typer.echo("etam_nano ships with etam_ros; download another with `etam weights get NAME`.")
    typer.echo("The weights of sam2* also run sam2*_512x512, the same model at 512 px; those of")
    typer.echo("efficienttam_* also run efficienttam_*_pooled, whose attention costs less (_1 and")
    typer.echo(
        "_2 are pooled already). efficientsam_* only segment single pictures (`etam segment`);"
    )
    typer.echo("all others track, too.")


@app.command(epilog="[bold]Example:[/bold] etam weights get efficienttam_ti_512x512")
def get(name: Name) -> None:
    """Download the weights of a model, and print their path."""
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # a failure is told in one line, ours
    from etam_ros.runtime.backends.torch.weights import download_weights

    typer.echo(str(download_weights(_known(name))))


@app.command(epilog="[bold]Example:[/bold] etam weights path efficienttam_ti_512x512")
def path(name: Name) -> None:
    """Print the path of the weights of a model, and nothing else."""
    from etam_ros.runtime.backends.torch.weights import weights_file

    typer.echo(str(weights_file(_known(name))))


def _known(name: str) -> str:
    """The name, if there is such a model; a .pt at its end is forgiven."""
    from etam_ros.runtime.backends.torch.weights import model_names

    names = model_names()
    wanted = name.removesuffix(".pt")
    if wanted in names:
        return wanted
    close = get_close_matches(wanted, names, n=1)
    hint = f"did you mean {close[0]}?" if close else "`etam weights list` shows the names"
    raise ConfigError(f"no model is called {name!r}: {hint}")
