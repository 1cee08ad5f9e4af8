"""A source read as pianists hear it."""

from symusic.core import ControlChangeTick

from diffmidi.api.source import Piece
from diffmidi.api.tokenizer import notes_of
from diffmidi_core.data.sustained import Sustained

from .conftest import Scores, piece_of


class Stamped(Scores):
    def stamp(self, piece):
        return f"stamp of {piece.id}"

    def digest(self, piece):
        return piece.id.encode()

    def read_counted(self, piece):
        return self.read(piece), {"note_ons": 3}


def test_notes_are_lengthened_and_everything_else_is_the_other_source_s():
    score = piece_of(1, notes=3)
    for time, value in [(0, 127), (700, 0)]:
        score.tracks[0].controls.append(ControlChangeTick(time, 64, value))
    source = Sustained(Stamped({"a": score, "b": piece_of(2)}, {"a": "group"}))
    assert list(source.pieces()) == [Piece("a", "group"), Piece("b", "")]
    assert (source.stamp(Piece("a")), source.digest(Piece("b"))) == ("stamp of a", b"b")
    notes = notes_of(source.read(Piece("a")))
    assert (notes.onset + notes.duration).tolist() == [700, 700, 720]
    assert source.read(Piece("b")) == piece_of(2)
    assert source.read_counted(Piece("a")) == (source.read(Piece("a")), {"note_ons": 3, "sustained": 2})
    assert source.read_counted(Piece("b"))[1] == {"note_ons": 3, "sustained": 0}
