"""A sign of life that the first rank leaves in a folder, so that the others do not wait for one that was killed."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from diffmidi_core.errors import DiffmidiError

BEAT = 5.0
"""Seconds between two signs of life."""
PATIENCE = 600.0
"""Seconds without one after which a rank is taken for dead; a file system may show changes a minute late."""


@contextlib.contextmanager
def beating(file: Path) -> Iterator[None]:
    """Touch a file every few seconds, by a thread that ends with the process, however that ends."""
    file.parent.mkdir(parents=True, exist_ok=True)
    over = threading.Event()

    def beat() -> None:
        while True:
            with contextlib.suppress(OSError):
                file.touch()
            if over.wait(BEAT):
                return

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Watch:
    """Looks whether a file is still touched, by this process's own clock: those of two machines may differ."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._seen, self._since = self._touched(), time.monotonic()

    def check(self) -> None:
        """Raises DiffmidiError where the file has not been touched for `PATIENCE` seconds."""
        seen, now = self._touched(), time.monotonic()
        if seen != self._seen:
            self._seen, self._since = seen, now
        elif now - self._since > PATIENCE:
            raise DiffmidiError(
                f"the first rank has shown no sign of life for {PATIENCE / 60:.0f} minutes, so it was killed, perhaps "
                "for want of memory; what is done is kept: start all ranks again by the same command."
            )

    def _touched(self) -> int:
        try:
            return self.file.stat().st_mtime_ns
        except OSError:
            return 0
