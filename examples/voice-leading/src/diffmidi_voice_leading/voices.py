"""From a score to what four voices sing: one chord for every moment at which somebody begins a note."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffmidi.api.control import Notes, Score, notes_of, tracks_of

Array = NDArray[np.int64]
VOICES = 4
SOPRANO, ALTO, TENOR, BASS = range(VOICES)


@dataclass(frozen=True)
class Chords:
    """What sounds at each of M moments.

    Attributes:
        pitch: [M, 4] MIDI pitches of soprano, alto, tenor and bass, where four sound.
        whole: [M] whether four do.
        voiced: whether the score says who sings what; else the highest pitch is the soprano's, and no voices cross.
    """

    pitch: Array
    whole: NDArray[np.bool_]
    voiced: bool

    @property
    def changes(self) -> tuple[Array, Array]:
        """[C, 4] the chords before and after each change: neighbours, both of four voices, that are not the same."""
        before, after = self.pitch[:-1], self.pitch[1:]
        used = self.whole[:-1] & self.whole[1:] & (before != after).any(-1)
        return before[used], after[used]

    @property
    def ending(self) -> tuple[Array, Array] | None:
        """[4] and [4] the last two chords, where both have four voices."""
        return (self.pitch[-2], self.pitch[-1]) if self.whole[-2:].sum() == 2 else None


def chords_of(score: Score) -> Chords:
    """By track where the score has four tracks with notes, soprano first; else by pitch."""
    tracks = tracks_of(score)
    return _by_track(tracks) if len(tracks) == VOICES else _by_pitch(notes_of(score))


def _by_track(tracks: list[Notes]) -> Chords:
    moments = np.unique(np.concatenate([notes.onset for notes in tracks]))
    pitch = np.zeros((len(moments), VOICES), dtype=np.int64)
    sounds = np.zeros_like(pitch, dtype=np.bool_)
    for voice, notes in enumerate(tracks):
        newest = np.searchsorted(notes.onset, moments, side="right") - 1  # -1 before the first
        sounds[:, voice] = (newest >= 0) & ((notes.onset + notes.duration)[newest] > moments)
        pitch[:, voice] = notes.pitch[newest]
    whole: NDArray[np.bool_] = np.all(sounds, axis=-1)
    return Chords(pitch, whole, voiced=True)


def _by_pitch(notes: Notes) -> Chords:
    moments = np.unique(notes.onset)
    first = np.searchsorted(moments, notes.onset)
    count = np.searchsorted(moments, notes.onset + notes.duration) - first  # [N] moments in which a note sounds
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    sounding = np.unique((np.repeat(first, count) + within) * 128 + np.repeat(notes.pitch, count))
    at = sounding // 128
    whole = np.bincount(at, minlength=len(moments)) == VOICES
    pitch = np.zeros((len(moments), VOICES), dtype=np.int64)
    pitch[whole] = (sounding[whole[at]] % 128).reshape(-1, VOICES)[:, ::-1]
    return Chords(pitch, whole, voiced=False)
