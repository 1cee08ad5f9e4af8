"""`diffmidi render`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diffmidi_core.cli.options import RUN, open_session, settings


@click.command("render")
@RUN
@settings
def command(run: Path, assignments: tuple[str, ...], **given: Any) -> None:
    """Make the samples audible and visible.

    Flags change the run's config, which is saved again.
    """
    session = open_session(run, given, assignments)

    from diffmidi_core.show.render import render

    render(session)
    session.folder.save(session.config)
