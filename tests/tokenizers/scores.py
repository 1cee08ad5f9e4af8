"""Scores to encode, random and by hand, and what tokens of `mmm` are."""

from __future__ import annotations

import numpy as np

from diffmidi.api.tokenizer import Score, Tokenizer
from diffmidi_core.music.notes import Notes, notes_of, score_of
from diffmidi_core.music.toy import toy_scores
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
