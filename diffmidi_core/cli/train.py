"""`diffmidi train`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diffmidi_core.cli.options import (
    EXPLAIN,
    PROFILE,
    RUN,
    TRAIN,
    collect,
    next_step,
    open_session,
    settings,
)
from diffmidi_core.cli.tables import explain


@click.command("train")
@RUN
@settings(TRAIN)
@click.option("--resume", is_flag=True, help="Go on from the newest checkpoint.")
@PROFILE
@EXPLAIN
def command(
    run: Path, resume: bool, profile: bool, explain_only: bool, assignments: tuple[str, ...], **given: Any
) -> None:
    """Train the model of RUN, which `diffmidi prepare` began.

    Once training has begun, only what leaves its past true can change: more --iterations, how it is watched, the
    --precision.
    """
    session = open_session(run, collect(given, assignments, TRAIN), assignments, TRAIN)
    if explain_only:
        explain(session.config)
        return
    session.profile = profile

    from diffmidi_core.machine.build import check_parts

    config = session.config
    check_parts((kind, getattr(config, kind)) for kind in ("tokenizer", "backbone", "schedule", "process"))
    check_parts(("hook", part) for part in config.hooks)

    from diffmidi_core.machine.stop import interruptible
    from diffmidi_core.show.render import render_first
    from diffmidi_core.train.whole import train

    go_on = f"Stopped. What was done is kept. Go on with: diffmidi train {session.folder.path} --resume"
    with interruptible(lambda: go_on):
        train(session, resume=resume, aloud=lambda draw: render_first(draw, config.renderers))
    next_step(f"To draw music from it: diffmidi sample {session.folder.path}")
