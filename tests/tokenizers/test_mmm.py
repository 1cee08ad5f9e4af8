"""`mmm`: words that can be foretold by hand, and back again exactly."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from diffmidi.api import RefusedError
from diffmidi.api.renderer import write_midi
from diffmidi.api.source import read_midi
from diffmidi.api.tokenizer import Score, Tokenizer
from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.music.notes import Notes, notes_of, score_of
from diffmidi_core.music.toy import from_rows, toy_scores, tune
from diffmidi_core.registry import find

TOLD = "DIFFMIDI_TEST_DATA"
LAYOUTS = ("aligned", "run", "paper")
TOYS = toy_scores()


def mmm(layout: str = "aligned", **options) -> Tokenizer:
    return find("tokenizer", "mmm").build({"layout": layout, **options})


def words(tokenizer: Tokenizer, score: Score) -> str:
    return " ".join(tokenizer.to_tokens(tokenizer.encode(score)))


def ids_of(tokenizer: Tokenizer, text: str) -> np.ndarray:
    return tokenizer.to_ids(text.split())


def rows(score: Score) -> list[tuple[int, ...]]:
    notes = notes_of(score)
    return list(zip(*(getattr(notes, n).tolist() for n in ("onset", "duration", "pitch", "velocity")), strict=True))


def nasty(seed: int) -> Score:
    """Random notes of every kind of trouble: off the grid, overlapping, out of range, long, empty, far apart."""
    random = np.random.default_rng(seed)
    count, resolution = int(random.integers(1, 120)), int(random.choice([1, 24, 96, 220, 384, 480, 960, 1024]))
    spread = int(random.choice([4, 60, 4000]))
    low, high = (21, 109) if seed % 3 else (0, 128)
    pitches = random.integers(low, high, 4) if seed % 2 else np.arange(low, high)
    return score_of(
        Notes(
            random.integers(0, spread * resolution, count),
            random.integers(0, 12 * resolution, count) * random.integers(0, 2, count),
            random.choice(pitches, count),
            random.integers(1, 128, count),
        ),
        resolution,
    )


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


# --- and back ---


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", TOYS)
def test_toy_scores_come_back_word_for_word(layout: str, name: str, tmp_path: Path) -> None:
    tokenizer = mmm(layout)
    ids = tokenizer.encode(TOYS[name])
    assert ids.dtype == np.int32
    assert tokenizer.faults(ids) == 0
    decoded = tokenizer.decode(ids)
    assert tokenizer.encode(decoded).tolist() == ids.tolist()
    if len(ids):
        write_midi(decoded, tmp_path / "piece.mid")
        assert tokenizer.encode(read_midi(tmp_path / "piece.mid")).tolist() == ids.tolist()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"grid": 7, "velocities": 5, "max_duration": 6, "max_shift": 1, "zero_length": "step"},
        {"grid": 96, "max_shift": 3},
    ],
    ids=["default", "short shifts", "fine grid"],
)
def test_three_hundred_nasty_scores_come_back_word_for_word(layout: str, options: dict) -> None:
    tokenizer = mmm(layout, **options)
    for seed in range(300):
        ids = tokenizer.encode(nasty(seed))
        decoded = tokenizer.decode(ids)
        assert tokenizer.encode(decoded).tolist() == ids.tolist(), f"seed {seed}"
        assert tokenizer.count_notes(ids) == decoded.note_num(), f"seed {seed}"
        assert tokenizer.faults(ids) == 0, f"seed {seed}"


@pytest.mark.skipif(TOLD not in os.environ, reason=f"the corpus is found through {TOLD}")
@pytest.mark.parametrize("every", [16, pytest.param(1, marks=pytest.mark.slow)])
def test_pieces_of_the_corpus_come_back_word_for_word(every: int) -> None:
    files = sorted((Path(os.environ[TOLD]) / "corpus").rglob("*.mid"))
    assert len(files) == 2183
    tokenizers = [mmm(layout) for layout in LAYOUTS]
    for file in files[::every]:
        score = read_midi(file)
        for tokenizer in tokenizers:
            ids = tokenizer.encode(score)
            assert np.array_equal(tokenizer.encode(tokenizer.decode(ids)), ids), (file, tokenizer.options)


@pytest.mark.parametrize("layout", ["aligned", "run"])
def test_the_music_is_kept(layout: str) -> None:
    random = np.random.default_rng(1)
    onset = np.sort(random.integers(0, 60 * 480, 200))
    played = Notes(onset, random.integers(100, 900, 200), 21 + np.arange(200) % 88, random.integers(1, 128, 200))
    heard = notes_of(mmm(layout).decode(mmm(layout).encode(score_of(played))))
    by_key = np.lexsort((heard.onset, heard.pitch))
    as_played = np.lexsort((played.onset, played.pitch))
    moved = (heard.onset[by_key] - played.onset[as_played]).astype(float)
    assert np.ptp(moved) <= 40, "an onset moves by half a step of 40 ticks at most, either way"
    assert np.abs(heard.velocity[by_key] - played.velocity[as_played]).max() <= 4
    assert (heard.pitch[by_key] == played.pitch[as_played]).all()


def test_a_decoded_score_is_a_piano_on_the_grid() -> None:
    assert rows(mmm().decode(ids_of(mmm(), "t6 p60 v1 d12 t0 p64 v16 d24"))) == [(240, 480, 60, 4), (240, 960, 64, 124)]
    score = mmm(grid=7).decode(ids_of(mmm(grid=7), "t7 p60 v1 d7"))
    assert (score.ticks_per_quarter, rows(score)) == (483, [(483, 483, 60, 4)])


def test_paper_plays_its_notes_one_after_another() -> None:
    assert rows(mmm("paper").decode(ids_of(mmm("paper"), "p60 v8 d12 p64 v8 d6 p60 v8 d1"))) == [
        (0, 480, 60, 60), (480, 240, 64, 60), (720, 40, 60, 60),
    ]  # fmt: skip


# --- any words at all ---


@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_ids_give_a_valid_score(layout: str, tmp_path: Path) -> None:
    tokenizer = mmm(layout)
    random = np.random.default_rng(0)
    for length in [0, 1, 2, 3, 4, *random.integers(5, 400, 200)]:
        ids = random.integers(0, len(tokenizer.vocab), length).astype(np.int32)
        score = tokenizer.decode(ids)
        notes = notes_of(score)
        assert len(notes) <= tokenizer.count_notes(ids)
        assert ((notes.onset >= 0) & (notes.duration >= 1) & (notes.onset + notes.duration < 2**31)).all()
        assert ((notes.pitch >= 21) & (notes.pitch <= 108) & (notes.velocity >= 1) & (notes.velocity <= 127)).all()
        again = tokenizer.encode(score)
        assert tokenizer.encode(tokenizer.decode(again)).tolist() == again.tolist()
        starts = tokenizer.starts(ids)
        assert (np.diff(starts) > 0).all()
        assert len(starts) == 0 or (starts[0] == 0 and starts[-1] < length)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_decoded_is_what_its_midi_file_says(layout: str, tmp_path: Path) -> None:
    """Overlaps of one pitch cannot be said in MIDI, so none may be left."""
    tokenizer = mmm(layout)
    random = np.random.default_rng(0)
    body = [f"t{random.integers(0, 4)} p{random.integers(60, 63)} v8 d{random.integers(1, 30)}" for _ in range(100)]
    text = " ".join(body) if layout != "paper" else " ".join(line.partition(" ")[2] for line in body)
    score = tokenizer.decode(ids_of(tokenizer, text))
    write_midi(score, tmp_path / "piece.mid")
    assert rows(read_midi(tmp_path / "piece.mid")) == rows(score)


@pytest.mark.parametrize(
    ("layout", "text", "notes"),
    [
        ("aligned", "[CLS] t4 p60 [MASK] v8 d3 [SEP] [PAD]", [(160, 120, 60, 60)]),
        ("aligned", "t4 p60 d3 t4 p62 v8 d3", [(320, 120, 62, 60)]),
        ("aligned", "v8 d3 t2 t3 p60 v8 d3 p61 v8 d3 p62 v8", [(200, 120, 60, 60), (200, 120, 61, 60)]),
        ("run", "p60 v8 d3 t12 p62 v8 d3", [(0, 120, 60, 60), (480, 120, 62, 60)]),
        ("run", "t12", []),
        ("paper", "d5 p60 v8 d3 v8 p62 v8 d3", [(0, 120, 60, 60), (120, 120, 62, 60)]),
    ],
)
def test_only_whole_notes_are_read_and_time_passes_all_the_same(layout: str, text: str, notes: list) -> None:
    tokenizer = mmm(layout)
    assert rows(tokenizer.decode(ids_of(tokenizer, text))) == notes
    assert tokenizer.count_notes(ids_of(tokenizer, text)) == len(notes)


def test_a_chain_of_rests_is_cut_where_encoding_would_cut_it() -> None:
    tokenizer = mmm("run")
    decoded = tokenizer.decode(ids_of(tokenizer, "t0 p60 v8 d12 " + "t96 " * 40 + "p60 v8 d12"))
    assert words(tokenizer, decoded) == "t0 p60 v8 d12 " + "t96 " * 16 + "p60 v8 d12"
    assert rows(decoded)[1][0] == 16 * 96 * 40


def test_notes_past_the_end_of_time_are_left_out() -> None:
    tokenizer = mmm(grid=1, max_duration=64, max_shift=64)
    ids = np.tile(ids_of(tokenizer, "t64 p60 v8 d64"), 80_000)
    notes = notes_of(tokenizer.decode(ids))
    assert 60_000 < len(notes) < 80_000
    assert (notes.onset + notes.duration).max() < 2**31


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
