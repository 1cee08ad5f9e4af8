"""Notebooks: whether this is one, and a progress bar that is one output, which changes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from diffmidi_core.numbers import clock_text, count_text

Tell = Callable[[int, int | None], object]
"""Told (done, total)."""
_EVERY = 0.2
"""Seconds between two states of a bar."""


def in_notebook() -> bool:
    """Whether a kernel runs this, as of Jupyter, VS Code or Colab. Imports nothing."""
    python = sys.modules.get("IPython")
    shell = python.get_ipython() if python is not None else None
    return getattr(shell, "kernel", None) is not None


@contextmanager
def told(on_step: Tell | None, what: str) -> Iterator[Tell | None]:
    """Who is told of steps: `on_step` where it is given; else a bar in a notebook, and elsewhere nobody."""
    if on_step is not None or not in_notebook():
        yield on_step
        return
    bar = Bar(what)
    yield bar
    bar.finish()


class Bar:
    """A line of a cell's output that tells how far something is; call it with (done, total)."""

    def __init__(self, what: str) -> None:
        self.what, self.began, self.shown = what, time.monotonic(), 0.0
        self.handle: Any = None
        self.done = 0
        self.total: int | None = None

    def __call__(self, done: int, total: int | None, figures: str = "") -> None:
        """Show that so many are done, of `total` where that is known."""
        self.done, self.total = done, total
        now = time.monotonic()
        if self.handle is None or now - self.shown >= _EVERY or done == total:
            self.shown = now
            self._show(figures)

    def finish(self) -> None:
        """All of it is done."""
        if self.handle is not None and self.total is not None:
            self.done = self.total
            self._show("")

    def _show(self, figures: str) -> None:
        from IPython.display import display

        text = self.text(figures)
        share = min(1.0, self.done / self.total) if self.total else None
        bar = "<progress></progress>" if share is None else f'<progress value="{share:.3f}" max="1"></progress>'
        html = f'<div style="font-size:.9em">{bar} {escape(text)}</div>'
        data = {"text/plain": text, "text/html": html}
        if self.handle is None:
            self.handle = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self.handle.update(data, raw=True)

    def text(self, figures: str = "") -> str:
        """The bar in words: "bars: 3 of 8, 0:04 elapsed, about 0:07 left"."""
        elapsed = time.monotonic() - self.began
        of = "" if self.total is None else f" of {count_text(self.total)}"
        told = [f"{self.what}: {count_text(self.done)}{of}", f"{clock_text(elapsed)} elapsed"]
        if self.total and 0 < self.done < self.total:
            told.append(f"about {clock_text(elapsed / self.done * (self.total - self.done))} left")
        return ", ".join([*told, *filter(None, [figures])])
