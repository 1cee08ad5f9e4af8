"""Numbers, places and lengths as the page says them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from diffmidi.api.hook import count_text, figure_text

_PATH = re.compile(r"(?<![\w./\\])(?:file:/*(?=/)|[A-Za-z]:(?=[/\\])|~\w*(?=/))?[/\\](?![/\s])[^\s'\"<>|,;:)]+")
"""An absolute path within a text; the slashes of an address and of 4/4 begin none."""
_LENGTHS = {"windows": ", as long as training windows", "pieces": ", as long as training pieces"}


def number(value: float, digits: int = 3) -> str:
    """A figure, with the minus sign of typography."""
    text = figure_text(value, digits)
    return text.replace("-", "\N{MINUS SIGN}", 1) if value < 0 else text


def short(count: int) -> str:
    """3.55 M, 104 k, 9,999."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if count >= size:
            return f"{count / (1e3 if letter == 'k' else size):.3g} {letter}"
    return count_text(count)


def length(asked: str) -> str:
    """A request's length, to stand right behind its pieces: " of 8 bars"."""
    return _LENGTHS.get(asked, f" of {asked}")


def placeless(value: Any) -> Any:
    """The value without the places that are nobody else's business: of an absolute path only its end, at any depth, and
    in the middle of a text too.
    """
    if isinstance(value, Mapping):
        return {name: placeless(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [placeless(each) for each in value]
    if isinstance(value, str):
        for path in (PurePosixPath(value), PureWindowsPath(value)):
            if path.is_absolute() or value.startswith("~"):
                return path.name or "a folder"
        return _PATH.sub(lambda found: PureWindowsPath(found[0]).name or "a folder", value)
    return value


def told(value: Any) -> str:
    """A setting's value, or the names of chosen parts."""
    value = placeless(value)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return str(value.get("name", ", ".join(value)))
    if isinstance(value, list):
        return ", ".join(map(told, value)) or "none"
    return str(value)
