"""`diffmidi prepare`: music to a token dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diffmidi_core.cli.options import CONFIG, OUT, new_session, settings


@click.command("prepare")
@click.argument("folder", required=False, metavar="[FOLDER]")
@settings
@CONFIG
@OUT
def command(
    folder: str | None, config: Path | None, out: Path | None, assignments: tuple[str, ...], **given: Any
) -> None:
    """Begin a run: turn the MIDI files in FOLDER (the same as --data) into a token dataset."""
    given["set_data"] = folder or given["set_data"]
    session = new_session(out, config, given, assignments)

    from diffmidi_core.engine.stages import prepare_data

    prepare_data(session)
