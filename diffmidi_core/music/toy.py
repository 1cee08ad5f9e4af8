"""Small scores that are the same every time: for tests, and for the conformance kit to try every part on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from symusic.core import NoteTick, TrackTick

from diffmidi_core.music.notes import INT32_MAX, TICKS_PER_QUARTER, Notes, Score, score_of

Row = tuple[float, float, int, int]
"""Onset and length in quarter notes, pitch, velocity."""

_QUARTER, _HALF, _DOTTED, _EIGHTH = 1.0, 2.0, 1.5, 0.5
_MELODY = (
    *[(pitch, _QUARTER) for pitch in (64, 64, 65, 67, 67, 65, 64, 62, 60, 60, 62, 64)],
    *[(64, _DOTTED), (62, _EIGHTH), (62, _HALF)],
    *[(pitch, _QUARTER) for pitch in (64, 64, 65, 67, 67, 65, 64, 62, 60, 60, 62, 64)],
    *[(62, _DOTTED), (60, _EIGHTH), (60, _HALF)],
)
_TONIC, _DOMINANT = (48, 52, 55), (43, 47, 53)
_HARMONY = (_TONIC, _DOMINANT, _TONIC, _DOMINANT, _TONIC, _DOMINANT, _TONIC, _TONIC)


def from_rows(rows: Sequence[Row], ticks_per_quarter: int = TICKS_PER_QUARTER) -> Score:
    """A piano score from rows of (onset, length, pitch, velocity), times in quarter notes."""
    columns = np.array(rows, dtype=np.float64).reshape(-1, 4)
    columns[:, :2] *= ticks_per_quarter
    return score_of(Notes(*np.rint(columns).astype(np.int64).T), ticks_per_quarter)


def tune() -> Score:
    """Ode to Joy, two hands, eight bars of 4/4: 30 notes of melody and 24 of chords."""
    rows: list[Row] = []
    now = 0.0
    for pitch, length in _MELODY:
        rows.append((now, length, pitch, 72 + pitch % 9))
        now += length
    rows += [(4.0 * bar, 4.0, pitch, 54) for bar, chord in enumerate(_HARMONY) for pitch in chord]
    return from_rows(rows)


def with_drums() -> Score:
    """The tune with a drum track of its own, which piano tokenizers leave out."""
    score = tune()
    drums = TrackTick("Drums", 0, True)
    for beat in range(32):
        drums.notes.append(NoteTick(beat * TICKS_PER_QUARTER, 120, 36 + 2 * (beat % 2), 100))
    score.tracks.append(drums)
    return score


def toy_scores() -> dict[str, Score]:
    """Every toy score by name. Made anew at each call, since scores can be changed in place."""
    scale = (60, 62, 64, 65, 67, 69, 71, 72)
    return {
        "tune": tune(),
        "scale": from_rows([(i / 2, 0.5, pitch, 40 + 10 * i) for i, pitch in enumerate(scale)]),
        "chords": from_rows([(2.0 * i, 2.0, root + step, 70) for i, root in enumerate(scale) for step in (0, 4, 7)]),
        "triplets": from_rows([(i / 3, 1 / 3, 60 + i % 5, 64) for i in range(12)], ticks_per_quarter=96),
        "one_note": from_rows([(0.0, 1.0, 60, 80)]),
        "late_start": from_rows([(5.0, 1.0, 60, 80), (6.0, 1.0, 64, 80)]),
        # Every onset 57 ticks after its sixteenth, as some transcriptions have it.
        "off_grid": from_rows([(i / 4 + 57 / 480, 0.2, 60 + i % 7, 80) for i in range(16)]),
        "duplicates": from_rows([(0, 1, 60, 50), (0, 2, 60, 90), (0, 1, 64, 70), (0, 1, 64, 70), (2, 1, 60, 60)]),
        "overlaps": from_rows([(i / 2, 2.0, 60 + 12 * (i % 2), 60 + i) for i in range(16)]),
        "inside": from_rows([(0, 8, 60, 60), (1, 1, 60, 90), (3, 2, 60, 70), (9, 1, 60, 80)]),
        "long_gaps": from_rows([(0, 1, 60, 80), (20, 1, 62, 80), (3000, 1, 64, 80), (3001, 1, 65, 80)]),
        "long_notes": from_rows([(0, 100, 48, 80), (1, 30, 52, 80), (2, 1, 60, 80)]),
        "zero_lengths": from_rows([(i, i % 2, 60 + i, 80) for i in range(8)]),
        "extremes": from_rows(
            [(i, 1, p, v) for i, (p, v) in enumerate([(0, 1), (20, 2), (21, 64), (108, 126), (127, 127)])]
        ),
        "late_in_time": score_of(
            Notes(*np.array([[0, 480, 60, 80], [INT32_MAX - 960, 480, 62, 80], [INT32_MAX - 480, 480, 64, 80]]).T)
        ),
        "drums": with_drums(),
        "silence": from_rows([]),
    }
