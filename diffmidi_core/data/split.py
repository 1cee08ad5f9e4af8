"""Which pieces are held out: decided by hash, so that adding files moves nothing from one side to the other."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.music.notes import Score, notes_of

Keys = NDArray[np.int64]
_FINE = 960
"""Steps per quarter in which music is compared: copies at other resolutions are still the same music."""


def split_key(group: str, score: Score) -> int:
    """63 bits that stand for the piece: of its group's name, or of its notes (onset, pitch) where it has none."""
    if group:
        said = group.encode("utf-8", "surrogateescape")
    else:
        notes = notes_of(score)
        onset = notes.onset - (notes.onset[0] if len(notes) else 0)
        steps = onset * _FINE // max(score.ticks_per_quarter, 1)
        said = np.stack([steps, notes.pitch]).astype("<i8").tobytes()
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), "little") >> 1


def is_heldout(keys: Keys, share: float) -> NDArray[np.bool_]:
    """[N] True for pieces whose key falls in the held-out share of all possible keys.

    Where there are two keys to share out, each side gets one at least: the lowest is held out, the highest trained on.
    A single one is trained on.
    """
    held = keys < int(share * 2**63)
    return (held | (keys == keys.min())) & (keys != keys.max()) if len(keys) else held
