"""`diffmidi report`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diffmidi_core.cli.options import RUN, open_session, settings
from diffmidi_core.errors import DiffmidiError


@click.command("report")
@RUN
@settings
def command(run: Path, assignments: tuple[str, ...], **given: Any) -> None:
    """Write report.html, the whole run on one page that opens offline.

    `diffmidi run` ends with it. Flags change the run's config, which is saved again.
    """
    session = open_session(run, given, assignments)

    from diffmidi_core.show.report import report

    if report(session) is None:
        chosen = ", ".join(part.name for part in session.config.hooks) or "none"
        raise DiffmidiError(f"no hook has anything to report (chosen: {chosen}): add --hook report.")
    session.folder.save(session.config)
