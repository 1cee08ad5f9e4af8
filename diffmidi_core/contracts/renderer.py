"""Renderer: a score as something to hear or to see."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from diffmidi_core.declaration import Options
from diffmidi_core.music.notes import Column, Notes, Score


@dataclass(frozen=True)
class Change:
    """A piece before and after some of its notes were drawn anew; times in ticks.

    Attributes:
        kept, removed, new: notes that stand, that stood, and that stand in their place.
        ticks: in a quarter note.
        bars: [B + 1] where bars begin, and where the last one ends.
        first: the number of the first bar; an upbeat is bar 0.
    """

    kept: Notes
    removed: Notes
    new: Notes
    ticks: int
    bars: Column
    first: int


class Renderer(ABC):
    """Writes a score to a file. Built as `Class(options)`.

    Attributes:
        suffix: what the file's name ends with: ".mid", ".wav", ".roll.png".
    """

    suffix: str

    def __init__(self, options: Options) -> None:
        self.options = options

    @abstractmethod
    def render(self, score: Score, path: Path, *, title: str = "") -> None:
        """Write the score at `path` (which ends with `suffix`), whole or not at all (music.atomic does that).

        A score without notes still gives a valid file. Raises DiffmidiError where it cannot be written, RefusedError
        where such files cannot hold this score: other pieces and renderers go on then.
        """

    def render_change(self, change: Change, path: Path, *, title: str = "") -> bool:
        """Write before and after as one, as `render` writes a score; False, as by default: it cannot show that."""
        return False
