"""Layout `cells` of `mmm`: tokens that can be foretold by hand, and what it promises."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from diffmidi.api import RefusedError
from diffmidi.api.tokenizer import Score
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.registry import find
from diffmidi_core.testing import Component, checks_for

from .in_bars import OPTIONS, cells, encoded, piece, text

# --- the words ---


def test_a_bar_of_two_hands() -> None:
    score = piece(
        ("Piano, upper staff", 0, [(0, 1, 60, 64), (1, 1, 64, 64), (4, 1, 65, 64)]),
        ("Piano, lower staff", 0, [(0, 4, 48, 64)]),
        tempi=((0, 118),),
    )
    assert encoded(score) == [
        "bar4/4 q120 right c2 t0 p60 v8 d12 t12 p64 v8 d12 and q= left c1 t0 p48 v8 d48",
        "end4/4 q120 right c1 t0 p65 v8 d12 and q= left c0",
    ]


def test_notes_of_one_onset_are_by_pitch_and_time_is_since_the_onset_before() -> None:
    score = piece(("", 0, [(1, 1, 67, 64), (1, 1, 60, 64), (3.5, 9, 60, 64)]))
    assert encoded(score) == ["end4/4 q120 piano c3 t12 p60 v8 d12 t0 p67 v8 d12 t30 p60 v8 d96"]


def test_an_upbeat_is_a_short_first_bar() -> None:
    rows = [(0, 1, 60, 64), (1, 3, 62, 64), (4, 3, 64, 64)]
    score = piece(("", 0, rows), metres=((0, 1, 4), (1, 3, 4)))
    assert [bar.split()[0] for bar in encoded(score)] == ["up1/4", "bar3/4", "end3/4"]


def test_an_upbeat_that_is_written_as_a_whole_bar_with_rests_is_one() -> None:
    rows = [(2, 1, 60, 64), (3, 3, 62, 64), (6, 3, 64, 64)]
    assert encoded(piece(("", 0, rows), metres=((0, 3, 4),))) == [
        "up1/4 q120 piano c1 t0 p60 v8 d12",
        "bar3/4 q120 piano c1 t0 p62 v8 d36",
        "end3/4 q120 piano c1 t0 p64 v8 d36",
    ]


def test_a_rest_in_the_first_half_of_the_first_bar_is_none() -> None:
    rows = [(1, 1, 60, 64), (3, 3, 62, 64), (6, 3, 64, 64)]
    assert encoded(piece(("", 0, rows), metres=((0, 3, 4),)))[0].startswith("bar3/4 q120 piano c1 t12")


@pytest.mark.parametrize("metre", ["3/4", "6/8", "5/4", "2/2", "7/8", "12/8", "4/2", "11/16"])
def test_metres_come_out_again(metre: str) -> None:
    numerator, denominator = map(int, metre.split("/"))
    bar = 4 * numerator / denominator
    score = piece(("", 0, [(bar * each, 0.25, 60, 64) for each in range(3)]), metres=((0, numerator, denominator),))
    tokenizer = cells()
    ids = tokenizer.encode(score)
    assert [line.split()[0] for line in text(tokenizer, ids)] == [f"bar{metre}", f"bar{metre}", f"end{metre}"]
    signs = tokenizer.decode(ids).time_signatures
    assert [(sign.time, sign.numerator, sign.denominator) for sign in signs] == [(0, numerator, denominator)]


def test_bars_of_odd_length_have_the_metre_that_says_it() -> None:
    rows = [(each / 2, 0.5, 60, 64) for each in range(24)]
    # A 4/4 bar that 3/4 cuts short after an eighth less than it should have, and a short last one.
    score = piece(("", 0, rows), metres=((0, 4, 4), (7.5, 3, 4), (10.5, 1, 4)))
    firsts = [bar.split()[0] for bar in encoded(score)]
    assert firsts == ["bar4/4", "bar7/8", "bar3/4", "bar1/4", "end1/4"]


def test_tempi_are_the_nearest_to_the_mean_of_each_bar() -> None:
    rows = [(4 * each, 1, 60, 64) for each in range(3)]
    score = piece(("", 0, rows), tempi=((0, 80), (6, 60), (8, 300)))
    assert [bar.split()[1] for bar in encoded(score)] == ["q81", "q70", "q240"]


def test_long_rests_are_cut_by_whole_bars_and_counted() -> None:
    score = piece(("", 0, [(1, 1, 60, 64), (401, 1, 62, 64)]))
    ids, changed = cells().encode_counted(score)
    lines = text(cells(), ids)
    assert (len(lines), changed) == (18, {"clamped_rest": 1})
    assert lines[1:-1] == ["bar4/4 q120 piano c0"] * 16
    assert lines[-1] == "end4/4 q120 piano c1 t12 p62 v8 d12"


def test_what_is_over_the_count_is_left_out_and_counted() -> None:
    score = piece(("", 0, [(each / 4, 0.25, 60, 64) for each in range(16)] + [(4, 1, 60, 64)]))
    ids, changed = cells(max_count=10).encode_counted(score)
    assert changed == {"over_count": 6}
    assert [line.split()[3] for line in text(cells(max_count=10), ids)] == ["c10", "c1"]


@pytest.mark.parametrize(
    ("tracks", "tokens"),
    [
        ([("Piano", 0)], ["piano"]),
        ([("Right hand", 0)], ["piano"]),
        ([("", 0), ("", 0)], ["right", "left"]),
        ([("part0", 0), ("part1", 0)], ["right", "left"]),
        ([("MELODY", 0), ("BRIDGE", 0), ("PIANO", 0)], ["voice", "voice2", "piano"]),
        ([("Piano, lower staff", 0), ("Gesang Voice", 0), ("Piano, upper staff", 0)], ["voice", "right", "left"]),
        ([("Soprano", 0), ("Alto", 0), ("Tenor", 0), ("Bass", 0)], ["voice", "voice2", "voice3", "voice4"]),
        ([("", 40), ("", 41), ("", 0), ("", 33), ("Voice", 24)], ["piano", "guitar", "bass", "strings", "strings2"]),
        ([("", 0), ("", 0), ("", 0)], ["piano", "piano2", "piano3"]),
    ],
)
def test_tracks_are_kept_apart_by_what_they_are(tracks, tokens) -> None:
    rows = [(0, 1, 60, 64), (1, 1, 62, 64)]
    tokenizer = cells()
    ids = tokenizer.encode(piece(*((name, program, rows) for name, program in tracks)))
    roles = np.array(tokenizer.grammar.types)[tokenizer.grammar.type_of[ids]]
    assert tokenizer.to_tokens(ids[roles == "track"]) == tokens
    assert np.array_equal(tokenizer.encode(tokenizer.decode(ids)), ids)


def test_more_tracks_of_a_kind_than_are_told_apart_join_the_last() -> None:
    score = piece(*(("Voice", 0, [(0, 1, 60 + each, 64)]) for each in range(4)))
    ids, changed = cells(same_tracks=2).encode_counted(score)
    assert changed == {"joined_tracks": 2}
    assert text(cells(same_tracks=2), ids) == [
        "end4/4 q120 voice c1 t0 p60 v8 d12 and q= voice2 c3 t0 p61 v8 d12 t0 p62 v8 d12 t0 p63 v8 d12"
    ]


def test_frames_on_a_grid_of_milliseconds() -> None:
    score = piece(("", 0, [(1, 1, 60, 64), (6, 1, 62, 64)]), metres=())
    assert encoded(score, grid="10ms") == [
        "frame q= piano c1 t0ms p60 v8 d500ms",
        "endframe q= piano c1 t500ms p62 v8 d500ms",
    ]
    assert "tempo" not in cells(grid="10ms").roles.values()


def test_a_score_without_resolution_is_refused() -> None:
    with pytest.raises(RefusedError, match="a quarter note has no ticks"):
        cells().encode(Score(0))


# --- places ---


def test_heads_are_laid_out_and_their_notes_after_them() -> None:
    tokenizer = cells()
    bar = ["[MASK]", "[MASK]", "right", "[MASK]", "and", "q=", "left", "[MASK]"]
    assert tokenizer.to_tokens(tokenizer.blank(2, ["right", "left"])) == 2 * bar
    heads = tokenizer.to_ids(["bar4/4", "q120", "right", "c2", "t0", "p60", "v8", "d12", "and", "q=", "left", "c0"])
    mask = ["[MASK]"] * 4
    assert tokenizer.to_tokens(tokenizer.unfold(heads)) == (
        ["bar4/4", "q120", "right", "c2", "t0", "p60", "v8", "d12", *mask, "and", "q=", "left", "c0"]
    )
    with pytest.raises(DiffmidiError, match="a cell's count is not known yet"):
        tokenizer.unfold(tokenizer.blank(1, ["piano"]))
    with pytest.raises(DiffmidiError, match="there is no track 'tuba'"):
        tokenizer.blank(1, ["tuba"])


def test_frames_are_known_before_they_are_drawn() -> None:
    tokenizer = cells(grid="10ms")
    assert tokenizer.to_tokens(tokenizer.blank(2, ["piano"], last=True)) == (
        ["frame", "q=", "piano", "[MASK]", "endframe", "q=", "piano", "[MASK]"]
    )


COARSE = (OPTIONS["quarters"], OPTIONS["few"])
OF_FINE_ONES = ("check_notes_keep_their_distance", "check_plain_notes_are_not_lost", "check_longer_notes_stay_longer")
"""What tokens of whole quarter notes, or of few notes a bar, cannot keep. What is declared is the same for all."""


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_it_keeps_what_every_tokenizer_promises(options) -> None:
    offer = find("tokenizer", "mmm")
    component = Component(offer, offer.options({"layout": "cells", **options}))
    for check in checks_for("tokenizer"):
        if (options in COARSE and check.__name__ in OF_FINE_ONES) or check.__module__.endswith(".declared"):
            continue
        # Unwrapped: on these options, not on all that are like them.
        inspect.unwrap(check)(component)
