"""`diffmidi sample`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diffmidi_core.cli.options import CHECKPOINT, RUN, open_session, settings

if TYPE_CHECKING:
    from diffmidi_core.run.checkpoint import Which


@click.command("sample")
@RUN
@settings
@CHECKPOINT
def command(run: Path, checkpoint: Which, assignments: tuple[str, ...], **given: Any) -> None:
    """Draw new music from the run's best checkpoint.

    Flags change the run's config, which is saved again.
    """
    session = open_session(run, given, assignments)

    from diffmidi_core.draw.sample import sample

    sample(session, which=checkpoint)
    session.folder.save(session.config)
