"""`mmm`: words that can be foretold by hand, where notes begin, and what the grammar counts."""

from __future__ import annotations

import numpy as np
import pytest

from diffmidi.api import RefusedError
from diffmidi.api.tokenizer import Score
from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.music.notes import notes_of
from diffmidi_core.music.toy import from_rows, tune

from .scores import LAYOUTS, TOYS, ids_of, mmm, words

# --- the words ---


def test_the_vocabulary_is_the_specials_and_then_the_words_by_type() -> None:
    vocab = mmm().vocab
    assert vocab[:4] == ("[PAD]", "[CLS]", "[SEP]", "[MASK]")
    assert vocab[4:92] == tuple(f"p{pitch}" for pitch in range(21, 109))
    assert vocab[92:108] == tuple(f"v{velocity}" for velocity in range(1, 17))
    assert vocab[108:204] == tuple(f"d{duration}" for duration in range(1, 97))
    assert vocab[204:] == tuple(f"t{shift}" for shift in range(97))
    assert mmm("run").vocab == vocab
    assert mmm("paper").vocab == vocab[:204]


def test_a_short_tune_in_the_three_layouts() -> None:
    score = from_rows([(2, 1, 60, 1), (2, 1, 64, 127), (3, 0.5, 67, 64), (15, 2, 60, 64)])
    assert words(mmm(), score) == "t0 p60 v1 d12 t0 p64 v16 d12 t12 p67 v8 d6 t96 p60 v8 d24"
    assert words(mmm("run"), score) == "t0 p60 v1 d12 p64 v16 d12 t12 p67 v8 d6 t96 t48 p60 v8 d24"
    assert words(mmm("paper"), score) == "p60 v1 d12 p64 v16 d12 p67 v8 d6 p60 v8 d24"


def test_a_rest_of_exactly_one_and_two_words_takes_no_t0_more() -> None:
    score = from_rows([(0, 1, 60, 64), (8, 1, 60, 64), (24, 1, 60, 64)])
    assert words(mmm("run"), score) == "t0 p60 v8 d12 t96 p60 v8 d12 t96 t96 p60 v8 d12"


def test_what_was_changed_is_counted() -> None:
    score = from_rows(
        [
            (0, 1, 5, 64),  # below the piano
            (1, 0, 60, 64),  # empty
            (2, 1, 60, 64),
            (2, 2, 60, 50),  # twin of the one before
            (3, 1, 60, 64),  # struck while that one sounds
            (20, 9, 62, 64),  # after 17 quarters, and 9 long
        ]
    )
    ids, counts = mmm().encode_counted(score)
    assert counts == {
        "clamped_pitch": 1, "zero_length": 1, "merged": 1, "overlaps": 1, "clamped_shift": 1, "clamped_duration": 1,
    }  # fmt: skip
    assert " ".join(mmm().to_tokens(ids)) == "t0 p21 v8 d12 t24 p60 v8 d12 t12 p60 v8 d12 t96 p62 v8 d96"


def test_an_untouched_piece_counts_nothing_and_drums_are_counted_and_left_out() -> None:
    assert mmm().encode_counted(tune())[1] == {}
    ids, counts = mmm().encode_counted(TOYS["drums"])
    assert counts == {"drums": 32}
    assert (ids == mmm().encode(tune())).all()


def test_options_say_what_happens_to_pitches_and_empty_notes() -> None:
    ids, counts = mmm(out_of_range="drop").encode_counted(TOYS["extremes"])
    assert mmm().count_notes(ids) == 2
    assert counts["dropped_pitch"] == 3
    ids, counts = mmm(zero_length="step").encode_counted(TOYS["zero_lengths"])
    assert mmm().count_notes(ids) == 8
    assert counts["zero_length"] == 4
    assert words(
        mmm(grid=4, velocities=2, max_duration=1, max_shift=2), from_rows([(0, 9, 60, 64), (9, 1, 60, 65)])
    ) == ("t0 p60 v1 d4 t8 p60 v2 d4")


