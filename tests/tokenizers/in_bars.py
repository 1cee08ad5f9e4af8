"""Scores with tracks, metres and tempi, and their tokens in layout `cells` of `mmm`."""

from __future__ import annotations

import numpy as np
from symusic.core import TempoTick, TimeSignatureTick, TrackTick

from diffmidi.api.tokenizer import Notes, Score, Tokenizer, score_of
from diffmidi_core.music.notes import notes_of
from diffmidi_core.music.toy import from_rows
from diffmidi_core.registry import find

from .scores import nasty

OPTIONS = {
    "default": {},
    "coarse": {"grid": 4, "velocities": 4, "max_duration": 1},
    "quarters": {"grid": 1},
    "few": {"max_count": 2, "same_tracks": 1},
    "frames": {"grid": "10ms"},
}


def cells(**options) -> Tokenizer:
    return find("tokenizer", "mmm").build({"layout": "cells", **options})


def text(tokenizer: Tokenizer, ids: np.ndarray) -> list[str]:
    """A line for each bar."""
    bars = np.split(ids, tokenizer.starts(ids)[1:])
    return [" ".join(tokenizer.to_tokens(bar)) for bar in bars]


def piece(*tracks: tuple[str, int, list], metres=((0, 4, 4),), tempi=((0, 120),)) -> Score:
    """A score of tracks (name, program, rows of onset and length in quarter notes, pitch, velocity)."""
    score = Score(480)
    for name, program, rows in tracks:
        track = TrackTick(name, program, False)
        track.notes = from_rows(rows).tracks[0].notes
        score.tracks.append(track)
    for at, qpm in tempi:
        score.tempos.append(TempoTick(round(at * 480), qpm=qpm))
    for at, *metre in metres:
        score.time_signatures.append(TimeSignatureTick(round(at * 480), *metre))
    return score


def encoded(score: Score, **options) -> list[str]:
    tokenizer = cells(**options)
    return text(tokenizer, tokenizer.encode(score))


def with_tracks(seed: int) -> Score:
    """Random tracks, metres and tempi, some of them nonsense."""
    random = np.random.default_rng(seed)
    score = Score(480)
    for number in range(int(random.integers(1, 6))):
        other = nasty(1000 * seed + number)
        track = TrackTick(
            str(random.choice(["", "Voice", "upper", "left", "Piano"])), int(random.integers(0, 60)), False
        )
        notes = notes_of(other)
        scale = max(1, 480 // other.ticks_per_quarter)
        moved = Notes(notes.onset * scale % 200_000, notes.duration * scale, notes.pitch, notes.velocity)
        track.notes = score_of(moved).tracks[0].notes
        score.tracks.append(track)
    at = 0
    for _ in range(int(random.integers(0, 6))):
        score.time_signatures.append(
            TimeSignatureTick(at, int(random.integers(1, 14)), int(random.choice([1, 2, 4, 8, 16, 32])))
        )
        score.tempos.append(TempoTick(at, qpm=float(random.uniform(20, 400))))
        at += int(random.integers(1, 40)) * int(random.choice([60, 240, 480, 481]))
    return score
