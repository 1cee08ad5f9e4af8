"""`diffmidi models`: the trained models that are installed."""

from __future__ import annotations

import dataclasses
import json

import click


@click.command("models")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def command(as_json: bool) -> None:
    """List the trained models that installed packages bring.

    Each is taken by its name wherever a run or an exported folder is: `diffmidi sample NAME`. A folder of that name
    goes before it.
    """
    from diffmidi_core.saved.installed import installed_models

    models = installed_models()
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(model) for model in models], indent=2, ensure_ascii=False))
        return
    if not models:
        click.echo("No model is installed. A package offers one under `diffmidi.models`: help('diffmidi.api.model').")
        return

    from rich.text import Text

    from diffmidi_core.cli.tables import new_console, new_table

    listed = new_table("name", "package", "version", "size", "licence", "opens", "summary")
    for model in models:
        cells = (model.name, model.package, model.version, f"{model.size / 2**20:.1f} MB", model.license or "unknown")
        opens = "yes" if model.problem is None else "no"
        listed.add_row(*(Text(cell, "red" if model.problem else "") for cell in (*cells, opens, model.summary)))
    new_console().print(listed)
    for problem in (model.problem for model in models if model.problem):
        new_console().print()
        new_console().print(Text(problem, "red"))
