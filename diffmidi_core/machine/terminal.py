"""A terminal that goes away, or the pipe to one, ends no work: what would be shown goes nowhere from then on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


class Unbreakable:
    """A stream that can be written to whatever becomes of the one behind it; all else is as that has it.

    Args:
        stream: where text goes as long as it can.
        gone: called once, when it first cannot.
    """

    def __init__(self, stream: TextIO, gone: Callable[[], object]) -> None:
        self._stream, self._gone = stream, gone
        self._open = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text, or nothing."""
        if self._open:
            self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Hand on what was written, or nothing."""
        if self._open:
            self._try(self._stream.flush)

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except (OSError, ValueError):  # ValueError: it was closed
            self._open = False
            self._silence()
            self._gone()

    def _silence(self) -> None:
        """What is still kept for it, and what is written without us, goes nowhere too."""
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        with suppress(OSError, ValueError):
            self._stream.flush()


@contextmanager
def unbreakable(gone: Callable[[], object]) -> Iterator[None]:
    """While it is entered, sys.stdout and sys.stderr cannot break; `gone` is called for the first that would have."""
    told = False

    def once() -> None:
        nonlocal told
        if not told:
            told = True
            gone()

    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (Unbreakable(stream, once) if stream is not None else stream for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        told = True  # whoever has kept one of ours, as logging does, may flush it when the program is over
