"""Flags: generated from the fields of the sections that a command owns; and the session that a command works in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from diffmidi_core.cli.completing import PresetOption, names
from diffmidi_core.cli.paths import UserPath
from diffmidi_core.config import KINDS, PLURAL, SECTIONS, SINGLE, RunConfig
from diffmidi_core.errors import UsageError
from diffmidi_core.layers import assignments_of

if TYPE_CHECKING:
    from diffmidi_core.machine.session import Session

F = TypeVar("F", bound=Callable[..., Any])

RUN = click.argument("run", type=UserPath(), metavar="RUN")
OUT = click.option("--out", type=UserPath(), help="Folder of the new run (default: runs/TOKENIZER-BACKBONE-N).")
CONFIG = click.option("--config", type=UserPath(), help="A config.json to begin from; flags and -o override it.")
EXPLAIN = click.option(
    "--explain", "explain_only", is_flag=True, help="Only print every setting and the layer it comes from."
)


def _checkpoint(context: click.Context, parameter: click.Parameter, value: str | None) -> int | str | None:
    if value is None or value in ("last", "best"):
        return value
    if value.isdecimal():
        return int(value)
    raise click.BadParameter(f"a checkpoint is a step, such as 500, or last, or best (given: {value!r}).")


CHECKPOINT = click.option(
    "--checkpoint",
    callback=_checkpoint,
    metavar="STEP|last|best",
    help="Use this checkpoint (default: best on held-out music; last where none is held out).",
)
PROFILE = click.option(
    "--profile", is_flag=True, help="Leave in RUN/profile where the time of a few training steps goes."
)
LICENSE = click.option(
    "--license",
    metavar="LICENCE",
    help="Licence of the music it was trained on, as the Hub spells it: cc-by-4.0 (default: unknown).",
)

TRACK = "hook.track.to"
LENGTHS = (
    ("notes", click.IntRange(1), "Pieces of so many notes (default: as long as training windows)."),
    ("bars", click.IntRange(1), "Pieces of so many bars, in the training music's metre where tokens name none."),
    ("seconds", click.FloatRange(0, min_open=True), "Pieces of so many seconds, at the training music's tempo."),
)
_TYPES: Mapping[Any, Any] = {
    int: int,
    float: float,
    bool: bool,
    str: str,
    str | None: str,
    int | None: int,
    float | None: float,
}


@dataclass(frozen=True)
class Owned:
    """What a command may set: values at the top of the config, parts, lists of parts, and sections."""

    command: str
    top: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What `-o` may begin with."""
        return (*self.kinds, *self.sections)


PREPARE = Owned("prepare", ("data",), ("source", "tokenizer", "hook"), ("prepare",))
TRAIN = Owned(
    "train",
    ("preset", "length", "seed", "precision"),
    ("backbone", "schedule", "process", "hook"),
    ("augment", "condition", "train"),
)
CLASSIFIER = Owned("train-classifier", ("seed", "precision"), ("backbone", "hook"), ("train",))
SAMPLE = Owned("sample", ("seed", "precision"), ("sampler", "control", "renderer", "hook"), ("sample",))
EVALUATE = Owned("evaluate", ("data", "precision"), ("source", "metric", "hook"), ("evaluate",))
RENDER = Owned("render", (), ("renderer", "hook"))
REPORT = Owned("report", (), ("hook",))
ALL = Owned("run", ("data", "preset", "length", "seed", "precision"), KINDS, SECTIONS)
_OWNERS = (PREPARE, TRAIN, SAMPLE, EVALUATE, RENDER, REPORT)


def settings(owned: Owned) -> Callable[[F], F]:
    """Every flag of what a command owns, and -o. The command gets them as `given` and `assignments`."""

    def decorate(function: F) -> F:
        options = [*_top(owned), *_sections(owned), *_parts(owned)]
        example = "backbone.size=base" if "backbone" in owned.kinds else f"{owned.names[0]}.OPTION=VALUE"
        options.append(
            click.option(
                "-o",
                "assignments",
                multiple=True,
                metavar="SECTION.KEY=VALUE",
                help=f"Set an option of {', '.join(owned.names)}: {example}. Repeatable.",
            )
        )
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _top(owned: Owned) -> list[Callable[[F], F]]:
    return [_flag(name, RunConfig.model_fields[name]) for name in owned.top]


def _sections(owned: Owned) -> list[Callable[[F], F]]:
    options: list[Callable[[F], F]] = []
    for section in owned.sections:
        model = RunConfig.model_fields[section].annotation
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        options += [_flag(f"{section}.{name}", field) for name, field in model.model_fields.items() if _name(field)]
        if section == "sample":
            options += [
                click.option(f"--{unit}", parameter(f"sample.length.{unit}"), type=amount, help=text)
                for unit, amount, text in LENGTHS
            ]
    return options


def _parts(owned: Owned) -> list[Callable[[F], F]]:
    options: list[Callable[[F], F]] = []
    for kind in owned.kinds:
        if kind in SINGLE:
            options.append(_named(kind, f"Choose the {kind}."))
        elif kind in PLURAL:
            options.append(_named(kind, f"Add a {kind} to the default ones. Repeatable.", multiple=True))
            options.append(
                _named(kind, f"Leave out a default {kind}, or all. Repeatable.", "no_", "all", multiple=True)
            )
        else:
            options += [_named(kind, "Obey a rule, or come near. Repeatable.", multiple=True), *_candidates()]
    if "hook" in owned.kinds and "train" in owned.sections:
        text = "Tell an experiment tracker, such as tensorboard, wandb or mlflow. Repeatable."
        options.append(click.option("--track", parameter(TRACK), multiple=True, metavar="NAME", help=text))
    return options


