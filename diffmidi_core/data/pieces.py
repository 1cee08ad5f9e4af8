"""The pieces of a source, held compactly: of a large set the names alone would be most of what is in memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import overload

from diffmidi_core.contracts.source import Piece


class Pieces(Sequence[Piece]):
    """Pieces as the bytes of their names, one after another; each is made anew when it is asked for."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._names = bytearray()
        # Where each id ends, and the group after it.
        self._ends = array("q", [0])
        for piece in pieces:
            for name in (piece.id, piece.group):
                # File names may hold what is no text.
                self._names += name.encode("utf-8", "surrogatepass")
                self._ends.append(len(self._names))

    def __len__(self) -> int:
        return len(self._ends) // 2

    @overload
    def __getitem__(self, place: int) -> Piece: ...

    @overload
    def __getitem__(self, place: slice) -> list[Piece]: ...

    def __getitem__(self, place: int | slice) -> Piece | list[Piece]:
        if isinstance(place, slice):
            return [self._piece(row) for row in range(len(self))[place]]
        return self._piece(range(len(self))[place])

    def _piece(self, row: int) -> Piece:
        begin, middle, end = self._ends[2 * row : 2 * row + 3]
        parts = self._names[begin:middle], self._names[middle:end]
        return Piece(*(name.decode("utf-8", "surrogatepass") for name in parts))
