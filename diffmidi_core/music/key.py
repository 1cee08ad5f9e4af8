"""The key of a piece, by the Krumhansl-Schmuckler algorithm with the profiles of Krumhansl and Kessler."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
"""How well each semitone above the tonic fits a key, as rated by listeners: C. L. Krumhansl and E. J. Kessler, "Tracing
the dynamic changes in perceived tonal organization in a spatial representation of musical keys", Psychological Review
89 (1982), 334-368."""

# Each key by its usual name: the spelling with fewer accidentals, and of six sharps or flats the one that is met more.
MAJOR_KEYS = tuple(f"{tonic} major" for tonic in ["C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"])
MINOR_KEYS = tuple(f"{tonic} minor" for tonic in ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"])
KEYS = (*MAJOR_KEYS, *MINOR_KEYS)


def _standardised(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row with mean 0 and length 1: the dot product of two is their Pearson correlation."""
    centred = rows - rows.mean(-1, keepdims=True)
    unit: NDArray[np.float64] = centred / np.linalg.norm(centred, axis=-1, keepdims=True)
    return unit


_PROFILES = _standardised(np.array([np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)]))


def key_of(pitch: NDArray[np.int64], weight: NDArray[np.int64]) -> str | None:
    """The one of `KEYS` whose profile correlates best (Pearson) with how long each pitch class sounds.

    Source: C. L. Krumhansl, Cognitive Foundations of Musical Pitch (Oxford University Press, 1990), chapter 4.

    Args:
        pitch: [N] MIDI pitches.
        weight: [N] their durations, in any unit.

    Returns None where every pitch class sounds equally long, so that no key is nearer than another.
    """
    number = int(keys_of(np.bincount(pitch % 12, weight, minlength=12)[None])[0])
    return None if number < 0 else KEYS[number]


def keys_of(sounding: NDArray[np.number[Any]]) -> NDArray[np.int64]:
    """[B] the same as numbers into KEYS, from how long each pitch class sounds [B, 12]; -1 where there is none."""
    # Neither the mean nor the length of what sounds changes which correlation is highest.
    nearest = np.argmax(sounding @ _PROFILES.T, axis=-1)
    return np.where(sounding.min(-1) == sounding.max(-1), -1, nearest)


def key_clarity(pitch: NDArray[np.int64], weight: NDArray[np.int64]) -> float | None:
    """The correlation by which `key_of` finds its key; None where it finds none."""
    sounding = np.bincount(pitch % 12, weight, minlength=12).astype(np.float64)
    if sounding.min() == sounding.max():
        return None
    return float((_standardised(sounding[None]) @ _PROFILES.T).max())
