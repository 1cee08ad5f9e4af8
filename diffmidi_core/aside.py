"""Keeping what others' modules print out of what a command prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from threading import RLock

_ALONE = RLock()
"""Standard output belongs to the whole process."""


@contextmanager
def output_aside() -> Iterator[None]:
    """What is printed within goes to standard error, whoever prints it: Python, a library in C, a program it starts."""
    with _ALONE:
        _flush()
        kept = None
        with suppress(OSError):  # there may be no standard output or error at all
            kept = os.dup(1)
            os.dup2(2, 1)
        try:
            with redirect_stdout(sys.stderr):
                yield
        finally:
            _flush()
            if kept is not None:
                os.dup2(kept, 1)
                os.close(kept)


def _flush() -> None:
    for stream in (sys.stdout, sys.__stdout__):
        with suppress(OSError, ValueError, AttributeError):  # closed, or None
            stream.flush()  # type: ignore[union-attr]
