"""Stopping well: Ctrl-C and SIGTERM are noted, and the loop leaves when its state can be saved."""

from __future__ import annotations

import signal
import time
from types import FrameType
from typing import Self

ECHO = 1.0
"""Seconds within which a second SIGINT is an echo of the first: a launcher passes on what the terminal sent to all."""


class Stop:
    """While it is entered, the first SIGINT or SIGTERM only sets `asked`; a later SIGINT interrupts at once."""

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.asked = False
        self._first = 0.0

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in self._SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.asked:
            self.asked, self._first = True, now
        elif number == signal.SIGINT and now - self._first > ECHO:
            raise KeyboardInterrupt
