"""The pages of the docs, and the code in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import click

from diffmidi_core.cli import group

ROOT = Path(__file__).parents[2]
WRITTEN = ("README.md", *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")))
"""By hand, with code that is tried."""
_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Line:
    """A line that calls `diffmidi`, and where it stands."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: diffmidi {shlex.join(self.words)}"


def blocks(page: str, *languages: str) -> list[str]:
    """What stands in the fenced blocks of these languages."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [code for _, language, code in _FENCED.findall(text) if language in languages]


def lines() -> Iterator[Line]:
    """Every line of shell that calls `diffmidi`."""
    for page in WRITTEN:
        for code in blocks(page, "sh", "", "text"):
            for line in code.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True) if "diffmidi " in line and line.count("'") % 2 == 0 else []
                if words and Path(words[0]).name == "diffmidi":
                    yield Line(page, tuple(takewhile(lambda word: word != ">", words[1:])))


def parsed(words: tuple[str, ...]) -> click.Context:
    """What click makes of a command line, without running it. Raises click.ClickException."""
    command, name = group, "diffmidi"
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, words = words[0], words[1:]
        found = command.get_command(click.Context(command), name)
        if found is None:
            raise click.UsageError(f"there is no command {name}")
        command = found
    return command.make_context(name, [*words])
