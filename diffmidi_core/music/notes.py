"""Notes as numpy columns, which is what tokenizers, metrics and pictures work on; and scores made from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from symusic.core import NoteTickList, ScoreTick, TempoTick, TimeSignatureTick, TrackTick

Score = ScoreTick
"""The music that flows through diffmidi: symusic's score in ticks."""

Column = NDArray[np.int64]
Integer = TypeVar("Integer", bound=np.integer[Any])
TICKS_PER_QUARTER = 480
INT32_MAX = 2**31 - 1


@dataclass(frozen=True)
class Notes:
    """Notes as columns of equal length: onset and duration in ticks, pitch and velocity as MIDI has them."""

    onset: Column
    duration: Column
    pitch: Column
    velocity: Column

    def __len__(self) -> int:
        return len(self.onset)

    def __getitem__(self, rows: NDArray[np.integer] | NDArray[np.bool_] | slice) -> Notes:
        return Notes(self.onset[rows], self.duration[rows], self.pitch[rows], self.velocity[rows])


def notes_of(score: Score) -> Notes:
    """Every note of the score that is not a drum's, all tracks merged, by onset, then pitch."""
    return _notes_of([track for track in score.tracks if not track.is_drum])


def tracks_of(score: Score) -> list[Notes]:
    """The notes of each track that is no drum's and has some, in the order of the score: its voices, where it has any.

    Drawn or decoded music has the tracks that its tokens tell apart, of most tokenizers one.
    """
    return [_notes_of([track]) for track in score.tracks if not track.is_drum and len(track.notes)]


def _notes_of(tracks: Sequence[TrackTick]) -> Notes:
    columns = [track.notes.numpy() for track in tracks if len(track.notes)]
    onset, duration, pitch, velocity = (
        np.concatenate([column[name] for column in columns] or [[]], dtype=np.int64, casting="unsafe")
        for name in ("time", "duration", "pitch", "velocity")
    )
    # One key sorts twice as fast as np.lexsort's two.
    order = np.argsort(onset * 256 + pitch, kind="stable")
    return Notes(onset[order], duration[order], pitch[order], velocity[order])


def deduplicated(notes: Notes) -> Notes:
    """Notes by onset, then pitch, those of one onset and pitch as one: the longest duration and the loudest velocity.

    Tracks that double each other write such notes; on a piano they are one.
    """
    key = notes.onset * 256 + notes.pitch
    again = key[1:] == key[:-1]
    if not again.any():
        return notes
    first = np.flatnonzero(np.concatenate(([True], ~again)))
    longest, loudest = (np.maximum.reduceat(column, first) for column in (notes.duration, notes.velocity))
    return Notes(notes.onset[first], longest, notes.pitch[first], loudest)


def distinct(values: NDArray[Integer]) -> NDArray[Integer]:
    """np.unique, which takes four times as long on arrays of this size."""
    if (values[1:] < values[:-1]).any():
        values = np.sort(values)
    new = np.ones(len(values), dtype=bool)
    np.not_equal(values[1:], values[:-1], out=new[1:])
    return values if new.all() else values[new]


def score_of(
    notes: Notes | Sequence[Notes],
    ticks_per_quarter: int = TICKS_PER_QUARTER,
    *,
    tempo: float = 120.0,
    metre: tuple[int, int] = (4, 4),
) -> Score:
    """A piano score of one track; of several `notes`, of a track each.

    Times past what MIDI can hold (2^31 ticks) are cut off there.
    """
    score = ScoreTick(ticks_per_quarter)
    score.tempos.append(TempoTick(0, qpm=tempo))
    score.time_signatures.append(TimeSignatureTick(0, *metre))
    for each in (notes,) if isinstance(notes, Notes) else notes:
        score.tracks.append(_track_of(each))
    return score


def _track_of(notes: Notes) -> TrackTick:
    track = TrackTick("Piano", 0, False)
    onset = np.clip(notes.onset, 0, INT32_MAX)
    duration = np.clip(notes.duration, 0, INT32_MAX - onset)
    track.notes = NoteTickList.from_numpy(
        onset.astype(np.int32), duration.astype(np.int32), notes.pitch.astype(np.int8), notes.velocity.astype(np.int8)
    )
    return track
