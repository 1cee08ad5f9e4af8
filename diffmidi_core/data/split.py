"""Which pieces are held out: decided by hash, so that adding files moves nothing from one side to the other."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]


def split_key(group: str, notes_hash: bytes) -> int:
    """63 bits that stand for the piece: of its group's name, or of its notes where it has none."""
    said = group.encode("utf-8", "surrogateescape") if group else notes_hash
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), "little") >> 1


def is_heldout(keys: Keys, share: float) -> NDArray[np.bool_]:
    """[N] True for pieces whose key falls in the held-out share of all possible keys.

    Where there are two keys to share out, each side gets one at least: the lowest is held out, the highest trained on.
    A single one is trained on.
    """
    held = keys < int(share * 2**63)
    return (held | (keys == keys.min())) & (keys != keys.max()) if len(keys) else held
