"""`diffmidi export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from diffmidi_core.cli.options import CHECKPOINT, LICENSE, RUN, warned
from diffmidi_core.cli.paths import UserPath

if TYPE_CHECKING:
    from diffmidi_core.saved.manifest import Which


@click.command("export")
@RUN
@click.option("--to", type=UserPath(), metavar="FOLDER", help="A new folder (default: RUN/export).")
@CHECKPOINT
@LICENSE
@click.option("--name", help="What its card tells others to load it by: user/name, or an installed model's name.")
@click.option("--half", is_flag=True, help="Store weights in 16 bits: half as large, and hardly different.")
@click.option(
    "--steps", type=click.IntRange(1), help="Steps it draws with unless asked otherwise (default: the run's)."
)
def command(
    run: Path,
    to: Path | None,
    checkpoint: Which,
    license: str | None,
    name: str | None,
    half: bool,
    steps: int | None,
) -> None:
    """Write the run's model as a folder that others can open: weights, tokenizer and a model card.

    In Python, `diffmidi.Pipeline.from_pretrained(FOLDER)` opens it.
    """
    from diffmidi_core.saved.folder import RunFolder

    folder = RunFolder.open(run)

    from diffmidi_core.cli.drawing import quoted
    from diffmidi_core.publish.export import export

    to = to or run / "export"
    written = export(folder, to, which=checkpoint, license=license, name=name, half=half, steps=steps, tell=warned)
    click.echo(f"Wrote {written}: README.md is its card, to be read before it is shared.")
    click.echo(f"To draw with it: diffmidi sample {quoted(written)}")
