"""A source around another one, which changes what is read."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from diffmidi_core.contracts.source import Piece, Source
from diffmidi_core.music.notes import Score
from diffmidi_core.music.repairs import Counts


class Wrapped(Source):
    """The pieces of another source; a subclass changes each in `read_counted`."""

    def __init__(self, source: Source) -> None:
        super().__init__(source.options, data=source.data)
        self._source = source

    def pieces(self) -> Iterator[Piece]:
        """The other source's."""
        return self._source.pieces()

    def read(self, piece: Piece) -> Score:
        """The piece as it is changed. Raises RefusedError where the other source does."""
        return self.read_counted(piece)[0]

    @abstractmethod
    def read_counted(self, piece: Piece) -> tuple[Score, Counts]:
        """The piece as it is changed, and what was counted."""

    def stamp(self, piece: Piece) -> str:
        """The other source's."""
        return self._source.stamp(piece)

    def digest(self, piece: Piece) -> bytes:
        """The other source's."""
        return self._source.digest(piece)
