"""Seeds: every draw of a run follows from (seed, what it is for, which one), so that a resumed run draws the same."""

from __future__ import annotations

import hashlib

import torch


def seed_for(seed: int, purpose: str, *index: int) -> int:
    """63 bits from the run's seed, a purpose ("noise", "sample") and where in it we are."""
    name = "/".join([str(seed), purpose, *map(str, index)])
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") >> 1


def generator_for(seed: int, purpose: str, *index: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator of its own for one purpose."""
    return torch.Generator(device).manual_seed(seed_for(seed, purpose, *index))
