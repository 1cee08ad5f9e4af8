"""What `infill` and `continue` share: their flags, and from what is asked to the files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from diffmidi_core.cli.completing import models
from diffmidi_core.cli.options import CHECKPOINT, Owned, collect, parameter, settings
from diffmidi_core.cli.paths import UserPath
from diffmidi_core.cli.wanting import asked_labels, asking_labels
from diffmidi_core.errors import UsageError
from diffmidi_core.layers import assignments_of

if TYPE_CHECKING:
    from diffmidi_core.steer.asked import Asked
    from diffmidi_core.steer.user_file import UserFile

F = TypeVar("F", bound=Callable[..., Any])

STEER = Owned("infill", ("seed", "precision"), ("sampler", "control", "renderer", "hook"))
"""What has flags."""
BY_NAME = replace(STEER, sections=("sample",))
"""What `-o` sets: `sample.batch_size`, how many takes are computed together, has no flag."""


def _upbeat(context: click.Context, parameter: click.Parameter, value: str | None) -> Fraction | None:
    if value is None:
        return None
    try:
        return Fraction(value)
    except (ValueError, ZeroDivisionError):
        raise click.BadParameter(f"an upbeat is a share of a whole note, such as 1/4 (given: {value!r}).") from None


def steering(function: F) -> F:
    """The flags of a command that draws into a user's file."""
    options = (
        click.option(
            "--model",
            type=UserPath(),
            metavar="MODEL",
            help="A run, or a folder that `export` wrote.",
            shell_complete=models,
        ),
        CHECKPOINT,
        click.option("--candidates", type=click.IntRange(1), default=1, show_default=True, help="Write so many takes."),
        click.option(
            "--rank-by",
            metavar="bound|labels|METRIC",
            help="Order takes by the model's bound (default), by what of --want they have, or by a metric.",
        ),
        asking_labels,
        click.option("--steps", type=click.IntRange(1), help="Steps for a window of bars (default: the model's)."),
        click.option("--upbeat", callback=_upbeat, metavar="1/4", help="It begins with an upbeat so long, bar 0."),
        click.option("--only-new", is_flag=True, help="Write the new notes alone as well, as NNN.new.mid."),
        click.option("--dry-run", is_flag=True, help="Only say what would be drawn and what is kept."),
        click.option("--name", metavar="NAME", help="Name of the draw (default: the next number)."),
        click.option("--resume", is_flag=True, help="Go on with a stopped draw (newest or NAME)."),
        click.option("--out", type=UserPath(), metavar="FILE.mid", help="Copy the takes there too."),
        settings(STEER),
    )
    for option in reversed(options):
        function = option(function)
    return function


NOTES = click.option(
    "--notes",
    type=click.IntRange(1),
    help="How many new notes: exactly so many where tokens tell each note alike, else about so many.",
)


def in_regions(function: F) -> F:
    """The flags that say where."""
    options = (
        click.option("--bars", metavar="5-8", help="Draw these bars anew. They count from 1; an upbeat is bar 0."),
        click.option("--seconds", metavar="3.5-7", help="Draw what begins in this time."),
        click.option("--pitch", metavar="C4-C6", help="Draw notes of these pitches (C4 is 60)."),
        click.option("--track", metavar="2", help="Draw this track, by its number or name; --dry-run lists them."),
        click.option("--hand", metavar="right|left", help="Draw this staff of a piano."),
        click.option(
            "--region", multiple=True, metavar="TEXT", help="One region more: 'bars 5-8, pitch C4-C6'. Repeatable."
        ),
        click.option("--except", "inverted", is_flag=True, help="Draw everything but that."),
        click.option(
            "--lock",
            multiple=True,
            metavar="rhythm|pitches|velocity|range",
            help="Keep that of the notes there, and as many of them; range: new pitches stay in theirs. Repeatable.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def region_of(given: dict[str, Any]) -> tuple[tuple[str, ...], bool, tuple[str, ...], dict[str, str | None]]:
    """Of the flags of `in_regions`, which are removed: texts of regions, whether all but they is meant, locks, and the
    conditions of one region more.
    """
    conditions = {name: given.pop(name) for name in ("bars", "seconds", "pitch", "track", "hand")}
    return given.pop("region"), given.pop("inverted"), given.pop("lock"), conditions


def steered(
    command: str, file: Path, ask: Callable[[UserFile, Fraction | None], Asked], given: Mapping[str, Any]
) -> None:
    """Draw what is asked of a file, by the flags of `steering`."""
    options = dict(given)
    assignments = options.pop("assignments")
    model, out = options.pop("model"), options.pop("out")
    flags = collect(options, assignments, BY_NAME)
    if out is not None and out.suffix.lower() not in (".mid", ".midi"):
        raise UsageError(f"--out names a MIDI file, such as new.mid (given: {out}).")

    from diffmidi_core.steer.user_file import UserFile

    user_file = UserFile.read(file.expanduser())
    if options["resume"]:
        _check_asks_nothing(assignments)
        asked = None
    else:
        asked = ask(user_file, options["upbeat"])
        flags |= _chosen(options)
        if options["dry_run"]:
            click.echo(asked.describe())
            return
    if model is None:
        raise UsageError("--model MODEL says what draws: a run, or a folder that `diffmidi export` wrote.")

    from diffmidi_core.cli.drawing import going_on, plan, wrote
    from diffmidi_core.cli.stopping import drawing
    from diffmidi_core.config import default_parts
    from diffmidi_core.draw.sample import copy_to
    from diffmidi_core.machine.build import check_parts
    from diffmidi_core.steer.draw import asked_before, draw_takes

    if options["resume"]:
        planned, begun = going_on(model, options["name"], flags, assignments, command)
        asked, alone = asked_before(begun, user_file)
    else:
        assert asked is not None
        planned, begun, alone = plan(model, options["checkpoint"], flags, assignments), None, options["only_new"]
    # A run that draws no pictures as it goes shows what is new nonetheless.
    renderers = planned.renderers or ([] if "no_renderer" in flags else default_parts("renderer"))
    check_parts(planned.parts(renderers))
    draws = Path("draws")
    with drawing(draws):
        draw = draw_takes(
            planned.work,
            planned.open(),
            asked,
            planned.request,
            draws,
            command=command,
            name=options["name"],
            renderers=renderers,
            alone=alone,
            begun=begun,
        )
    if not planned.work.accelerator.is_main_process:
        return
    wrote(draw, copy_to(draw, out.expanduser()) if out else [], None, fills=model)


def _chosen(options: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked of the model, as `requested` takes it."""
    flags = {"sample.count": options["candidates"], **asked_labels(options["want"], options["guidance"])}
    flags |= {} if options["steps"] is None else {"sample.steps": options["steps"]}
    return flags | ({} if options["rank_by"] is None else {"rank_by": options["rank_by"]})


def _check_asks_nothing(assignments: Sequence[str]) -> None:
    """A draw that goes on is the one that was asked for; how it is shown may be chosen anew."""
    shown = {"renderer", "no_renderer", "hook", "no_hook"}
    context = click.get_current_context()
    given = {
        name for name in context.params if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    }
    asked = given - {"file", "model", "resume", "name", "out", "assignments", *map(parameter, shown)}
    if asked or assignments_of(assignments).keys() - shown:
        raise UsageError(
            "--resume goes on with a draw as it was asked for: name its FILE and --model, and leave out all that says "
            "what is drawn (--bars, --candidates, --seed, ...)."
        )
