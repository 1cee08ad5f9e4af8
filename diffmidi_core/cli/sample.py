"""`diffmidi sample`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diffmidi_core.cli.completing import models
from diffmidi_core.cli.options import CHECKPOINT, SAMPLE, collect, settings
from diffmidi_core.cli.paths import UserPath
from diffmidi_core.cli.wanting import asked_labels, asking_labels
from diffmidi_core.errors import UsageError
from diffmidi_core.layers import assignments_of

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
@click.argument("model", type=UserPath(), metavar="MODEL", shell_complete=models)
@settings(SAMPLE)
@CHECKPOINT
@asking_labels
@click.option(
    "--classifier",
    type=UserPath(),
    multiple=True,
    metavar="RUN",
    help="Follow a classifier of MODEL. Repeatable.",
)
@click.option("--name", metavar="NAME", help="Name of the draw (default: the next number).")
@click.option("--resume", is_flag=True, help="Go on with a stopped draw (newest or NAME).")
@click.option("--out", type=UserPath(), metavar="FILE.mid", help="Copy the music there too.")
@click.option(
    "--render", default=str(RENDERED), callback=_render, metavar="all|none|N", help="Render the first N (default 8)."
)
def command(
    model: Path,
    checkpoint: Which,
    want: dict[str, str],
    classifier: tuple[Path, ...],
    guidance: float | None,
    name: str | None,
    resume: bool,
    out: Path | None,
    render: int | None,
    assignments: tuple[str, ...],
    **given: Any,
) -> None:
    """Draw new music from MODEL: a run, a folder that `diffmidi export` wrote, or an installed model's name.

    It goes into a folder of its own, RUN/draws/1 and so on, and changes nothing else. Of what is no run it goes into
    draws/1 and so on where you are. `diffmidi models` lists what is installed.
    """
    flags = collect(given, assignments, SAMPLE)
    flags |= asked_labels(want, guidance) | ({"classifier": classifier} if classifier else {})
    if out is not None and out.suffix.lower() not in (".mid", ".midi"):
        raise UsageError(f"--out names a MIDI file, such as new.mid (given: {out}).")

    from diffmidi_core.cli.drawing import going_on, plan, wrote
    from diffmidi_core.cli.stopping import drawing

    if resume:
        _check_asks_nothing(checkpoint, flags, assignments)
        planned, begun = going_on(model, name, flags, assignments)
    else:
        planned, begun = plan(model, checkpoint, flags, assignments), None

    from diffmidi_core.draw.sample import copy_to, sample
    from diffmidi_core.machine.build import check_parts

    renderers = [] if render == 0 else planned.renderers
    check_parts(planned.parts(renderers))
    with drawing(planned.draws):
        opened = planned.open()
        draw: DrawFolder = sample(planned.work, opened, planned.request, planned.draws, name=name, begun=begun)
        if renderers and planned.work.accelerator.is_main_process:
            from diffmidi_core.show.render import render as make

            make(planned.work, draw, renderers, most=render)
    if not planned.work.accelerator.is_main_process:
        return
    copies = copy_to(draw, out.expanduser()) if out else []
    wrote(draw, copies, planned.run, fills=model if opened.tokenizer.plan else None)


def _check_asks_nothing(checkpoint: Which, flags: Mapping[str, Any], assignments: tuple[str, ...]) -> None:
    """A draw that goes on is the one that was asked for; how it is shown may be chosen anew."""
    shown = {"renderer", "no_renderer", "hook", "no_hook"}
    if checkpoint is not None or flags.keys() - shown or assignments_of(assignments).keys() - shown:
        raise UsageError(
            "--resume goes on with a draw as it was asked for: leave out --checkpoint and all that says what is drawn "
            "(--samples, --seed, --steps, ...)."
        )
