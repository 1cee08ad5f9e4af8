"""Stopping well: Ctrl-C and SIGTERM are noted, and the loop leaves when its state can be saved."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Self


class Stop:
    """While it is entered, the first SIGINT or SIGTERM only sets `asked`; a second SIGINT interrupts at once."""

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> Self:
        self._before = {each: signal.signal(each, self._note) for each in self._SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True
