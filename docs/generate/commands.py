"""The page of commands, from click: what each is for, how it is called, and its flags."""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Iterator

import click

from diffmidi_core.cli import COMMANDS, group


def commands_page() -> str:
    """Every command, one after the other, as Markdown."""
    top = click.Context(group, info_name="diffmidi")
    index = "\n".join(f"| [`{name}`](#diffmidi-{name}) | {about} |" for name, about in COMMANDS.items())
    sections = [_section(command, path) for command, path in _walk(group, ("diffmidi",)) if command is not group]
    return "\n\n".join(
        (
            "# Commands",
            "What `diffmidi COMMAND --help` says. `diffmidi --version` names the version.",
            f"| command | what it does |\n| --- | --- |\n{index}",
            *sections,
            _ended(top),
        )
    )


def _ended(top: click.Context) -> str:
    return (
        "## How a command ends\n\nWith 0 where it did what was asked. A mistake is one sentence on standard error, and 2 "
        "where the command line was wrong. Ctrl-C ends with 130, once what was trained is saved. With `DIFFMIDI_DEBUG=1` "
        "in the environment the traceback stands before the sentence: for authors of parts."
    )


def _walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[click.Command, tuple[str, ...]]]:
    yield command, path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if (found := command.get_command(context, name)) is not None and not found.hidden:
                yield from _walk(found, (*path, name))


def _section(command: click.Command, path: tuple[str, ...]) -> str:
    context = click.Context(command, info_name=" ".join(path))
    usage = " ".join(command.collect_usage_pieces(context))
    flags = [record for each in command.get_params(context) if (record := each.get_help_record(context))]
    rows = "\n".join(f"| {_code(flag)} | {cell(told)} |" for flag, told in flags)
    parts = [
        f"{'#' * len(path)} {' '.join(path)}",
        f"```text\n{' '.join(path)} {usage}\n```",
        _paragraphs(command.help or ""),
        f"| flag | what it says |\n| --- | --- |\n{rows}",
    ]
    return "\n\n".join(part for part in parts if part)


def _paragraphs(text: str) -> str:
    """A command's help as Markdown; paragraphs marked with \\b keep their lines."""
    found = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        found.append(f"```text\n{paragraph[1:].strip(chr(10))}\n```" if paragraph.startswith("\b") else paragraph)
    return "\n\n".join(found)


def _code(flag: str) -> str:
    return f"`{flag}`".replace("|", "\\|")


def cell(text: str) -> str:
    """Text for people in a cell of a table: nothing in it is Markdown, but what stands between backticks is code."""
    escaped = re.sub(r"([\\*_\[\]|])", r"\\\1", html.escape(" ".join(text.split()), quote=False))
    return (
        re.sub(r"`([^`]*)`", lambda found: found[0].replace("\\", ""), escaped)
        .replace("|", "\\|")
        .replace("\\\\|", "\\|")
    )
