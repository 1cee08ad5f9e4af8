"""How long a piece is to be, and where it is cut."""

from collections import Counter

import numpy as np
import pytest

from diffmidi_core.draw.length import NoteCount, Until, bars, goals_for, seconds
from diffmidi_core.errors import UsageError
from diffmidi_core.music.toy import from_rows
from diffmidi_core.registry import find
from diffmidi_core.saved.lengths import DataLengths
from diffmidi_core.sections import parse_length

LENGTHS = DataLengths(windows=(28, 32), pieces=(40, 400, 800), tokens_per_note=4.0)
TOKENIZERS = [
    ("mmm", {"layout": "aligned"}),
    ("mmm", {"layout": "run"}),
    ("mmm", {"layout": "paper"}),
    ("remi", {}),
    *(("miditok", {"type": kind}) for kind in ("TSD", "MIDILike", "Structured")),
]


@pytest.fixture(params=TOKENIZERS, ids=str)
def tokenizer(request):
    name, options = request.param
    return find("tokenizer", name).build(options)


@pytest.fixture
def chords():
    """Forty triads, one a quarter note: 20 seconds, 10 bars."""
    return from_rows([(beat, 1, pitch, 80) for beat in range(40) for pitch in (60, 64, 67)])


@pytest.mark.parametrize("notes", [1, 2, 30, 61])
def test_a_piece_is_cut_after_so_many_notes(tokenizer, chords, notes):
    ids = tokenizer.encode(chords)
    goal = NoteCount(notes, tokenizer, len(ids) / 120)
    assert goal.left(ids) == 0
    cut = goal.cut(ids)
    assert tokenizer.count_notes(cut) == notes
    assert np.array_equal(cut, ids[: len(cut)])
    assert tokenizer.faults(cut) == 0
    assert goal.left(ids[:0]) > 0


def test_what_is_left_is_known_by_the_words_that_a_note_takes():
    tokenizer = find("tokenizer", "mmm").build({"layout": "aligned"})
    ids = tokenizer.encode(from_rows([(beat, 1, 60, 80) for beat in range(5)]))
    assert NoteCount(8, tokenizer, 4.0).left(ids) == 12
    assert NoteCount(8, tokenizer, 3.5).left(ids) == 11
    assert NoteCount(8, tokenizer, None).left(ids) > 10**6


@pytest.mark.parametrize("amount", [1, 3, 7])
def test_no_note_begins_after_the_bars_or_seconds(tokenizer, chords, amount):
    ids = tokenizer.encode(chords)
    for times in (bars, seconds):
        goal = Until(amount, tokenizer, times)
        assert goal.left(ids) == 0
        cut = goal.cut(ids)
        assert times(tokenizer.decode(cut)).max() < amount
        kept = len(cut)
        following = next(each for each in (*tokenizer.starts(ids).tolist(), len(ids)) if each > kept)
        assert times(tokenizer.decode(ids[:following])).max() >= amount
        assert goal.left(cut) > 0


def test_bars_and_seconds_are_those_of_the_score():
    score = from_rows([(0, 1, 60, 80), (3.5, 1, 60, 80), (4, 1, 60, 80), (9, 1, 60, 80)])
    assert bars(score).tolist() == [0, 0, 1, 2]
    assert seconds(score).tolist() == [0, 1.75, 2, 4.5]


def test_bars_follow_the_metres_that_words_name():
    tokenizer = find("tokenizer", "remi").build()
    words = "Bar_None TimeSig_3/4 {0} Bar_None TimeSig_2/4 {0} Bar_None TimeSig_2/4 {0}".format(
        "Position_0 Pitch_60 Velocity_63 Duration_1.0.8"
    )
    assert bars(tokenizer.decode(tokenizer.to_ids(words.split()))).tolist() == [0, 1, 2]


def test_the_first_note_stays_however_late_it_is():
    tokenizer = find("tokenizer", "mmm").build({"layout": "aligned"})
    ids = tokenizer.to_ids(["t96", "p60", "v5", "d12", "t12", "p60", "v5", "d12"])
    assert len(Until(1, tokenizer, bars).cut(ids)) == 4


def test_lengths_are_drawn_as_often_as_the_data_have_them():
    tokenizer = find("tokenizer", "mmm").build({"layout": "aligned"})
    lengths = DataLengths(windows=(20, 24, 24, 24), pieces=(40,))
    goals, first = goals_for("windows", 2000, tokenizer=tokenizer, lengths=lengths, seed=0)
    assert first is None
    drawn = [goal.tokens for goal in goals]
    assert Counter(drawn)[24] / 2000 == pytest.approx(0.75, abs=0.03)
    again, _ = goals_for("windows", 9, tokenizer=tokenizer, lengths=lengths, seed=0)
    assert [goal.tokens for goal in again] == drawn[:9]
    pieces, _ = goals_for("pieces", 2, tokenizer=tokenizer, lengths=lengths, seed=0)
    assert [goal.tokens for goal in pieces] == [40, 40]


def test_a_model_that_does_not_know_how_long_pieces_were_says_so():
    tokenizer = find("tokenizer", "mmm").build({"layout": "aligned"})
    old = DataLengths((32,))
    assert goals_for("windows", 1, tokenizer=tokenizer, lengths=old, seed=0)[0][0].tokens == 32
    with pytest.raises(UsageError, match="--notes, --bars or --seconds"):
        goals_for("pieces", 1, tokenizer=tokenizer, lengths=old, seed=0)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("windows", ("windows", 0)),
        (" pieces ", ("pieces", 0)),
        ("1 note", ("notes", 1)),
        ("8 bars", ("bars", 8)),
        ("30seconds", ("seconds", 30)),
        ("2.5 seconds", ("seconds", 2.5)),
        ("1000000 notes", ("notes", 1_000_000)),
    ],
)
def test_a_length_is_read(said, found):
    assert parse_length(said) == found


@pytest.mark.parametrize(
    "said", ["", "8", "bars", "8 beats", "0 notes", "0 seconds", "1.5 bars", "-3 notes", "1e3 notes"]
)
def test_what_is_no_length_is_not(said):
    with pytest.raises(ValueError, match="such as '64 notes', '8 bars' or '30 seconds'"):
        parse_length(said)
