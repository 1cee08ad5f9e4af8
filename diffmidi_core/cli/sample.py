"""`diffmidi sample`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diffmidi_core.cli.options import RUN, open_session, settings


@click.command("sample")
@RUN
@settings
@click.option("--checkpoint", type=int, metavar="STEP", help="Use this checkpoint (default: the newest).")
def command(run: Path, checkpoint: int | None, assignments: tuple[str, ...], **given: Any) -> None:
    """Draw new music from the newest checkpoint.

    Flags change the run's config, which is saved again.
    """
    session = open_session(run, given, assignments)

    from diffmidi_core.engine.sample import sample

    sample(session, step=checkpoint)
    session.folder.save(session.config)
