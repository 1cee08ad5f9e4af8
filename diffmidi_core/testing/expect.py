"""How a check fails."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from diffmidi_core.errors import BrokenPluginError, DiffmidiError


class ConformanceError(AssertionError):
    """A part does not keep its kind's promise; says which, and what was seen."""


def expect(holds: object, promise: str) -> None:
    """Fail the check, saying the promise, where it does not hold. (`assert` would say nothing under `python -O`.)"""
    if not holds:
        raise ConformanceError(promise)


@contextlib.contextmanager
def never_raises(doing: str) -> Iterator[None]:
    """Fail the check where the block raises anything."""
    try:
        yield
    except Exception as error:
        raise ConformanceError(f"{doing} raised {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def refuses(doing: str, *, naming: str = "") -> Iterator[None]:
    """Fail the check unless the block raises a DiffmidiError (whose message holds `naming`)."""
    try:
        yield
    except BrokenPluginError:
        raise
    except DiffmidiError as error:
        expect(naming in str(error), f"{doing}: the error does not name {naming!r}: {error}")
    except Exception as error:
        raise ConformanceError(
            f"{doing} must raise a DiffmidiError with one plain sentence, not {type(error).__name__}: {error}"
        ) from error
    else:
        raise ConformanceError(f"{doing} must be refused")
