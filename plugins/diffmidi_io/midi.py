"""midi: the score as a standard MIDI file."""

from __future__ import annotations

from pathlib import Path

from diffmidi.api.renderer import Renderer, Score, write_midi


class Midi(Renderer):
    """A .mid file. It has no title: the file's name says it."""

    suffix = ".mid"

    def render(self, score: Score, path: Path, *, title: str = "") -> None:
        """Write the score, whole or not at all. Raises DiffmidiError where it cannot be written."""
        write_midi(score, path)
