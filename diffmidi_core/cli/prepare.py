"""`diffmidi prepare`: music to a token dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diffmidi_core.cli.options import (
    CONFIG,
    EXPLAIN,
    OUT,
    PREPARE,
    collect,
    new_session,
    next_step,
    open_session,
    settings,
)
from diffmidi_core.cli.paths import UserPath
from diffmidi_core.cli.tables import explain
from diffmidi_core.errors import UsageError
from diffmidi_core.files import read_json


def _check_leaks(context: click.Context, parameter: click.Parameter, value: tuple[Path, Path] | None) -> None:
    if value:
        from diffmidi_core.cli.leaks import check_leaks

        check_leaks(*value)
        context.exit()


@click.command("prepare")
@click.argument("folder", required=False, metavar="[FOLDER]")
@settings(PREPARE)
@CONFIG
@OUT
@click.option(
    "--check-leaks",
    nargs=2,
    type=UserPath(exists=True),
    metavar="A B",
    callback=_check_leaks,
    expose_value=False,
    is_eager=True,
    help="Prepare nothing; list which pieces of B are in A too. Each is a run or a folder of MIDI files.",
)
@click.option("--resume", type=UserPath(), metavar="RUN", help="Go on with a preparation that stopped.")
@EXPLAIN
def command(
    folder: str | None,
    config: Path | None,
    out: Path | None,
    resume: Path | None,
    explain_only: bool,
    assignments: tuple[str, ...],
    **given: Any,
) -> None:
    """Begin a run: turn the MIDI files in FOLDER (the same as --data) into a token dataset.

    Stopped or killed, it goes on where it was with --resume, or with the same --out.
    """
    if resume and (folder or out or config):
        raise UsageError("--resume takes the run's own music, folder and config: leave out FOLDER, --out and --config.")
    flags = collect(given, assignments, PREPARE)
    if folder:
        flags["data"] = folder
    if explain_only:
        from diffmidi_core.config import resolve

        explain(resolve(read_json(config) if config else None, flags, assignments))
        return
    if resume:
        session = open_session(resume, flags, assignments, PREPARE)
    else:
        session = new_session(out, read_json(config) if config else None, flags, assignments, PREPARE)

    from diffmidi_core.run.stages import prepare_data

    prepare_data(session)
    next_step(f"To train on it: diffmidi train {session.folder.path}")
