"""`mmm`: decoded again, tokens of music come back exactly, and any others give music all the same."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from diffmidi.api.renderer import write_midi
from diffmidi.api.source import read_midi
from diffmidi_core.music.notes import Notes, notes_of, score_of

from .scores import LAYOUTS, TOLD, TOYS, ids_of, mmm, nasty, rows, words


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
