"""`diffmidi sample`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diffmidi_core.cli.options import CHECKPOINT, SAMPLE, collect, settings
from diffmidi_core.cli.paths import UserPath
from diffmidi_core.errors import UsageError

if TYPE_CHECKING:
    from diffmidi_core.saved.draw import DrawFolder
    from diffmidi_core.saved.manifest import Which

RENDERED = 8
"""Pieces of a draw that are rendered unless --render says otherwise."""


def _render(context: click.Context, parameter: click.Parameter, value: str) -> int | None:
    """How many pieces: None is all."""
    if value == "all":
        return None
    if value == "none":
        return 0
    if value.isdecimal():
        return int(value)
    raise click.BadParameter(f"it is all, none, or how many pieces (given: {value!r}).")


@click.command("sample")
@click.argument("model", type=UserPath(), metavar="MODEL")
@settings(SAMPLE)
@CHECKPOINT
@click.option("--name", metavar="NAME", help="Name of the draw's folder (default: the next number).")
@click.option("--out", type=UserPath(), metavar="FILE.mid", help="Copy the music there too.")
@click.option(
    "--render", default=str(RENDERED), callback=_render, metavar="all|none|N", help="Render the first N (default 8)."
)
def command(
    model: Path,
    checkpoint: Which,
    name: str | None,
    out: Path | None,
    render: int | None,
    assignments: tuple[str, ...],
    **given: Any,
) -> None:
    """Draw new music from MODEL: a run, or a folder that `diffmidi export` wrote.

    It goes into a folder of its own, RUN/draws/1 and so on, and changes nothing else.
    """
    flags = collect(given, assignments, SAMPLE)
    if out is not None and out.suffix.lower() not in (".mid", ".midi"):
        raise UsageError(f"--out names a MIDI file, such as new.mid (given: {out}).")

    from diffmidi_core.cli.drawing import plan, wrote

    planned = plan(model, checkpoint, flags, assignments)

    from diffmidi_core.draw.sample import copy_to, sample
    from diffmidi_core.machine.build import check_parts

    renderers = [] if render == 0 else planned.renderers
    check_parts([("sampler", planned.request.sampler), *(("renderer", part) for part in renderers)])
    opened = planned.open()
    draw: DrawFolder = sample(planned.work, opened, planned.request, planned.draws, name=name)
    if not planned.work.accelerator.is_main_process:
        return
    if renderers:
        from diffmidi_core.show.render import render as make

        make(planned.work, draw, renderers, most=render)
    wrote(draw, copy_to(draw, out.expanduser()) if out else [], planned.run)
