"""A source whose pieces have the piano's tracks only, or whichever were asked for."""

from __future__ import annotations

from diffmidi_core.contracts.source import Piece, Source
from diffmidi_core.data.wrapped import Wrapped
from diffmidi_core.music.notes import Score
from diffmidi_core.music.reading import printable
from diffmidi_core.music.repairs import Counts
from diffmidi_core.music.tracks import TrackChoice


class Chosen(Wrapped):
    """The pieces of another source without the tracks that `tracks` does not take (`TrackChoice.parse`)."""

    def __init__(self, source: Source, tracks: str) -> None:
        super().__init__(source)
        self._tracks, self._choice = tracks, TrackChoice.parse(tracks)

    def read_counted(self, piece: Piece) -> tuple[Score, Counts]:
        """The piece without those tracks, and what `TrackChoice.of` counts. Raises RefusedError where none is left."""
        score, counts = self._source.read_counted(piece)
        left, others = self._choice.of(score, printable(piece.id))
        return left, {**counts, **others}

    def stamp(self, piece: Piece) -> str:
        """The other source's, and which tracks were asked for: what was prepared of others is of no use."""
        return f"{self._tracks} {self._source.stamp(piece)}"
