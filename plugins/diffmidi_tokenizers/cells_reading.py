"""Reading tokens of layout `cells`: which bars, cells and notes there are in any ids, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffmidi.api.tokenizer import FIRST_BAR, LAST_BAR, SPECIALS, Ids, Tokenizer
from diffmidi_tokenizers.cells_words import (
    BAR,
    COUNT,
    DURATION,
    HELD,
    JOINT,
    PITCH,
    SPECIAL,
    TEMPO,
    TIME,
    TRACK,
    VELOCITY,
    CellWords,
)

GROUP = 4
NONE = -1
Column = NDArray[np.int64]


@dataclass(frozen=True)
class Parsed:
    """What stands in some ids, specials among them or not.

    Attributes:
        heads: [C] where in the ids each cell's head begins.
        notes: [N] where each note begins.
        bar: [C] the bar of each cell, 0 to B - 1. What stands before the first bar token is in a bar of its own.
        opened_by: [B] the token that opens each bar, NONE where it is missing.
        tempo: [B] the tempo token of each bar, NONE where it has none.
        track: [C] track tokens; NONE of notes that stand before any head, which are in a cell of their own.
        count: [C] how many notes each cell's head says that there are.
        cell: [N] the cell of each note.
        since: [N] steps since the bar line.
    """

    heads: Column
    notes: Column
    bar: Column
    opened_by: Column
    tempo: Column
    track: Column
    count: Column
    cell: Column
    since: Column


def parse(ids: Ids, words: CellWords) -> Parsed:
    """The heads and notes in `ids`, in their order; tokens that belong to neither are passed over."""
    ids = np.asarray(ids)
    place = np.flatnonzero(ids >= len(SPECIALS))
    music = ids[place]
    kind = words.type_of[music]
    heads = _runs(kind, (BAR, JOINT), (TEMPO, HELD), (TRACK,), (COUNT,))
    notes = _runs(kind, (TIME,), (PITCH,), (VELOCITY,), (DURATION,))
    track = music[heads + 2].astype(np.int64)
    count = words.number_of[music[heads + 3]]
    opens = kind[heads] == BAR
    cell = np.searchsorted(heads, notes) - 1
    headless = len(notes) > 0 and cell[0] < 0
    if headless:
        track, count = np.append(NONE, track), np.append(np.count_nonzero(cell < 0), count)
        opens, cell = np.append(False, opens), cell + 1
    barless = len(opens) > 0 and not opens[0]
    bar = opens.cumsum() - (not barless)
    opened_by, tempo = music[heads[kind[heads] == BAR]], music[heads[kind[heads] == BAR] + 1]
    tempo = np.where(words.type_of[tempo] == TEMPO, tempo, NONE)
    time = words.number_of[music[notes]]
    passed = time.cumsum()
    first = np.searchsorted(cell, cell)
    since = passed - (passed - time)[first]
    return Parsed(
        place[heads],
        place[notes],
        bar,
        np.append([NONE] * barless, opened_by).astype(np.int64),
        np.append([NONE] * barless, tempo).astype(np.int64),
        track,
        count,
        cell,
        since,
    )


def lengths_of(parsed: Parsed, words: CellWords) -> Column:
    """[B] steps in each bar; in 4/4 where no token opened it."""
    lengths = words.bar_steps[parsed.opened_by].astype(np.int64)
    return np.where(parsed.opened_by == NONE, words.lengths[words.usual], lengths)


def mistakes(parsed: Parsed, words: CellWords) -> int:
    """What grammar does not see: cells with more or fewer notes than their count, notes past their bar's end, upbeats
    that are not first, last bars that are not last, and bars of other tracks than the first.
    """
    there = np.bincount(parsed.cell, minlength=len(parsed.bar))
    wrong = np.count_nonzero(there != parsed.count)
    length = lengths_of(parsed, words)[parsed.bar[parsed.cell]]
    wrong += np.count_nonzero(parsed.since >= length)
    kinds = words.bar_kinds[parsed.opened_by[parsed.opened_by != NONE]]
    wrong += np.count_nonzero(kinds[1:] == FIRST_BAR) + np.count_nonzero(kinds[:-1] == LAST_BAR)
    # Bars are alike where each cell's track is that of the cell as far behind as a bar has cells.
    cells = np.bincount(parsed.bar, minlength=1)
    starts = cells.cumsum() - cells
    row = np.arange(len(parsed.bar)) - starts[parsed.bar]
    expected = parsed.track[np.minimum(row, cells[0] - 1)]
    other = (cells != cells[0])[parsed.bar] | (parsed.track != expected)
    return int(wrong + len(np.unique(parsed.bar[other])))


def types_of(ids: Ids, words: CellWords) -> Column:
    """[N] the type at each place: a group whose third token is a track's is a head, every other one a note."""
    ids = np.asarray(ids)
    music = np.flatnonzero((ids >= len(SPECIALS)) | (ids == Tokenizer.mask_id))
    kinds = np.full(len(ids), SPECIAL, dtype=np.int64)
    groups = ids[music[: len(music) // GROUP * GROUP]].reshape(-1, GROUP)
    types = np.empty_like(groups, dtype=np.int64)
    types[:] = TIME, PITCH, VELOCITY, DURATION
    head = words.type_of[groups[:, 2]] == TRACK
    joint = words.type_of[groups[:, 0]] == JOINT
    types[head & ~joint] = BAR, words.second, TRACK, COUNT
    types[head & joint] = JOINT, HELD, TRACK, COUNT
    kinds[music[: types.size]] = types.ravel()
    kinds[music[types.size :]] = words.type_of[ids[music[types.size :]]]
    return kinds


def _runs(kind: NDArray[np.uint8], *wanted: tuple[int, ...]) -> Column:
    """Where tokens of these types stand one behind another."""
    count = len(kind) - len(wanted) + 1
    if count <= 0:
        return np.zeros(0, dtype=np.int64)
    here = np.ones(count, dtype=bool)
    for offset, types in enumerate(wanted):
        there = kind[offset : offset + count]
        here &= (there == types[0]) if len(types) == 1 else (there == types[0]) | (there == types[1])
    return np.flatnonzero(here)
