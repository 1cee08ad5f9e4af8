"""The types of `mmm`'s tokens, which may follow which in each layout, and what those of velocity say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from diffmidi.api.tokenizer import Grammar, Ids, Role

LOWEST, HIGHEST = 21, 108
PITCHES = np.arange(LOWEST, HIGHEST + 1)
SPECIAL, PITCH, VELOCITY, DURATION, SHIFT = range(5)
TYPES = ("special", "pitch", "velocity", "duration", "shift")
ROLES: Mapping[str, Role] = {"pitch": "pitch", "velocity": "velocity", "duration": "duration", "shift": "time"}


def grammar_of(layout: str, type_of: NDArray[np.int64]) -> Grammar:
    """The grammar of a layout; `type_of` [V] is the type of each word."""
    state = {"aligned": (SHIFT, PITCH, VELOCITY, DURATION), "paper": (PITCH, VELOCITY, DURATION)}
    if layout in state:
        cycle = state[layout]
        table = np.full((len(cycle), len(TYPES)), -1)
        for here, kind in enumerate(cycle):
            table[here, kind] = (here + 1) % len(cycle)
    else:
        between, shifted, pitched, struck = range(4)
        table = np.full((4, len(TYPES)), -1)
        table[between, SHIFT] = table[shifted, SHIFT] = shifted
        table[between, PITCH] = table[shifted, PITCH] = pitched
        table[pitched, VELOCITY] = struck
        table[struck, DURATION] = between
    return Grammar(TYPES, type_of, table)


def velocity_bins(bins: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[128] the bin 1..bins of each MIDI velocity, and [bins + 1] the middle velocity of each bin."""
    velocity = np.arange(128)
    bin_of = np.maximum(1 + (velocity - 1) * bins // 127, 1)
    lowest = np.searchsorted(bin_of[1:], np.arange(bins + 1)) + 1
    highest = np.searchsorted(bin_of[1:], np.arange(bins + 1), side="right")
    return bin_of, (lowest + highest) // 2


def rows(*columns: Ids) -> tuple[Ids, NDArray[np.int64]]:
    """A row of words for each note, one after another; and where each begins."""
    table = np.empty((len(columns[0]), len(columns)), dtype=np.int32)
    for place, column in enumerate(columns):
        table[:, place] = column
    return table.ravel(), np.arange(0, table.size, len(columns))
