"""`diffmidi run`: all stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diffmidi_core.cli.options import CONFIG, OUT, PROFILE, new_session, open_session, settings
from diffmidi_core.errors import UsageError


@click.command("run")
@settings
@CONFIG
@OUT
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with a run where it was.")
@PROFILE
def command(
    config: Path | None,
    out: Path | None,
    resume: Path | None,
    profile: bool,
    assignments: tuple[str, ...],
    **given: Any,
) -> None:
    """Prepare, train, sample, evaluate, render and report.

    Without --data it learns from the Bach chorales that come with music21.
    """
    if resume and (out or config):
        raise UsageError("--resume takes the run's own folder and config: leave out --out and --config.")
    session = open_session(resume, given, assignments) if resume else new_session(out, config, given, assignments)
    session.profile = profile

    from diffmidi_core.run.stages import run

    run(session, resume=resume is not None)
