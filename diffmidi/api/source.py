"""Writing a source: where pieces of music come from.

A Source is built as `Class(options, data=...)`; `data` is the text given as --data, or None. `pieces()` lists every
Piece, in an order that repeats, and `read(piece)` gives it as a Score in ticks, or raises RefusedError, whose
sentence names it. Its SourceDeclaration says which --data it `takes` ("*.zip", "hub:*"), and of
a format of its own where the function is that writes some small pieces (`toy`), for the kit to read.

    class Flat(Source):
        def pieces(self):
            files = sorted(Path(self.data or "").glob("*.mid"))
            if not files:
                raise UsageError(f"there is no MIDI file in --data {self.data}: give a folder of them.")
            yield from (Piece(file.name) for file in files)

        def read(self, piece):
            return read_midi(Path(self.data or "") / piece.id)

`read_midi` and `read_midi_bytes` read MIDI safely whatever is in it; their _counted forms also say what was repaired.
`printable`, `listed` (of many names) and `cut` make text that somebody else wrote safe to quote in a sentence.

Checks of the conformance kit, besides those of every kind: check_pieces_repeat, check_pieces_are_scores,
check_unknown_piece_is_refused, check_missing_data_is_said.
"""

from diffmidi_core.contracts.source import Piece, Source
from diffmidi_core.files import whole_file
from diffmidi_core.music.notes import Notes, Score, score_of
from diffmidi_core.music.reading import (
    printable,
    read_midi,
    read_midi_bytes,
    read_midi_bytes_counted,
    read_midi_counted,
)
from diffmidi_core.wording import cut, listed

__all__ = [
    "Notes",
    "Piece",
    "Score",
    "Source",
    "cut",
    "listed",
    "printable",
    "read_midi",
    "read_midi_bytes",
    "read_midi_bytes_counted",
    "read_midi_counted",
    "score_of",
    "whole_file",
]
