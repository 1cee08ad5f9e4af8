"""Mistakes as sentences: what is wrong with a value, the nearest right name, an exception on one line."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError


def describe_all(error: ValidationError, model: type[BaseModel], section: str) -> str:
    """All mistakes of a validation, a sentence each."""
    return " ".join(describe(mistake, model, section) for mistake in error.errors(include_url=False))


def describe(mistake: Mapping[str, Any], model: type[BaseModel], section: str) -> str:
    """One pydantic error in our words: the dotted name, what is wrong with it, and the nearest right name."""
    name = ".".join(str(part) for part in mistake["loc"])
    dotted = f"{section}.{name}" if name else section
    if mistake["type"] == "extra_forbidden":
        names = list(model.model_fields)
        return f"there is no option {dotted}.{did_you_mean(name, names)} Options: {', '.join(names) or 'none'}."
    if mistake["type"] == "missing":
        return f"{dotted} must be given."
    if mistake["type"] in ("value_error", "assertion_error"):  # a validator's own words, after pydantic's preamble
        reason = str(mistake["msg"]).partition(", ")[2] or "is not a value it takes"
    else:
        reason = str(mistake["msg"])
        reason = reason[:1].lower() + reason[1:]
    given = f" (given: {cut(repr(mistake['input']))})" if name else ""
    return f"{dotted}: {reason.rstrip('.')}{given}."


def first_mistake(error: ValidationError) -> str:
    """Where pydantic's first error is, and what is wrong there."""
    mistake = error.errors(include_url=False, include_input=False)[0]
    message = str(mistake["msg"]).removeprefix("Value error, ")
    where = cut(printable(".".join(map(str, mistake["loc"])))) or "all of it"
    return f"{where}: {message[:1].lower()}{message[1:]}"


def did_you_mean(name: str, names: Collection[str]) -> str:
    """ " Did you mean 'bert'?" where a right name is near; else nothing."""
    near = difflib.get_close_matches(name, sorted(names), n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def short(error: BaseException) -> str:
    """An exception on one line: its type and its message."""
    try:
        text = cut(printable(" ".join(str(error).split())))
    except Exception:  # a plugin's own exception may fail at saying what it is
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def printable(name: object) -> str:
    """A text that is safe to print, on one line: control characters and undecodable bytes become backslash escapes."""
    text = str(name).encode("utf-8", "backslashreplace").decode()
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def cell(value: Any) -> Any:
    """A value for a cell of a CSV file: text on one line, which no spreadsheet takes for a formula.

    Those begin with =, +, -, @ or white space; an apostrophe before it is how spreadsheets write that it is text.
    Numbers stay numbers.
    """
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text[:1] in tuple("=+-@ \t") and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def listed(names: Collection[str], most: int = 20) -> str:
    """Names that somebody else chose, safe to print: the first of them, and how many others there are."""
    first = ", ".join(cut(printable(name), 60) for name in [*names][:most])
    return first if len(names) <= most else f"{first} and {len(names) - most:,} more"


def cut(text: str, most: int = 200) -> str:
    """At most so many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"
