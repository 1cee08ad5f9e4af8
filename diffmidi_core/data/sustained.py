"""A source as pianists hear it: every note as long as the sustain pedal holds it."""

from __future__ import annotations

from collections.abc import Iterator

from diffmidi_core.contracts.source import Piece, Source
from diffmidi_core.music.notes import Score
from diffmidi_core.music.pedal import sustained
from diffmidi_core.music.repairs import Counts


class Sustained(Source):
    """The pieces of another source, read through `sustained`."""

    def __init__(self, source: Source) -> None:
        super().__init__(source.options, data=source.data)
        self._source = source

    def pieces(self) -> Iterator[Piece]:
        """The other source's."""
        return self._source.pieces()

    def read(self, piece: Piece) -> Score:
        """The piece with its notes lengthened. Raises RefusedError where the other source does."""
        return self.read_counted(piece)[0]

    def read_counted(self, piece: Piece) -> tuple[Score, Counts]:
        """As `read`; `sustained` counts the notes that were lengthened."""
        score, counts = self._source.read_counted(piece)
        heard = sustained(score)
        longer = sum(
            int((new.notes.numpy()["duration"] > old.notes.numpy()["duration"]).sum())
            for new, old in zip(heard.tracks, score.tracks, strict=True)
            if heard is not score
        )
        return heard, {**counts, "sustained": longer}

    def stamp(self, piece: Piece) -> str:
        """The other source's."""
        return self._source.stamp(piece)

    def digest(self, piece: Piece) -> bytes:
        """The other source's."""
        return self._source.digest(piece)
