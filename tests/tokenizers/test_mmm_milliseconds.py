"""`mmm` on a grid of milliseconds: what is played comes back at its time, whatever the tempo says."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from symusic.core import TempoTick

from diffmidi.api import RefusedError
from diffmidi.api.source import read_midi
from diffmidi.api.tokenizer import Notes, Score, Tokenizer, microseconds, notes_of, score_of
from diffmidi_core.errors import UsageError
from diffmidi_core.music.toy import from_rows, toy_scores, tune
from diffmidi_core.registry import find
from diffmidi_core.testing.component import Component, checks_for

TOLD = "DIFFMIDI_TEST_DATA"
LAYOUTS = ("aligned", "run", "paper")
GRIDS = ("1ms", "10ms", "25ms", "100ms")


def mmm(grid: int | str = "10ms", **options) -> Tokenizer:
    return find("tokenizer", "mmm").build({"layout": "aligned", "grid": grid, **options})


def words(tokenizer: Tokenizer, score: Score) -> str:
    return " ".join(tokenizer.to_tokens(tokenizer.encode(score)))


def performance(seed: int, notes: int = 200) -> Score:
    """Notes a few milliseconds to seconds apart, under tempos that change all the time."""
    random = np.random.default_rng(seed)
    resolution = int(random.choice([96, 384, 480, 960]))
    onset = np.rint(random.lognormal(-2.5, 1.5, notes).cumsum() * resolution).astype(np.int64)
    length = np.rint(random.lognormal(-1, 1.2, notes) * resolution).astype(np.int64) + 1
    score = score_of(Notes(onset, length, random.integers(21, 109, notes), random.integers(1, 128, notes)), resolution)
    for tick in np.unique(random.integers(0, int(onset[-1]), 40)).tolist():
        score.tempos.append(TempoTick(tick, mspq=int(random.integers(200_000, 1_500_000))))
    return score


# --- the words ---


def test_words_say_milliseconds() -> None:
    vocab = mmm().vocab
    assert vocab[108:258] == tuple(f"d{n}ms" for n in [*range(10, 500, 10), *range(500, 1000, 20),
                                                       *range(1000, 2000, 40), *range(2000, 4000, 80),
                                                       *range(4000, 8001, 160)])  # fmt: skip
    assert [word[1:] for word in vocab[258:]] == ["0ms", *(word[1:] for word in vocab[108:258])]
    assert mmm("25ms", max_duration=1).vocab[108:148] == tuple(f"d{n}ms" for n in range(25, 1001, 25))
    # At 120 quarter notes a minute a quarter is half a second.
    score = from_rows([(2, 1, 60, 1), (2, 1, 64, 127), (2.008, 1, 67, 127), (3, 0.5, 67, 64), (40, 2, 60, 64)])
    assert words(mmm(), score) == (
        "t0ms p60 v1 d500ms t0ms p64 v16 d500ms t0ms p67 v16 d500ms t500ms p67 v8 d250ms t8000ms p60 v8 d1000ms"
    )
    assert words(mmm(layout="run"), score) == (
        "t0ms p60 v1 d500ms p64 v16 d500ms p67 v16 d500ms t500ms p67 v8 d250ms t8000ms t8000ms t2480ms p60 v8 d1000ms"
    )


def test_the_same_time_is_the_same_words_whatever_the_tempo_says() -> None:
    score = tune()
    twice = from_rows([], score.ticks_per_quarter)
    notes = notes_of(score)
    halves = Notes(notes.onset * 2, notes.duration * 2, notes.pitch, notes.velocity)
    twice = score_of(halves, score.ticks_per_quarter, tempo=240)
    assert words(mmm(), twice) == words(mmm(), score)
    assert words(mmm(12), twice) != words(mmm(12), score)


def test_every_change_of_tempo_counts() -> None:
    score = from_rows([(beat, 0.5, 60, 64) for beat in range(4)])
    score.tempos.append(TempoTick(480, qpm=60))
    score.tempos.append(TempoTick(960 + 240, qpm=120))
    shifts = [word for word in mmm().to_tokens(mmm().encode(score)) if word[0] in "td"]
    assert shifts == ["t0ms", "d250ms", "t500ms", "d500ms", "t1000ms", "d500ms", "t740ms", "d250ms"]


def test_chords_spread_by_milliseconds_stay_spread() -> None:
    score = score_of(Notes(*np.array([[0, 9, 23, 600], [500] * 4, [60, 64, 67, 72], [80] * 4])), 500)
    assert [word for word in words(mmm(), score).split() if word[0] == "t"] == ["t0ms", "t10ms", "t10ms", "t580ms"]


def test_what_words_cannot_say_exactly_is_not_counted_as_a_note_that_sounds_into_another() -> None:
    # 740 ms and 760 ms are words and 750 ms is not: the chord begins again 10 ms early.
    score = from_rows([(0, 1.5, 60, 80), (0, 4, 48, 80), (1.5, 2.5, 64, 80), (4, 4, 48, 80)])
    ids, counts = mmm().encode_counted(score)
    assert counts == {}
    assert [word for word in mmm().to_tokens(ids) if word[0] in "td"] == [
        *("t0ms", "d1960ms", "t0ms", "d740ms", "t740ms", "d1240ms", "t1240ms", "d2000ms")
    ]


def test_a_length_that_is_rounded_up_does_not_reach_into_the_next_note_of_its_pitch_nor_lengthen_it() -> None:
    # 4160 ms is the nearest word for 4090 ms, but the key is struck again after 4080.
    score = score_of(Notes(*np.array([[0, 2000, 4090], [4090, 10, 20], [60, 62, 60], [80, 80, 80]])), 500)
    assert words(mmm(), score) == "t0ms p60 v10 d4000ms t2000ms p62 v10 d10ms t2080ms p60 v10 d20ms"


# --- and back ---


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("grid", GRIDS)
def test_words_survive_decoding(grid: str, layout: str) -> None:
    tokenizer = mmm(grid, layout=layout)
    for score in (*toy_scores().values(), *map(performance, range(20))):
        ids = tokenizer.encode(score)
        decoded = tokenizer.decode(ids)
        assert tokenizer.encode(decoded).tolist() == ids.tolist()
        assert tokenizer.count_notes(ids) == len(notes_of(decoded))


@pytest.mark.parametrize("layout", ["aligned", "run"])
@pytest.mark.parametrize("grid", ["10ms", "1ms"])
def test_every_onset_comes_back_within_half_the_coarsest_step(grid: str, layout: str) -> None:
    tokenizer = mmm(grid, layout=layout)
    for seed in range(20):
        score = performance(seed)
        moved = _moved(tokenizer, score)
        assert np.ptp(moved) <= 160, "milliseconds; half of what two words near 8 s differ by, to either side"


def test_a_decoded_score_counts_its_ticks_in_milliseconds() -> None:
    tokenizer = mmm()
    score = tokenizer.decode(tokenizer.to_ids(["t20ms", "p60", "v8", "d500ms", "t1040ms", "p64", "v8", "d10ms"]))
    notes = notes_of(score)
    assert (notes.onset.tolist(), notes.duration.tolist()) == ([20, 1060], [500, 10])
    assert microseconds(score, notes.onset).tolist() == [20_000, 1_060_000]


FITTING = [check for check in checks_for("tokenizer") if check.__name__ != "check_notes_keep_their_distance"]
"""Steps of 100 ms keep distances no better than that."""


@pytest.mark.parametrize("check", FITTING, ids=lambda check: check.__name__)
def test_it_is_a_tokenizer_as_any_other(check) -> None:
    offer = find("tokenizer", "mmm")
    check(Component(offer, offer.options({"grid": "100ms", "velocities": 4, "max_duration": 4, "max_shift": 4})))


def test_a_score_in_which_no_time_passes_is_refused() -> None:
    score = tune()
    score.tempos.append(TempoTick(480, mspq=0))
    with pytest.raises(RefusedError, match="tempo of zero"):
        mmm().encode(score)
    assert len(mmm(12).encode(score)), "in beats it is music all the same"
    with pytest.raises(RefusedError, match="no ticks"):
        mmm().encode(Score(0))


@pytest.mark.parametrize("given", ["10", 10, "10ms", " 10 ms"])
def test_ways_to_write_a_grid(given: object) -> None:
    assert mmm(given).options.grid in (10, "10ms")


@pytest.mark.parametrize("given", [0, 97, -1, "0ms", "101ms", "10s", "ms", "10.5ms", "", True, 1.5, None, [12], "١٠ms"])
def test_what_is_no_grid_is_said_in_one_sentence(given: object) -> None:
    with pytest.raises(UsageError, match=r"tokenizer\.grid: a grid is a whole number of steps .* such as 10ms"):
        mmm(given)


@pytest.mark.skipif(TOLD not in os.environ, reason=f"the corpus is found through {TOLD}")
@pytest.mark.parametrize(("every", "enough"), [(12, 20), pytest.param(6, 40, marks=pytest.mark.slow)])
def test_recorded_performances_keep_their_time(every: int, enough: int) -> None:
    corpus = Path(os.environ[TOLD]) / "corpus"
    with (corpus / "manifest.csv").open(newline="", encoding="utf-8") as table:
        paths = [corpus / row["path"] for row in csv.DictReader(table) if row["kind"] == "performance"]
    tokenizer, means = mmm(), []
    for path in paths[::every]:
        score = read_midi(path)
        ids = tokenizer.encode(score)
        assert np.array_equal(tokenizer.encode(tokenizer.decode(ids)), ids), path
        if "clamped_shift" not in tokenizer.encode_counted(score)[1]:
            moved = _moved(tokenizer, score)
            means.append(np.abs(moved - np.median(moved)).mean())
    assert len(means) > enough
    assert np.mean(means) < 7, "milliseconds"


def _moved(tokenizer: Tokenizer, score: Score) -> np.ndarray:
    """[N] milliseconds by which notes that come back are late; notes that were merged are left out."""
    played, heard = notes_of(score), notes_of(tokenizer.decode(tokenizer.encode(score)))
    late = []
    for pitch in range(21, 109):
        before, after = (np.sort(each.onset[each.pitch == pitch]) for each in (played, heard))
        if len(before) == len(after):
            late.append(after - microseconds(score, before) / 1000)
    return np.concatenate(late)
