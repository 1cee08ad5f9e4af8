"""Options that several commands share: which parts, what to set, which folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from diffmidi_core.errors import UsageError
from diffmidi_core.presets import DEFAULT

if TYPE_CHECKING:
    from diffmidi_core.run.session import Session

F = TypeVar("F", bound=Callable[..., Any])

RUN = click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
OUT = click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the new run (default: runs/TOKENIZER-BACKBONE-N)."
)
CONFIG = click.option(
    "--config", type=click.Path(path_type=Path), help="A config.json to begin from; flags and -o go over it."
)
SET = click.option(
    "-o",
    "assignments",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Set an option of a part or a section: backbone.size=base, train.lr=3e-4. Repeatable.",
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
    help="Use this checkpoint (default: best, the one of the lowest held-out bound; last where no music is held out).",
)
PROFILE = click.option(
    "--profile", is_flag=True, help="Leave in RUN/profile where the time of a few training steps goes."
)
LICENSE = click.option(
    "--license",
    metavar="LICENCE",
    help="Licence of the music it was trained on, as the Hub spells it: cc-by-4.0 (default: unknown).",
)

_PARTS = ("source", "tokenizer", "backbone", "schedule", "process", "sampler")
_PLURALS = ("metric", "renderer", "hook")
# Flag, where its value goes in the config, type, help.
_DATA = (("--data", "data", str, "Folder of MIDI files, FILE.parquet or hub:NAME (default: music21's Bach chorales)."),)
_GENERAL = (
    (
        *("--preset", "preset", str),
        "Options to begin from: best (masked diffusion, the lowest bound), upgraded (Diffusion-LM and what came after "
        f"it) or faithful (Diffusion-LM as published). Default {DEFAULT}.",
    ),
    ("--length", "length", int, "Words in a window, between [CLS] and [SEP] (default 128)."),
    ("--seed", "seed", int, "Everything random follows from it (default 0)."),
    ("--precision", "precision", click.Choice(["auto", "fp32", "bf16", "fp16"]), "Arithmetic (default auto)."),
)
_TRAIN = (
    ("--iterations", "train.iterations", int, "Optimiser steps."),
    ("--batch-size", "train.batch_size", int, "Windows per forward pass and process."),
    ("--accumulate", "train.accumulate", int, "Forward passes per optimiser step."),
    ("--lr", "train.lr", float, "Peak learning rate."),
    ("--compile/--no-compile", "train.compile", bool, "Compile the backbone: slow to begin, faster after."),
    ("--checkpointing/--no-checkpointing", "train.checkpointing", bool, "Save memory for a third more work."),
)
_TRACK = "hook.track.to"
_SAMPLE = (
    ("--steps", "sample.steps", int, "Evaluations of the network a piece (default: the sampler's)."),
    ("--samples", "sample.count", int, "How many pieces to draw."),
)
_LENGTH = "sample.length"
_LENGTHS = (
    ("notes", click.IntRange(1), "Draw pieces of so many notes (default: as long as training windows)."),
    ("bars", click.IntRange(1), "Draw pieces of so many bars, 4/4 where words name no metre."),
    ("seconds", click.FloatRange(0, min_open=True), "Draw pieces of so many seconds, at 120 quarter notes a minute."),
)
_ALL = (*_DATA, *_GENERAL, *_TRAIN, *_SAMPLE)


def settings(function: F) -> F:
    """Every flag that sets something in the config, and -o. The command gets `flags` and `assignments`."""
    for flag, target, value_type, said in reversed(_ALL):
        function = click.option(flag, _parameter(target), type=value_type, default=None, help=said)(function)
    for kind in reversed(_PLURALS):
        said = f"Choose {kind}s. Repeatable."
        function = click.option(f"--{kind}", _parameter(kind), multiple=True, metavar="NAME", help=said)(function)
    for kind in reversed(_PARTS):
        function = click.option(f"--{kind}", _parameter(kind), metavar="NAME", help=f"Choose the {kind}.")(function)
    for unit, amount, said in reversed(_LENGTHS):
        function = click.option(f"--{unit}", _parameter(f"{_LENGTH}.{unit}"), type=amount, help=said)(function)
    track = "Tell an experiment tracker, such as tensorboard, wandb or mlflow. Repeatable."
    return SET(click.option("--track", _parameter(_TRACK), multiple=True, metavar="NAME", help=track)(function))


def collect(given: dict[str, Any]) -> dict[str, Any]:
    """The flags that were given, under the names that `config.resolve` takes; removed from `given`."""
    targets = [*_PARTS, *_PLURALS, _TRACK, *(target for _, target, _, _ in _ALL)]
    values = {target: given.pop(_parameter(target)) for target in targets}
    values[_LENGTH] = _length({unit: given.pop(_parameter(f"{_LENGTH}.{unit}")) for unit, _, _ in _LENGTHS})
    return {name: value for name, value in values.items() if value is not None and value != ()}


def _length(given: Mapping[str, float | None]) -> str | None:
    """What `sample.length` is to be, from the flags of which one at most is given."""
    asked = {unit: amount for unit, amount in given.items() if amount is not None}
    if len(asked) > 1:
        flags = " and ".join(f"--{unit}" for unit in asked)
        raise UsageError(f"{flags} both say how long pieces are: give one of them.")
    return next((f"{amount:.12g} {unit}" for unit, amount in asked.items()), None)


def open_session(run: Path, given: dict[str, Any], assignments: tuple[str, ...]) -> Session:
    """A session on a run that was begun, with flags over its config.

    A stage saves the changed config once it has proved to fit the run: a mistaken flag must not spoil it.
    """
    from diffmidi_core.run.folder import RunFolder
    from diffmidi_core.run.session import Session

    folder = RunFolder.open(run)
    return Session(folder, folder.config(collect(given), assignments))


def new_session(
    out: Path | None, config_file: Path | None, given: dict[str, Any], assignments: tuple[str, ...]
) -> Session:
    """A session on a new run folder. The config is checked before anything heavy is imported."""
    from diffmidi_core.config import resolve
    from diffmidi_core.files import read_json

    config = resolve(read_json(config_file) if config_file else None, collect(given), assignments)

    from diffmidi_core.run.folder import RunFolder
    from diffmidi_core.run.ranks import done_by_main
    from diffmidi_core.run.session import Session

    return Session(RunFolder(done_by_main(lambda: RunFolder.new(out, config).path)), config)


def _parameter(target: str) -> str:
    return "set_" + target.replace(".", "_")
