"""Renderer: a score as something to hear or to see."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from diffmidi_core.declaration import Options
from diffmidi_core.music.notes import Score


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