def test_velocity_bins_are_even_and_decode_to_their_middle() -> None:
    for bins in (1, 4, 16, 127):
        tokenizer = mmm(velocities=bins)
        score = from_rows([(i, 1, 60, velocity) for i, velocity in enumerate(range(1, 128))])
        written = tokenizer.encode(score)
        said = [int(word[1:]) for word in tokenizer.to_tokens(written) if word.startswith("v")]
        sizes = np.bincount(said)[1:]
        assert said == sorted(said)
        assert len(sizes) == bins
        assert sizes.max() - sizes.min() <= 1
        heard = notes_of(tokenizer.decode(written)).velocity
        assert 1 <= heard.min() <= heard.max() <= 127
        assert np.abs(heard - np.arange(1, 128)).max() <= 127 / bins / 2 + 0.5


def test_a_piece_without_notes_has_no_words() -> None:
    for layout in LAYOUTS:
        assert len(mmm(layout).encode(TOYS["silence"])) == 0
    with pytest.raises(RefusedError):
        mmm().encode(Score(0))


# --- windows and grammar ---


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["tune", "chords", "overlaps", "long_gaps"])
def test_any_window_between_note_boundaries_holds_its_notes(layout: str, name: str) -> None:
    tokenizer = mmm(layout)
    ids = tokenizer.encode(TOYS[name])
    boundaries = [*tokenizer.starts(ids).tolist(), len(ids)]
    assert len(boundaries) - 1 == tokenizer.count_notes(ids)
    whole = notes_of(tokenizer.decode(ids))
    for first in range(len(boundaries) - 1):
        for last in range(first + 1, min(first + 6, len(boundaries))):
            window = ids[boundaries[first] : boundaries[last]]
            heard = notes_of(tokenizer.decode(window))
            assert tokenizer.faults(window) == 0
            assert heard.pitch.tolist() == whole.pitch[first:last].tolist()
            assert (np.diff(heard.onset) == np.diff(whole.onset[first:last])).all()


def test_where_notes_begin() -> None:
    assert mmm().starts(mmm().encode(tune())).tolist() == list(range(0, 4 * 54, 4))
    assert mmm("paper").starts(mmm("paper").encode(tune())).tolist() == list(range(0, 3 * 54, 3))
    ids = ids_of(mmm("run"), "t0 p60 v1 d1 p64 v1 d1 t96 t2 p60 v1 d1")
    assert mmm("run").starts(ids).tolist() == [0, 4, 7]


@pytest.mark.parametrize(
    ("layout", "text", "faults"),
    [
        ("aligned", "t0 p60 v1 d1 t0 p60 v1 d1", 0),
        ("aligned", "t0 p60 v1 d1 p60 v1 d1", 3),
        ("aligned", "t0 t0 p60 v1 d1", 1),
        ("aligned", "t0 p60 v1", 1),
        ("run", "p60 v1 d1 t0 t96 p60 v1 d1 p62 v1 d1", 0),
        ("run", "p60 v1 t1 d1", 1),
        ("run", "p60 v1 d1 t5", 1),
        ("paper", "p60 v1 d1 p60 v1 d1", 0),
        ("paper", "v1 p60 v1 d1", 1),
        ("paper", "", 0),
    ],
)
def test_faults_are_counted_by_the_grammar(layout: str, text: str, faults: int) -> None:
    assert mmm(layout).faults(ids_of(mmm(layout), text)) == faults


def test_random_words_have_many_faults_and_specials_none() -> None:
    random = np.random.default_rng(0)
    assert mmm().faults(random.integers(4, 301, 400)) > 100
    assert mmm().faults(np.array([1, 0, 0, 2, 3])) == 0


# --- names ---


def test_the_fingerprint_tells_options_apart_and_nothing_else() -> None:
    prints = [mmm(layout).fingerprint for layout in LAYOUTS] + [
        mmm(grid=24).fingerprint,
        mmm(zero_length="step").fingerprint,
    ]
    assert len(set(prints)) == 5
    assert mmm().fingerprint == mmm(grid=12).fingerprint


def test_unknown_words_and_options_are_named() -> None:
    with pytest.raises(DiffmidiError, match=r"token 2, 'x1'"):
        mmm().to_ids(["p60", "x1"])
    with pytest.raises(UsageError, match=r"no option tokenizer\.gird.*Did you mean 'grid'"):
        mmm(gird=4)
    with pytest.raises(UsageError, match=r"tokenizer\.layout"):
        mmm("diagonal")
