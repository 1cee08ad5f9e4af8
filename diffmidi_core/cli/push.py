"""`diffmidi push`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from diffmidi_core.cli.options import CHECKPOINT, LICENSE, RUN, warned

if TYPE_CHECKING:
    from diffmidi_core.saved.manifest import Which


@click.command("push")
@RUN
@click.argument("name", metavar="USER/NAME")
@click.option("--private", is_flag=True, help="Let nobody else see it, where it is new.")
@CHECKPOINT
@LICENSE
def command(run: Path, name: str, private: bool, checkpoint: Which, license: str | None) -> None:
    """Publish the model of RUN, of a folder that `diffmidi export` wrote, or an installed one, on the Hugging Face Hub.

    Of such a folder only what `export` wrote is published, its card as you have edited it.

    Log in first: `hf auth login`. In Python, `Pipeline.from_pretrained("USER/NAME")` opens it anywhere.
    """
    from diffmidi_core.publish.hub import publish
    from diffmidi_core.saved.installed import model_at

    url = publish(model_at(run), name, which=checkpoint, private=private, license=license, tell=warned)
    click.echo(f"Published: {url}")
