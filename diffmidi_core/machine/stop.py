"""Stopping well: Ctrl-C and the signals of terminals and schedulers are noted, and work leaves when it is saved."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

from diffmidi_core.errors import StoppedError
from diffmidi_core.machine.ranks import main_only

ECHO = 1.0
"""Seconds within which a second SIGINT is an echo of the first: a launcher passes on what the terminal sent to all."""
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name))
"""Ctrl-C, `kill`, a terminal that is closed, and what schedulers send before time is up (Windows has the first two)."""


class Stop:
    """While it is entered, the first of SIGNALS only sets `asked`; a later SIGINT interrupts at once."""

    def __init__(self) -> None:
        self.asked = False
        self._first = 0.0

    def __enter__(self) -> Self:
        self._before = _handled(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        _restore(self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.asked:
            self.asked, self._first = True, now
        elif number == signal.SIGINT and now - self._first > ECHO:
            raise KeyboardInterrupt


@contextmanager
def interruptible(what_is_done: Callable[[], str]) -> Iterator[None]:
    """While it is entered, any of SIGNALS ends the block at once: StoppedError with the sentence `what_is_done` gives.

    For work that keeps what it has written as it goes. Of several processes only the main one says it.
    """

    first = math.inf

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal first
        now = time.monotonic()
        if first < now < first + ECHO:
            return
        first = min(first, now)
        raise KeyboardInterrupt

    before = _handled(interrupt)
    try:
        yield
    except KeyboardInterrupt:
        raise main_only(StoppedError(what_is_done())) from None
    finally:
        _restore(before)


def _handled(handler: Callable[[int, FrameType | None], None]) -> dict[int, Any]:
    """Give SIGNALS a handler; what they had before. `nohup` ignores SIGHUP, and so it stays.

    Only the main thread can have signals: elsewhere (a server that calls us) nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    kept = {number for number in SIGNALS if number != signal.SIGINT and signal.getsignal(number) == signal.SIG_IGN}
    return {number: signal.signal(number, handler) for number in SIGNALS if number not in kept}


def _restore(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
