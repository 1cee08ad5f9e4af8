"""Cells of a user's file drawn anew, by whom they are filled deciding nothing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from symusic.core import TimeSignatureTick

from diffmidi_core.contracts.canvas import GIVEN
from diffmidi_core.draw.bars import drawn_together
from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.music.notes import Notes, score_of
from diffmidi_core.registry import find
from diffmidi_core.steer.asked import Asked
from diffmidi_core.steer.cells import lay_out
from diffmidi_core.steer.patching import patched
from diffmidi_core.steer.regions import regions
from diffmidi_core.steer.rework import notes_of
from diffmidi_core.steer.user_file import UserFile

ORDERS = ("window", "bars", "cells")
QUARTER = 480


def piece(bars: int = 16, metre: tuple[int, int] = (3, 4)) -> UserFile:
    """Two hands in quarter notes: a file of so many bars, a little off the grid."""
    beats = bars * metre[0]
    onset = QUARTER * np.arange(beats) + 7
    score = score_of(Notes(onset, np.full(beats, 400), 60 + np.arange(beats) % 12, np.full(beats, 70)), metre=metre)
    score.tracks[0].name = "Right hand"
    left = score_of(Notes(onset, np.full(beats, 300), 40 + np.arange(beats) % 5, np.full(beats, 50))).tracks[0]
    left.name = "Left hand"
    score.tracks.append(left)
    return UserFile(score.dumps_midi(), "piece")


class Hand:
    """Fills every masked place with some token that may stand there; remembers what it was shown."""

    def __init__(self, tokenizer, most: int = 4):
        self.tokenizer, self.most = tokenizer, most
        self.seen: list[np.ndarray] = []

    def __call__(self, canvas, rows, portions):
        ids = canvas.ids.numpy().copy()
        for row, key in enumerate(rows):
            random = np.random.default_rng(key)
            self.seen.append(ids[row].copy())
            for place in np.flatnonzero(ids[row] == self.tokenizer.mask_id):
                ids[row, place] = random.choice(self.choice(canvas, row, place))
        return ids, {}

    def choice(self, canvas, row, place):
        allowed = int(canvas.allowed[row, place])
        assert allowed != GIVEN
        if allowed >= 0:
            return np.flatnonzero(canvas.sets[allowed].numpy())
        kind = int(canvas.types[row, place])
        tokens = np.flatnonzero(self.tokenizer.grammar.type_of == kind)
        name = self.tokenizer.grammar.types[kind]
        return tokens[: self.most + 1] if name == "count" else tokens[:3] if name == "time" else tokens


def texts(asked: Asked, order: str = "bars", window: int = 8, length: int = 1024, **hand):
    tokens = find("tokenizer", "mmm").build({"layout": "cells"})
    limits = {"length": length, "window": window, "order": order}
    laid = lay_out(asked.file, asked.bars, asked.selection, tokens, masking=asked.masking, notes=asked.notes, **limits)
    fill = Hand(tokens, **hand)
    (drawn,) = drawn_together([laid.hole.work()], fill, laid.hole)
    return laid, drawn.done, fill


def filled(asked: Asked, order: str = "bars", window: int = 8, length: int = 1024, **hand):
    laid, done, fill = texts(asked, order, window, length, **hand)
    return laid, laid.notes(done, fill.tokenizer), fill


def reworked(asked: Asked, order: str = "bars"):
    """The new notes, and which notes of the file each stands for."""
    laid, done, fill = texts(asked, order)
    return notes_of(laid.reworked, done, asked.file, fill.tokenizer)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("asked", ["bars 5-8", "bars 1-2", "bars 16", "bars 3-14", "bars 5-8, hand left"])
def test_new_notes_begin_in_the_region_and_nothing_else_changes(order: str, asked: str) -> None:
    file = piece()
    wanted = Asked.region(file, regions([asked]))
    _, new, hand = filled(wanted, order)
    assert len(new)
    assert wanted.selection.holds(new.part, new.onset, new.pitch).all()
    assert not (hand.seen[-1] == hand.tokenizer.mask_id).all()
    again = UserFile(patched(file, wanted.removed, new).data, "again")
    notes = again.notes
    outside = ~wanted.selection.holds(notes.part, notes.onset, notes.pitch)
    kept = ~wanted.removed
    for name in ("part", "onset", "duration", "pitch", "velocity"):
        assert np.array_equal(getattr(notes, name)[outside], getattr(file.notes, name)[kept]), name


@pytest.mark.parametrize("order", ORDERS)
def test_no_window_is_larger_than_the_model_sees(order: str) -> None:
    file = piece(40)
    _, _, hand = filled(Asked.region(file, regions(["bars 3-30"])), order, window=4, length=160, most=32)
    tokens = hand.tokenizer
    assert max(int((text != tokens.pad_id).sum()) - 2 for text in hand.seen) <= 160
    opens = np.array([tokens.roles.get(name) == "bar" for name in tokens.grammar.types])
    assert max(int(opens[tokens.types(text)].sum()) for text in hand.seen) <= 4


@pytest.mark.parametrize("order", ORDERS)
def test_progress_is_of_the_whole_hole(order: str) -> None:
    asked, tokens, told = Asked.region(piece(), regions(["bars 3-14"])), find("tokenizer", "mmm"), list[int]()
    tokenizer = tokens.build({"layout": "cells"})
    laid = lay_out(asked.file, asked.bars, asked.selection, tokenizer, length=1024, window=4, order=order)
    drawn_together([laid.hole.work()], Hand(tokenizer), laid.hole, told.append)
    assert told == sorted(told)
    assert told[0] == 0
    assert told[-1] >= 10


def test_bars_on_both_sides_stand_and_the_hole_is_between_them() -> None:
    _, _, hand = filled(Asked.region(piece(), regions(["bars 5-6"])))
    text = hand.tokenizer.to_tokens(hand.seen[0])
    bars = [place for place, token in enumerate(text) if token.startswith("bar3/4")]
    masked = {sum(bar <= place for bar in bars) for place, token in enumerate(text) if token == "[MASK]"}
    assert len(bars) == 8
    assert masked == {4, 5}


def test_from_left_to_right_nothing_behind_the_hole_is_shown() -> None:
    _, _, hand = filled(Asked.region(piece(), regions(["bars 5-6"])), "cells")
    for text in hand.seen:
        masked = np.flatnonzero(text == hand.tokenizer.mask_id)
        assert (text[masked[-1] + 1 :] < 4).all()


def test_pitches_are_those_of_the_region() -> None:
    wanted = Asked.region(piece(), regions(["bars 5-8, pitch C5-E5"]))
    _, new, _ = filled(wanted)
    assert len(new)
    assert set(new.pitch.tolist()) <= {72, 73, 74, 75, 76}


def test_what_is_kept_of_a_cell_is_shown_beside_what_is_drawn() -> None:
    wanted = Asked.region(piece(), regions(["bars 5, pitch C4-C4, hand right"]))
    laid, _, _ = filled(wanted)
    bar = next(cells for cells in laid.hole.bars if any(cell.free for cell in cells))
    assert [cell.free for cell in bar] == [False, True, False]
    assert len(bar[0].ids) > len(bar[1].ids)


@pytest.mark.parametrize("order", ORDERS)
def test_a_piece_goes_on_behind_its_last_bar(order: str) -> None:
    file = piece()
    wanted = Asked.behind(file, 5)
    _, new, _ = filled(wanted, order)
    begin = 16 * 3 * QUARTER
    assert not wanted.removed.any()
    assert new.onset.min() >= begin
    assert new.onset.max() < begin + 5 * 3 * QUARTER
    assert wanted.touched == [17, 18, 19, 20, 21]


def test_bars_are_those_of_the_file_whatever_their_metre() -> None:
    """A metre that changes inside the hole: what follows begins when it did."""
    file = piece()
    score = file.as_score()

    score.time_signatures.append(TimeSignatureTick(5 * 3 * QUARTER, 5, 8))
    changed = UserFile(score.dumps_midi(), "changed")
    wanted = Asked.region(changed, regions(["bars 5-7"]))
    assert wanted.bars.at[4:8].tolist() == [5760, 7200, 8400, 9600]
    _, new, _ = filled(wanted)
    assert ((new.onset >= 5760) & (new.onset < 9600)).all()


def test_an_upbeat_is_bar_0() -> None:
    score = piece().as_score()

    for sign in score.time_signatures:
        sign.time = QUARTER
    score.time_signatures.append(TimeSignatureTick(0, 1, 4))
    file = UserFile(score.dumps_midi(), "upbeat")
    wanted = Asked.region(file, regions(["bars 0-1"]))
    assert wanted.touched == [0, 1]
    assert wanted.bars.at[:3].tolist() == [0, 480, 1920]
    plain = Asked.region(piece(), regions(["bars 0"]), upbeat=Fraction(1, 4))
    assert plain.bars.at[:3].tolist() == [0, 480, 1920]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("bars 17", "bars up to 16"),
        ("bars 0", "no upbeat"),
        ("bars 1-16", "nothing would be kept"),
        ("seconds 400-500", "seconds long"),
        ("track 3", "no track '3'"),
        ("bars 1, seconds 20-21", "holds no time"),
    ],
)
def test_what_a_piece_does_not_have_is_one_sentence(asked: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as error:
        Asked.region(piece(), regions([asked]))
    assert "\n" not in str(error.value)


def test_a_hand_needs_two_staves() -> None:
    score = piece().as_score()
    del score.tracks[1]
    score.tracks[0].name = ""
    with pytest.raises(UsageError, match="two staves"):
        Asked.region(UserFile(score.dumps_midi(), "one"), regions(["hand left"]))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("lock", "same"),
    [("rhythm", ["onset", "duration"]), ("pitches", ["pitch"]), ("velocity", ["velocity"])],
)
def test_what_is_locked_stays_as_the_file_has_it(lock: str, same: list[str], order: str) -> None:
    asked = Asked.region(piece(), regions(["bars 5-8"]), locks=[lock])
    new, rows = reworked(asked, order)
    assert len(rows)
    assert asked.removed[rows].all()
    for name in ("onset", "duration", "pitch", "velocity"):
        there = getattr(asked.file.notes, name)[rows]
        assert np.array_equal(getattr(new, name), there) == (name in same), name


def test_new_pitches_stay_in_a_locked_range() -> None:
    file = piece()
    asked = Asked.region(file, regions(["bars 5-8, hand left"]), locks=["range"])
    _, new, _ = filled(asked)
    there = file.notes.pitch[asked.removed]
    assert len(new)
    assert there.min() <= new.pitch.min()
    assert new.pitch.max() <= there.max()


def test_the_weaker_the_fewer_notes_change() -> None:
    file = piece()
    changed = [len(reworked(Asked.region(file, None, strength=strength))[1]) for strength in (0.05, 0.3, 0.9)]
    assert 0 < changed[0] < changed[1] < changed[2] <= len(file.notes)


@pytest.mark.parametrize(
    ("locks", "strength", "told"),
    [(["tempo"], 1.0, "can be locked"), (["rhythm", "pitches", "velocity"], 1.0, "lock less"), ([], 0.0, "strength")],
)
def test_locks_that_cannot_be_are_one_sentence(locks: list[str], strength: float, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Asked.region(piece(), regions(["bars 5"]), locks=locks, strength=strength)


def test_bars_that_stand_are_written_as_the_tokenizer_writes_whole_pieces() -> None:
    asked = Asked.region(piece(), regions(["bars 5-6"]))
    laid, _, fill = filled(asked, window=40)
    tokens = fill.tokenizer
    whole = np.split(tokens.encode(asked.file.as_score()), tokens.starts(tokens.encode(asked.file.as_score()))[1:])
    shown = [np.concatenate([cell.ids for cell in cells]) for cells in laid.hole.bars]
    assert len(shown) == len(whole) == 16
    for bar, (one, other) in enumerate(zip(shown, whole, strict=True), start=1):
        assert bar in (5, 6) or tokens.to_tokens(one) == tokens.to_tokens(other), bar


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("notes", [1, 17, 60])
def test_as_many_notes_are_drawn_as_are_asked_for(order: str, notes: int) -> None:
    """In several windows as well."""
    asked = Asked.region(piece(), regions(["bars 4-10"]), notes=notes)
    _, done, hand = texts(asked, order, window=5)
    assert hand.tokenizer.count_notes(np.concatenate(done)) == notes


def test_cells_get_shares_of_the_notes_asked_for_as_the_model_has_them() -> None:
    asked = Asked.region(piece(), regions(["bars 5-8"]))
    _, free, hand = texts(asked, "window")
    _, done, _ = texts(Asked.region(asked.file, regions(["bars 5-8"]), notes=40), "window")
    drawn, given = (np.array([hand.tokenizer.count_notes(text) for text in each]) for each in (free, done))
    assert 0 < drawn.sum() < 40
    assert np.abs(given - drawn * 40 / drawn.sum()).max() <= 1
    assert (given[drawn == 0] == 0).all()


@pytest.mark.parametrize(("notes", "told"), [(10_000, "can be told"), (240, "more notes than the model sees")])
def test_more_notes_than_there_can_be_are_refused(notes: int, told: str) -> None:
    with pytest.raises(DiffmidiError, match=f"--notes {notes}: .*{told}"):
        texts(Asked.region(piece(), regions(["bars 5-6"]), notes=notes), "window", length=256)


def test_notes_are_counted_only_where_they_are_drawn_anew() -> None:
    with pytest.raises(UsageError, match="--lock and --strength keep"):
        Asked.region(piece(), regions(["bars 5-6"]), locks=["rhythm"], notes=4)


@pytest.mark.parametrize("order", ["window", "bars"])
def test_a_hole_longer_than_a_window_goes_window_by_window_and_sees_both_sides(order: str) -> None:
    """The first window sees what stands before the hole, the next what was drawn, and the last what follows."""
    file = piece(24)
    laid, done, hand = texts(Asked.region(file, regions(["bars 6-15"])), order, window=6)
    tokens = hand.tokenizer
    bars = [np.concatenate([cell.ids for cell in cells]) for cells in laid.hole.bars]
    first = next(bar for bar, cells in enumerate(laid.hole.bars) if cells[0].free)
    count = len({bar for bar, _ in laid.hole.free})
    drawn = [np.concatenate(done[2 * bar : 2 * bar + 2]) for bar in range(count)]

    def stands(text: np.ndarray, bar: np.ndarray) -> bool:
        return f" {' '.join(tokens.to_tokens(bar))} " in f" {' '.join(tokens.to_tokens(text))} "

    assert stands(hand.seen[0], bars[first - 1])
    assert stands(hand.seen[-1], bars[first + count])
    assert any(stands(hand.seen[-1], text) for text in drawn)
    assert not stands(hand.seen[0], bars[first + count])
    masked = [int((text == tokens.mask_id).sum()) for text in hand.seen]
    assert len(masked) >= 6  # three windows, heads and notes of each
    assert all(masked)
