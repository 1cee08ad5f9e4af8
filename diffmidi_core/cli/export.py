"""`diffmidi export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from diffmidi_core.cli.options import CHECKPOINT, LICENSE, RUN, warned
from diffmidi_core.cli.paths import UserPath
from diffmidi_core.errors import UsageError

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
@click.option(
    "-o",
    "assignments",
    multiple=True,
    metavar="sampler.KEY=VALUE",
    help="How its sampler draws unless asked otherwise. Repeatable.",
)
def command(
    run: Path,
    to: Path | None,
    checkpoint: Which,
    license: str | None,
    name: str | None,
    half: bool,
    steps: int | None,
    assignments: tuple[str, ...],
) -> None:
    """Write the run's model as a folder that others can open: weights, tokenizer and a model card.

    In Python, `diffmidi.Pipeline.from_pretrained(FOLDER)` opens it.
    """
    from diffmidi_core.layers import assignments_of
    from diffmidi_core.saved.folder import RunFolder

    if others := sorted(set(assignments_of(assignments)) - {"sampler"}):
        raise UsageError(
            f"-o {others[0]}: only options of the sampler can be set here, as in -o sampler.temperature=0.8."
        )
    folder = RunFolder.open(run)

    from diffmidi_core.cli.drawing import quoted
    from diffmidi_core.publish.export import export

    to = to or run / "export"
    written = export(
        folder,
        to,
        which=checkpoint,
        license=license,
        name=name,
        half=half,
        steps=steps,
        assignments=assignments,
        tell=warned,
    )
    click.echo(f"Wrote {written}: README.md is its card, to be read before it is shared.")
    click.echo(f"To draw with it: diffmidi sample {quoted(written)}")
