"""`diffmidi run`: all stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diffmidi_core.cli.options import (
    ALL,
    CONFIG,
    EXPLAIN,
    OUT,
    PROFILE,
    collect,
    new_session,
    open_session,
    settings,
)
from diffmidi_core.cli.paths import UserPath
from diffmidi_core.cli.tables import explain
from diffmidi_core.errors import UsageError


@click.command("run")
@settings(ALL)
@CONFIG
@OUT
@click.option("--resume", type=UserPath(), metavar="RUN", help="Go on with a run where it was.")
@click.option(
    "--from",
    "begin_from",
    metavar="RUN[@STEP]",
    help="Begin a new run from the settings, weights and optimiser of another, at its newest checkpoint or STEP.",
)
@click.option(
    "--beside",
    default="starter",
    envvar="DIFFMIDI_BESIDE",
    show_envvar=True,
    metavar="MODEL|none",
    help="An installed model that plays on the page too, where it is installed (default starter).",
)
@PROFILE
@EXPLAIN
def command(
    config: Path | None,
    out: Path | None,
    resume: Path | None,
    begin_from: str | None,
    beside: str,
    profile: bool,
    explain_only: bool,
    assignments: tuple[str, ...],
    **given: Any,
) -> Path | None:
    """Prepare, train, sample, evaluate, render and report.

    Without --data it learns from the Bach chorales that come with music21.
    """
    flags = collect(given, assignments, ALL)
    if resume and (out or config or begin_from):
        raise UsageError("--resume takes the run's own folder and config: leave out --out, --config and --from.")
    if begin_from and config:
        raise UsageError("--from and --config both set what the run begins from: give one of them.")
    source, step = _parted(begin_from)
    file = _tree(config, source)
    if explain_only:
        explain(_resolved(resume, file, flags, assignments))
        return None
    session = (
        open_session(resume, flags, assignments, ALL) if resume else new_session(out, file, flags, assignments, ALL)
    )
    session.profile = profile
    session.begin_from = (source, step) if source else None

    from diffmidi_core.cli.drawing import wrote
    from diffmidi_core.machine.stop import interruptible
    from diffmidi_core.run.stages import run

    go_on = f"Stopped. What was done is kept. Go on with: diffmidi run --resume {session.folder.path}"
    with interruptible(lambda: go_on):
        draw = run(session, resume=resume is not None, beside=None if beside == "none" else beside)
    if draw is not None:
        wrote(draw, [], session.folder, page=True)
    return session.folder.path


def _parted(begin_from: str | None) -> tuple[Path | None, int | None]:
    """RUN and STEP of RUN@STEP. A folder whose name has an @ is meant where it is there."""
    if begin_from is None:
        return None, None
    run, at, step = begin_from.rpartition("@")
    if at and step.isdecimal() and not Path(begin_from).is_dir():
        return Path(run).expanduser(), int(step)
    return Path(begin_from).expanduser(), None


def _tree(config: Path | None, source: Path | None) -> dict[str, Any] | None:
    """The config that a new run begins from, where it begins from one."""
    from diffmidi_core.files import read_json

    if source is not None:
        from diffmidi_core.saved.folder import RunFolder

        return RunFolder.open(source).config().model_dump(mode="json")
    return read_json(config.expanduser()) if config else None


def _resolved(resume: Path | None, file: dict[str, Any] | None, flags: Any, assignments: tuple[str, ...]) -> Any:
    if resume:
        from diffmidi_core.saved.folder import RunFolder

        return RunFolder.open(resume).changed(flags, assignments)[0]
    from diffmidi_core.config import resolve

    return resolve(file, flags, assignments)
