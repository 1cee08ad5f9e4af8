"""Commands as functions of a script: the same flags, checks and work, with an answer, and with errors to catch."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import click

from diffmidi_core.allowing import spelled
from diffmidi_core.cli import group
from diffmidi_core.errors import UnreadableError, UsageError
from diffmidi_core.files import may_not_be_read
from diffmidi_core.own import spec_of
from diffmidi_core.wording import did_you_mean


def call(name: str, arguments: Mapping[str, Any], options: Mapping[str, Any] | None = None) -> Any:
    """Do what `diffmidi NAME` does, and return what the command does.

    Args:
        name: of the command.
        arguments: flags by their names ("batch_size" is --batch-size; a list is a flag that is repeated; a class of
            the caller's own is the part that is chosen) and the command's own arguments ("run"); None: not given.
        options: what -o takes, by dotted name: {"backbone.size": "tiny"}.

    Raises DiffmidiError, also for what click says of wrong flags.
    """
    command = group.get_command(click.Context(group), name)
    assert command is not None
    given = [text for key, value in arguments.items() if value is not None for text in _texts(command, key, value)]
    given += [f"-o{dotted}={json.dumps(_plain(value))}" for dotted, value in (options or {}).items()]
    try:
        with command.make_context(name, spelled(given)) as context:
            return command.invoke(context)
    except click.ClickException as error:
        raise UsageError(f"{name}: {error.format_message()}") from None
    except PermissionError as error:
        raise UnreadableError(may_not_be_read(str(error.filename or error))) from None


def _texts(command: click.Command, key: str, value: Any) -> list[str]:
    """A keyword and its value as they stand on the command line."""
    arguments = {argument.name: argument for argument in command.params if isinstance(argument, click.Argument)}
    if key in arguments:
        many = arguments[key].nargs == -1 and not isinstance(value, str | os.PathLike)
        return [os.fspath(each) for each in (value if many else [value])]
    flag = f"--{key.replace('_', '-')}"
    flags = {opt: option for option in command.params if isinstance(option, click.Option) for opt in option.opts}
    if flag not in flags:
        known = [opt.removeprefix("--").replace("-", "_") for opt in flags if opt.startswith("--")]
        raise UsageError(f"diffmidi.{command.name} takes no '{key}'.{did_you_mean(key, known)}")
    if flags[flag].is_flag:
        return [flag] if value else []
    values = value if flags[flag].multiple and isinstance(value, list | tuple) else [value]
    return [f"{flag}={_plain(item)}" for item in values]


def _plain(value: Any) -> Any:
    """A path as text, a class of the caller's own as `module:Class`, and anything else as it is."""
    if isinstance(value, type):
        return spec_of(value)
    return os.fspath(value) if isinstance(value, os.PathLike) else value
