"""`diffmidi labels`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from diffmidi_core.cli.completing import models
from diffmidi_core.cli.options import CHECKPOINT, warned
from diffmidi_core.cli.paths import UserPath
from diffmidi_core.numbers import counted
from diffmidi_core.wording import cut, printable

if TYPE_CHECKING:
    from diffmidi_core.data.known_labels import KnownLabel
    from diffmidi_core.saved.manifest import Which


@click.command("labels")
@click.argument("model", type=UserPath(), metavar="MODEL", shell_complete=models)
@CHECKPOINT
def command(model: Path, checkpoint: Which) -> None:
    """List the labels that MODEL can be asked for by `diffmidi sample MODEL --want NAME=VALUE`."""
    from diffmidi_core.saved.installed import model_at
    from diffmidi_core.saved.manifest import read_model

    manifest = read_model(model_at(model.expanduser()), checkpoint, warned)
    labels, of = manifest.labels, manifest.classifier
    if not labels:
        click.echo(f"{model} was trained without labels. To train a model that has some: --condition window.")
        return
    for label in labels:
        looked_at = counted(sum(label.counts), label.of.removesuffix("s"))
        click.echo(f"{printable(label.name)} ({looked_at})")
        for number, (value, count) in enumerate(zip(label.values, label.counts, strict=True)):
            if count:
                click.echo(f"  {cut(printable(value), 40):16} {count:6,}{_range(label, number)}")
        if unseen := [value for value in label.values if value not in label.seen]:
            click.echo(f"  never seen: {', '.join(printable(value) for value in unseen)}")
    first = labels[0]
    asked = f"{model}" if of is None else f"{printable(of.model)} --classifier {model}"
    click.echo(f'To ask for one: diffmidi sample {asked} --want "{first.name}={first.seen[0]}"' if first.seen else "")


def _range(label: KnownLabel, number: int) -> str:
    """Between which edges the bin of a quantity lies."""
    if not label.edges:
        return ""
    edges = [f"{edge:.3g}" for edge in label.edges]
    if number == 0:
        return f"  up to {edges[0]}"
    return f"  from {edges[-1]}" if number == len(edges) else f"  {edges[number - 1]} to {edges[number]}"
