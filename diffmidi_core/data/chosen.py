"""A source whose pieces have the piano's tracks only, or whichever were asked for."""

from __future__ import annotations

from collections.abc import Iterator

from diffmidi_core.contracts.source import Piece, Source
from diffmidi_core.music.notes import Score
from diffmidi_core.music.reading import printable
from diffmidi_core.music.repairs import Counts
from diffmidi_core.music.tracks import TrackChoice


class Chosen(Source):
    """The pieces of another source without the tracks that `tracks` does not take (`TrackChoice.parse`)."""

    def __init__(self, source: Source, tracks: str) -> None:
        super().__init__(source.options, data=source.data)
        self._source, self._tracks, self._choice = source, tracks, TrackChoice.parse(tracks)

    def pieces(self) -> Iterator[Piece]:
        """The other source's."""
        return self._source.pieces()

    def read(self, piece: Piece) -> Score:
        """The piece without those tracks. Raises RefusedError where none is left, or the other source does."""
        return self.read_counted(piece)[0]

    def read_counted(self, piece: Piece) -> tuple[Score, Counts]:
        """As `read`, and what `TrackChoice.of` counts."""
        score, counts = self._source.read_counted(piece)
        left, others = self._choice.of(score, printable(piece.id))
        return left, {**counts, **others}

    def stamp(self, piece: Piece) -> str:
        """The other source's, and which tracks were asked for: what was prepared of others is of no use."""
        return f"{self._tracks} {self._source.stamp(piece)}"

    def digest(self, piece: Piece) -> bytes:
        """The other source's."""
        return self._source.digest(piece)
