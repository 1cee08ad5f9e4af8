"""`diffmidi report`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from diffmidi_core.cli.options import REPORT, RUN, collect, settings
from diffmidi_core.errors import DiffmidiError


@click.command("report")
@RUN
@settings(REPORT)
def command(run: Path, assignments: tuple[str, ...], **given: Any) -> None:
    """Write report.html, the whole run on one page that opens offline.

    `diffmidi run` ends with it.
    """
    from diffmidi_core.cli.drawing import chosen
    from diffmidi_core.saved.folder import RunFolder

    flags = collect(given, assignments, REPORT)
    folder = RunFolder.open(run)
    config = folder.config().model_copy(update={"hooks": chosen(folder, "hook", flags, assignments)})

    from diffmidi_core.machine.session import Session
    from diffmidi_core.show.report import report

    written = report(Session(folder, config))
    if written is None:
        names = ", ".join(part.label for part in config.hooks) or "none"
        raise DiffmidiError(f"no hook has anything to report (chosen: {names}): add --hook report.")
    click.echo(f"Wrote {written}: open it in a browser.")
