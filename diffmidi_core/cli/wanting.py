"""The flags by which a command that draws asks for labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def _want(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Labels by name."""
    found: dict[str, str] = {}
    for value in values:
        name, equals, asked = (part.strip() for part in value.partition("="))
        if not (name and equals and asked):
            raise click.BadParameter(f"it is NAME=VALUE, such as key=Dminor (given: {value!r}).")
        if name in found:
            raise click.BadParameter(f"{name} is asked for twice, and a piece has one.")
        found[name] = asked
    return found


def asking_labels(function: F) -> F:
    """`--want` and `--guidance`."""
    want = click.option(
        "--want",
        multiple=True,
        callback=_want,
        metavar="NAME=VALUE",
        help="Ask for a label (`diffmidi labels MODEL`): key=Dminor, density=each. Repeatable.",
    )
    guidance = click.option(
        "--guidance",
        type=click.FloatRange(0, 100),
        metavar="W",
        help="How closely --want is followed (default 1; 0: as the model learned it).",
    )
    return want(guidance(function))


def asked_labels(want: Mapping[str, str], guidance: float | None) -> dict[str, Any]:
    """What the flags add to a request's."""
    return ({"want": dict(want)} if want else {}) | ({} if guidance is None else {"guidance": guidance})
