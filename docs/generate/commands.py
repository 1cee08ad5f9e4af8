"""The page of commands, from click: what each is for, how it is called, and its flags."""

from __future__ import annotations

import html
import inspect
import re
from collections.abc import Iterator

import click

from diffmidi_core.cli import COMMANDS, group


def commands() -> str:
    """Every command, one after the other, as Markdown."""
    index = "\n".join(f"| [`{name}`](#diffmidi-{name}) | {about} |" for name, about in COMMANDS.items())
    sections = (_section(command, path) for command, path in _walk(group, ("diffmidi",)) if command is not group)
    return "\n\n".join(
        (
            f"| command | what it does |\n| --- | --- |\n{index}",
            _flags(group, click.Context(group, **group.context_settings)),
            *sections,
        )
    )


def _walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[click.Command, tuple[str, ...]]]:
    yield command, path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if (found := command.get_command(context, name)) is not None and not found.hidden:
                yield from _walk(found, (*path, name))


def _section(command: click.Command, path: tuple[str, ...]) -> str:
    context = click.Context(command, info_name=" ".join(path), **group.context_settings)
    usage = " ".join(command.collect_usage_pieces(context))
    parts = [
        f"{'#' * len(path)} {' '.join(path)}",
        f"```text\n{' '.join(path)} {usage}\n```",
        _paragraphs(command.help or ""),
        _flags(command, context),
    ]
    return "\n\n".join(part for part in parts if part)


def _flags(command: click.Command, context: click.Context) -> str:
    flags = [record for each in command.get_params(context) if (record := each.get_help_record(context))]
    rows = "\n".join(f"| {_code(flag)} | {cell(told)} |" for flag, told in flags)
    return f"| flag | what it says |\n| --- | --- |\n{rows}"


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
    pieces = re.split(r"(`[^`]*`)", " ".join(text.split()))
    plain = (
        piece if piece.startswith("`") else re.sub(r"([\\*_\[\]])", r"\\\1", html.escape(piece, quote=False))
        for piece in pieces
    )
    return "".join(plain).replace("|", "\\|")
