"""The rules of four-part writing, each counted at every change from one chord to the next.

They are those that textbooks of harmony agree on (none is quoted), such as E. Aldwell and C. Schachter, Harmony and
Voice Leading, as far as MIDI tells them: it has no spelling, so that an augmented fourth cannot be told from a
diminished fifth, which is allowed now and then, nor an augmented second from a minor third. Every tritone is counted,
and no second. Fermatas are not known either: parallels from the end of a line to the beginning of the next are
counted like all others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from diffmidi.api.control import KEYS, Score, key_of, notes_of
from diffmidi_voice_leading.voices import BASS, SOPRANO, VOICES, Array, Chords

RANGES = np.array([(60, 79), (55, 72), (48, 67), (40, 60)])
"""[4, 2] the lowest and the highest pitch of soprano (c¹ to g²), alto (g to c²), tenor (c to g¹) and bass (E to c¹)."""
PAIRS = tuple((upper, lower) for lower in range(VOICES) for upper in range(lower))


def _kept(before: Array, after: Array, interval: int) -> Array:
    """Pairs of voices that move in the same direction, from this interval or its compound to one of the same kind."""
    count = np.zeros(len(before), dtype=np.int64)
    for upper, lower in PAIRS:
        moved = np.sign(after[:, upper] - before[:, upper]), np.sign(after[:, lower] - before[:, lower])
        stays = [abs(chord[:, upper] - chord[:, lower]) % 12 == interval for chord in (before, after)]
        count += (moved[0] == moved[1]) & (moved[0] != 0) & stays[0] & stays[1]
    return count


def _count(broken: NDArray[np.bool_]) -> Array:
    found: Array = broken.sum(-1, dtype=np.int64)
    return found


def parallel_fifths(before: Array, after: Array) -> Array:
    """Pairs of voices that move in parallel perfect fifths."""
    return _kept(before, after, 7)


def parallel_octaves(before: Array, after: Array) -> Array:
    """Pairs of voices that move in parallel octaves or unisons."""
    return _kept(before, after, 0)


def hidden(before: Array, after: Array) -> Array:
    """1 where the outer voices move in the same direction into a fifth or an octave, to which the soprano leaps."""
    soprano, bass = after[:, SOPRANO] - before[:, SOPRANO], after[:, BASS] - before[:, BASS]
    old, new = (abs(chord[:, SOPRANO] - chord[:, BASS]) % 12 for chord in (before, after))
    into = np.isin(new, (0, 7)) & (old != new)
    found: Array = ((soprano * bass > 0) & (abs(soprano) > 2) & into).astype(np.int64)
    return found


def crossing(before: Array, after: Array) -> Array:
    """Pairs of neighbours of which the upper sings below the lower."""
    return _count(np.diff(after) > 0)


def spacing(before: Array, after: Array) -> Array:
    """Of soprano and alto, and alto and tenor, the pairs that are more than an octave apart."""
    return _count(abs(np.diff(after[:, :BASS])) > 12)


def out_of_range(before: Array, after: Array) -> Array:
    """Voices below or above what they sing (RANGES)."""
    return _count((after < RANGES[:, 0]) | (after > RANGES[:, 1]))


def leaps(before: Array, after: Array) -> Array:
    """Voices that leap by a tritone, or by more than an octave."""
    size = abs(after - before)
    return _count((size == 6) | (size > 12))


RULES: Mapping[str, Callable[[Array, Array], Array]] = {
    "parallel_fifths": parallel_fifths,
    "parallel_octaves": parallel_octaves,
    "hidden": hidden,
    "crossing": crossing,
    "spacing": spacing,
    "range": out_of_range,
    "leaps": leaps,
}
"""From chords before and after [C, 4] to the faults at each change [C]."""


def unresolved(score: Score, chords: Chords) -> int | None:
    """How many outer voices leave the leading tone, at the end, for anything else than the tonic above it.

    Inner voices may: in Bach's cadences they often fall to the fifth. The key is that of the whole score (`key_of`).
    None where there is no key, or the piece does not end with two chords of four voices.
    """
    notes = notes_of(score)
    key, ending = key_of(notes.pitch, notes.duration) if len(notes) else None, chords.ending
    if key is None or ending is None:
        return None
    before, after = (chord[[SOPRANO, BASS]] for chord in ending)
    leading = (KEYS.index(key) - 1) % 12
    return int(((before % 12 == leading) & (after != before) & (after != before + 1)).sum())