def _named(kind: str, text: str, before: str = "", *others: str, multiple: bool = False) -> Callable[[F], F]:
    """A flag that takes the name of a part of a kind, or one of `others`."""
    return click.option(
        f"--{before.replace('_', '-')}{kind}",
        parameter(f"{before}{kind}"),
        multiple=multiple,
        metavar="NAME",
        help=text,
        shell_complete=names(kind, *others),
    )


def _candidates() -> list[Callable[[F], F]]:
    """How hard what controls judge is looked for; kept out of the help, which has to fit on a page."""
    tries = click.option("--tries", parameter("sample.tries"), type=click.IntRange(1), hidden=True)
    return [tries, click.option("--redraws", parameter("sample.redraws"), type=click.IntRange(0), hidden=True)]


def _name(field: FieldInfo) -> str | None:
    extra = field.json_schema_extra
    return str(extra["flag"]) if isinstance(extra, dict) and "flag" in extra else None


def _flag(target: str, field: FieldInfo) -> Callable[[F], F]:
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    text = field.description or ""
    extra = field.json_schema_extra
    told = field.default is not None and isinstance(extra, dict) and extra["shown"]
    default = f" (default {_told(field.default)})" if told else ""
    return click.option(
        str(_name(field)),
        parameter(target),
        cls=PresetOption if target == "preset" else None,
        shell_complete=names("preset") if target == "preset" else None,
        type=click.Choice([str(choice) for choice in choices]) if choices else _TYPES[field.annotation],
        default=None,
        help=f"{text[:1].upper()}{text[1:]}{default}.",
    )


def _told(value: object) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def collect(given: dict[str, Any], assignments: tuple[str, ...], owned: Owned) -> dict[str, Any]:
    """The flags that were given, under the names that `config.resolve` takes; removed from `given`.

    Raises UsageError where -o sets what the command does not own.
    """
    for section, values in assignments_of(assignments).items():
        if section not in owned.names:
            owners = " and ".join(f"`diffmidi {owner.command}`" for owner in _OWNERS if section in owner.names)
            belongs = f"{section} belongs to {owners}" if owners else f"there is no section '{section}'"
            raise UsageError(
                f"-o {section}.{next(iter(values))}: {belongs}. `diffmidi {owned.command}` sets "
                f"{', '.join(owned.names)}."
            )
    prefix = parameter("")
    values = {name: given.pop(name) for name in [name for name in given if name.startswith(prefix)]}
    flags = {name.removeprefix(prefix).replace("__", "."): value for name, value in values.items()}
    asked = {unit: amount for unit, _, _ in LENGTHS if (amount := flags.pop(f"sample.length.{unit}", None)) is not None}
    if len(asked) > 1:
        units = " and ".join(f"--{unit}" for unit in asked)
        raise UsageError(f"{units} both set how long pieces are: give one of them.")
    for unit, amount in asked.items():
        flags["sample.length"] = f"{amount:.12g} {unit}"
    return {name: value for name, value in flags.items() if value is not None and value != ()}


def parameter(target: str) -> str:
    """What click calls the flag of a setting, so that no option of a command has its name."""
    return "set__" + target.replace(".", "__")


def open_session(run: Path, flags: Mapping[str, Any], assignments: tuple[str, ...], owned: Owned) -> Session:
    """A session on a run that was begun, which the command holds until it ends.

    Raises DiffmidiError where flags would change what trained it, or where somebody else works on it.
    """
    from diffmidi_core.machine.run_log import kept
    from diffmidi_core.machine.session import Session
    from diffmidi_core.saved.folder import RunFolder
    from diffmidi_core.saved.lock import hold

    folder = RunFolder.open(run)
    config, changed = folder.changed(flags, assignments, kinds=owned.kinds)
    click.get_current_context().with_resource(hold(folder.path, owned.command))
    click.get_current_context().with_resource(kept(folder.path))
    return Session(folder, config, changed=changed)


def new_session(
    out: Path | None,
    file: Mapping[str, Any] | None,
    flags: Mapping[str, Any],
    assignments: tuple[str, ...],
    owned: Owned,
) -> Session:
    """A session on a new run folder, which the command holds until it ends.

    The config is checked before anything heavy is imported.
    """
    from diffmidi_core.config import resolve

    config = resolve(file, flags, assignments)

    from diffmidi_core.machine.ranks import done_by_main
    from diffmidi_core.machine.run_log import kept
    from diffmidi_core.machine.session import Session
    from diffmidi_core.saved.folder import RunFolder
    from diffmidi_core.saved.lock import hold

    folder = RunFolder(done_by_main(lambda: RunFolder.claim(out, config).path))
    click.get_current_context().with_resource(hold(folder.path, owned.command))
    done_by_main(lambda: folder.begin(config))
    click.get_current_context().with_resource(kept(folder.path))
    return Session(folder, config)


def next_step(sentence: str) -> None:
    """Print what to do next, on the main process only."""
    from diffmidi_core.machine.ranks import is_main

    if is_main():
        click.echo(sentence)


def warned(sentence: str) -> None:
    """Print what the user should know, on the main process only."""
    from diffmidi_core.machine.ranks import is_main

    if is_main():
        click.echo(f"Warning: {sentence}", err=True)
