"""The pieces of a large set: what is kept in little memory is what was put there."""

import pytest

from diffmidi.api.source import Piece
from diffmidi_core.data.pieces import Pieces

PIECES = [Piece("a/b.mid"), Piece("", "Waldstein"), Piece("d\udce9j\u00e0.mid", "\ud800"), Piece("c", "c")]


def test_pieces_come_back_by_place_slice_and_in_order():
    pieces = Pieces(iter(PIECES))
    assert list(pieces) == PIECES
    assert [pieces[place] for place in (0, -1, 2)] == [PIECES[0], PIECES[-1], PIECES[2]]
    assert pieces[1:3] == PIECES[1:3]
    assert pieces[3:9] == PIECES[3:]
    with pytest.raises(IndexError):
        pieces[4]


def test_there_may_be_none():
    assert len(Pieces([])) == 0
