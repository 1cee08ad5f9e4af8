"""Pieces of whole bars: what is laid out when, by whom it is filled deciding nothing."""

from __future__ import annotations

import numpy as np
import pytest

from diffmidi_core.contracts.bar_shapes import FIRST_BAR, LAST_BAR
from diffmidi_core.contracts.canvas import GIVEN
from diffmidi_core.draw.bar_goals import bar_goals
from diffmidi_core.draw.bars import grow_bars
from diffmidi_core.draw.portions import Bars
from diffmidi_core.errors import UsageError
from diffmidi_core.registry import find
from diffmidi_core.saved.lengths import DataLengths

ORDERS = ("window", "bars", "cells")
TRACKS = ["voice", "right", "left"]
LENGTHS = DataLengths((100,), (100,), None, bars=(3, 5, 9))


def tokenizer(**options):
    return find("tokenizer", "mmm").build({"layout": "cells", **options})


class Hand:
    """Fills every masked place with some token that may stand there; remembers the texts that it was given."""

    def __init__(self, tokenizer, *, most: int = 4, upbeat: bool | None = None):
        self.tokenizer, self.most, self.upbeat = tokenizer, most, upbeat
        self.seen: list[list[str]] = []

    def __call__(self, canvas, rows, portions):
        ids = canvas.ids.numpy().copy()
        for row, key in enumerate(rows):
            random = np.random.default_rng(key)
            self.seen.append([token for token in self.tokenizer.to_tokens(ids[row]) if token != "[PAD]"])
            for place in np.flatnonzero(ids[row] == self.tokenizer.mask_id):
                ids[row, place] = random.choice(self.choice(canvas, row, place))
        return ids, {"calls": [1] * len(rows)}

    def choice(self, canvas, row, place):
        allowed, kinds = int(canvas.allowed[row, place]), self.tokenizer.bar_kinds()
        assert allowed != GIVEN
        if allowed >= 0:
            tokens = np.flatnonzero(canvas.sets[allowed].numpy())
            first = tokens[kinds[tokens] == FIRST_BAR]
            if self.upbeat is None or not len(first):
                return tokens
            return first if self.upbeat else np.setdiff1d(tokens, first)
        kind = int(canvas.types[row, place])
        assert kind > 0
        tokens = np.flatnonzero(self.tokenizer.grammar.type_of == kind)
        name = self.tokenizer.grammar.types[kind]
        return tokens[: self.most + 1] if name == "count" else tokens[:1] if name == "time" else tokens


def draw(asked, order="bars", *, count=3, tokens=None, window=8, length=1024, **hand):
    tokens = tokens or tokenizer()
    fill = Hand(tokens, **hand)
    goals = bar_goals(asked, count, tokenizer=tokens, bars=window, lengths=LENGTHS, seed=0)
    return grow_bars(goals, fill, Bars(tokens, TRACKS, length, window, window // 2, order)), fill


def counted(tokens, ids):
    """Bars without an upbeat."""
    return len(tokens.starts(ids)) - int(tokens.bar_kinds()[ids[0]] == FIRST_BAR)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("bars", [1, 2, 8, 9, 20])
@pytest.mark.parametrize("upbeat", [True, False])
def test_the_number_of_bars_is_exact_and_the_last_one_alone_ends_the_piece(order, bars, upbeat):
    tokens = tokenizer()
    pieces, _ = draw(f"{bars} bars", order, upbeat=upbeat)
    for piece in pieces:
        assert tokens.faults(piece.ids) == 0
        assert counted(tokens, piece.ids) == bars
        kinds = tokens.bar_kinds()[piece.ids[tokens.starts(piece.ids)]]
        assert (kinds[0] == FIRST_BAR) == (upbeat and bars > 1)
        assert np.flatnonzero(kinds == LAST_BAR).tolist() == [len(kinds) - 1]
        assert piece.record["bars"] == len(kinds)


def test_heads_of_a_bar_come_before_its_notes_and_the_last_bars_stand_before_both():
    _, hand = draw("3 bars", "bars", count=1, window=2, upbeat=False, most=1)
    heads = [sum(token == "[MASK]" for token in text) for text in hand.seen]
    bars = [sum(token in TRACKS for token in text) // len(TRACKS) for text in hand.seen]
    # Bar, tempo and three counts are drawn; then as many notes as the counts say, if any.
    assert heads.count(5) == 3
    assert max(bars) == 2
    for before, after in zip(hand.seen, hand.seen[1:], strict=False):
        if before.count("[MASK]") != 5:
            assert after.count("[MASK]") == 5


def test_all_heads_of_a_window_come_before_its_notes():
    _, hand = draw("8 bars", "window", count=1, upbeat=False)
    assert next(text.count("[MASK]") for text in hand.seen) == 8 * 5
    assert len(hand.seen) == 2


def test_cells_are_drawn_one_after_another():
    _, hand = draw("1 bars", "cells", count=1, most=1)
    heads = [text for text in hand.seen if [token for token in text[-5:-1] if token == "[MASK]"] != ["[MASK]"] * 4]
    assert [sum(token in TRACKS for token in text) for text in heads] == [1, 2, 3]


def test_what_the_model_sees_fits_its_windows():
    tokens = tokenizer()
    pieces, hand = draw("12 bars", "bars", window=4, length=160, most=64, tokens=tokens)
    assert max(len(text) for text in hand.seen) <= 160 + 2
    assert all(tokens.faults(piece.ids) == 0 for piece in pieces)
    pieces, hand = draw("12 bars", "window", window=4, length=160, most=20, tokens=tokens)
    assert max(len(text) for text in hand.seen) <= 160 + 2
    assert [counted(tokens, piece.ids) for piece in pieces] == [12, 12, 12]


@pytest.mark.parametrize("order", ORDERS)
def test_a_piece_is_the_same_whatever_is_drawn_beside_it(order):
    alone, _ = draw("5 bars", order, count=1)
    beside, _ = draw("5 bars", order, count=3)
    assert np.array_equal(alone[0].ids, beside[0].ids)


def test_notes_and_seconds_are_reached_by_whole_bars():
    tokens = tokenizer()
    for piece in draw("40 notes")[0]:
        assert tokens.count_notes(piece.ids) >= 20
    for piece in draw("40 seconds", tokens=tokenizer(grid="10ms"), most=2)[0]:
        assert 18 <= piece.record["bars"] <= 22


def test_pieces_have_as_many_bars_as_those_of_the_data():
    tokens = tokenizer()
    assert {counted(tokens, piece.ids) for piece in draw("pieces", count=6)[0]} <= {3, 5, 9}
    with pytest.raises(UsageError, match="does not record how many bars"):
        bar_goals("pieces", 1, tokenizer=tokens, bars=8, lengths=DataLengths((1,)), seed=0)


def test_a_piece_without_notes_does_not_go_on_for_ever():
    pieces, _ = draw("40 notes", most=0, count=1)
    assert pieces[0].record["bars"] == 17
