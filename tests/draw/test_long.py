"""Pieces longer than a window: what each window hears, where it is joined, when a piece ends."""

from dataclasses import dataclass

import numpy as np
import pytest

from diffmidi_core.draw.length import NoteCount, TokenCount, Until, seconds
from diffmidi_core.draw.long import PATIENCE, Frame, grow
from diffmidi_core.music.toy import from_rows
from diffmidi_core.registry import find


@pytest.fixture
def tokenizer():
    return find("tokenizer", "mmm").build({"layout": "aligned"})


@pytest.fixture
def music(tokenizer):
    """The words of 100 notes, each a semitone from the one before, two to a second."""
    return tokenizer.encode(from_rows([(beat, 1, 40 + beat % 40, 80) for beat in range(100)]))


@dataclass
class Reciter:
    """Stands in for a sampler: goes on with the music where each row does. Keeps what it was shown."""

    music: np.ndarray
    seen: list

    def __call__(self, canvas, pieces, number):
        ids = canvas.ids.numpy().copy()
        for row, piece in enumerate(pieces):
            known = [int(each) for each in ids[row][canvas.fixed[row].numpy()] if each > 3]
            total = int((canvas.ids[row] == 2).nonzero()) - 1
            before = sum(new for each, _, new in self.seen if each == piece)
            begin = before - len(known)
            assert known == self.music[begin:before].tolist()
            ids[row, 1 : total + 1] = self.music[begin : begin + total]
            self.seen.append((piece, len(known), total - len(known)))
        return ids, {"changes": [8] * len(pieces)}


@pytest.fixture
def reciter(music):
    return Reciter(music, [])


def test_windows_hear_the_end_of_the_piece_and_add_the_rest(tokenizer, music, reciter):
    frame = Frame.of(tokenizer, 33, 0.5)
    assert (frame.window, frame.stride) == (32, 16)
    (piece,) = grow([TokenCount(80, 4)], reciter, frame)
    assert np.array_equal(piece.ids, music[:80])
    assert [(heard, new) for _, heard, new in reciter.seen] == [(0, 32), (16, 16), (16, 16), (16, 16)]
    assert piece.record == {"changes": 32, "seam_1": 32, "seam_2": 48, "seam_3": 64}
    assert frame.windows(TokenCount(80, 4)) == 4


def test_what_is_left_is_shared_out_evenly_and_the_rest_of_the_window_hears_more(tokenizer, music, reciter):
    (piece,) = grow([TokenCount(52, 4)], reciter, Frame.of(tokenizer, 32, 0.5))
    assert [(heard, new) for _, heard, new in reciter.seen] == [(0, 32), (24, 8), (20, 12)]
    assert np.array_equal(piece.ids, music[:52])


def test_without_overlap_windows_hear_nothing(tokenizer, reciter):
    grow([TokenCount(64, 4)], reciter, Frame.of(tokenizer, 32, 0.0))
    assert [(heard, new) for _, heard, new in reciter.seen] == [(0, 32), (0, 32)]


def test_pieces_end_one_by_one(tokenizer, music, reciter):
    pieces = grow([TokenCount(length, 4) for length in (8, 64, 32)], reciter, Frame.of(tokenizer, 32, 0.5))
    assert [len(piece.ids) for piece in pieces] == [8, 64, 32]
    assert all(np.array_equal(piece.ids, music[: len(piece.ids)]) for piece in pieces)
    assert [each for each, _, _ in reciter.seen] == [0, 1, 2, 1, 1]


def test_a_canvas_is_as_wide_in_any_company(tokenizer, reciter):
    widths = []

    def fill(canvas, pieces, number):
        widths.append(canvas.ids.shape[1])
        return reciter(canvas, pieces, number)

    grow([TokenCount(8, 4)], fill, Frame.of(tokenizer, 32, 0.5))
    grow([NoteCount(3, tokenizer, 4.0)], fill, Frame.of(tokenizer, 32, 0.5), first=12)
    assert widths == [34, 14]


def test_so_many_notes_are_drawn_exactly(tokenizer, music, reciter):
    (piece,) = grow([NoteCount(13, tokenizer, 4.0)], reciter, Frame.of(tokenizer, 32, 0.5))
    assert np.array_equal(piece.ids, music[: 13 * 4])
    assert sum(new for _, _, new in reciter.seen) == 13 * 4


def test_music_is_drawn_until_the_time_is_reached_and_cut_there(tokenizer, music, reciter):
    (piece,) = grow([Until(5.25, tokenizer, seconds)], reciter, Frame.of(tokenizer, 32, 0.5))
    assert np.array_equal(piece.ids, music[: 11 * 4])  # notes at 0, 0.5, ... 5 seconds
    assert piece.record == {"changes": round(16 * 44 / 48), "seam_1": 32}


@pytest.mark.parametrize("layout", ["aligned", "run", "paper"])
def test_no_piece_ends_inside_a_note(layout):
    tokenizer = find("tokenizer", "mmm").build({"layout": layout})
    score = from_rows([(beat, 1, 40 + 7 * voice, 80) for beat in range(60) for voice in range(3)])
    music = tokenizer.encode(score)
    whole = [*tokenizer.starts(music)[1:].tolist(), len(music)]
    for words in whole[:60]:
        reciter = Reciter(music, [])
        frame = Frame.of(tokenizer, 32, 0.5)
        (piece,) = grow([TokenCount(words, tokenizer.grammar.shortest())], reciter, frame)
        assert words - tokenizer.grammar.shortest() < len(piece.ids) <= words


def test_music_that_stands_still_ends_and_says_so(tokenizer):
    def fill(canvas, pieces, number):
        ids = canvas.ids.numpy().copy()
        note = tokenizer.to_ids(["t0", "p60", "v5", "d1"])
        ids[:, 1:33] = np.tile(note, 8)
        return ids, {}

    (piece,) = grow([Until(30, tokenizer, seconds)], fill, Frame.of(tokenizer, 32, 0.5))
    assert piece.record["short"] == 1
    assert len(piece.ids) == 32 + 16 * (PATIENCE - 1)
