"""Source: where pieces of music come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from diffmidi_core.declaration import Options
from diffmidi_core.music.notes import Score
from diffmidi_core.music.repairs import Counts


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece that a source can read.

    Attributes:
        id: unique within the source and the same every time: a relative path, a catalogue number.
        group: what decides the side of the split; pieces of one group (versions of one work) stay together. Empty:
            the music itself decides, so that copies of a file stay together whatever they are called.
    """

    id: str
    group: str = ""


class Source(ABC):
    """Pieces of music. Built as `Class(options, data=...)`; `data` is what the user gave as --data, or None."""

    def __init__(self, options: Options, *, data: str | None) -> None:
        self.options = options
        self.data = data

    @abstractmethod
    def pieces(self) -> Iterator[Piece]:
        """Every piece, in an order that repeats. Raises DiffmidiError where there is nothing to read at all."""

    @abstractmethod
    def read(self, piece: Piece) -> Score:
        """The piece as a score in ticks, drums and all. Raises RefusedError, whose sentence names the piece."""

    def read_counted(self, piece: Piece) -> tuple[Score, Counts]:
        """As `read`, and what was counted on the way: note-ons and notes, and what was repaired. By default nothing.

        A source that reads MIDI gives what `read_midi_counted` or `read_midi_bytes_counted` says.
        """
        return self.read(piece), {}

    def stamp(self, piece: Piece) -> str:
        """What changes whenever the piece does, said without reading it: a file's size and time. "": no telling.

        A preparation that was stopped goes on where it was only where the stamps are still the same.
        """
        return ""

    def digest(self, piece: Piece) -> bytes:
        """A hash of the piece's bytes, which tells a copy of a file from another file of the same notes. b"": none."""
        return b""
