"""`diffmidi train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diffmidi_core.cli.options import PROFILE, RUN, open_session, settings


@click.command("train")
@RUN
@settings
@click.option("--resume", is_flag=True, help="Go on from the newest checkpoint.")
@PROFILE
def command(run: Path, resume: bool, profile: bool, assignments: tuple[str, ...], **given: Any) -> None:
    """Train the run's model.

    Flags change the run's config, which is saved again.
    """
    session = open_session(run, given, assignments)
    session.profile = profile

    from diffmidi_core.train.loop import train

    train(session, resume=resume)
