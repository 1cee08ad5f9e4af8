"""One cell of layout `cells`, in a bar of which somebody else says where it begins and how long it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from diffmidi.api import DiffmidiError
from diffmidi.api.tokenizer import BarShape, CellNotes, Ids, Notes, Tokenizer, deduplicated
from diffmidi_tokenizers.cells_words import COUNT, HELD, JOINT, TEMPO, TIME, TRACK, CellWords
from diffmidi_tokenizers.grids import Grid
from diffmidi_tokenizers.layouts import HIGHEST, LOWEST

Column = NDArray[np.int64]


def cell_of(
    bar: BarShape,
    track: str,
    notes: CellNotes | None,
    *,
    first: bool,
    words: CellWords,
    grid: Grid,
    written: Callable[[Notes], tuple[Ids, Ids, Ids]],
) -> tuple[Ids, Column]:
    """The tokens of a cell, and which notes they are.

    Onsets go to the nearest step in the bar, whose metre is one of its length, or the next longer. Pitches that have
    no token, and notes over the largest count, are left out.

    Raises DiffmidiError on a grid of milliseconds, which has no bars, and for a bar longer than any metre.
    """
    if not words.metred:
        raise DiffmidiError(
            "this model counts in milliseconds and knows no bars, so bars cannot be drawn anew with it: choose a model "
            "whose tokenizer counts in beats."
        )
    length = round(bar.quarters * grid.steps)
    if not 0 < length < len(words.metre_of):
        raise DiffmidiError(
            f"a bar of {bar.quarters:g} quarter notes is longer than the model has tokens for "
            f"({(len(words.metre_of) - 1) / grid.steps:g}): choose other bars."
        )
    head = np.full(4, Tokenizer.mask_id, dtype=np.int32)
    head[:2] = words.first[JOINT], words.first[HELD]
    if first:
        head[0] = words.opening(words.metre_of[[length]], np.array([bar.kind]))[0]
        head[1] = words.of(TEMPO, words.tempo_class(np.array([bar.qpm])))[0]
    head[2] = words.of(TRACK, np.array([words.tracks.index(track)]))[0]
    if notes is None:
        return head, np.zeros(0, dtype=np.int64)
    told, rows = _on_steps(notes, length, grid.steps)
    most = int(np.count_nonzero(words.type_of == COUNT)) - 1
    told, rows = told[:most], rows[:most]
    head[3] = words.of(COUNT, np.array([len(told)]))[0]
    table = np.empty((len(told), 4), dtype=np.int32)
    table[:, 0] = words.first[TIME] + np.diff(told.onset, prepend=0)
    table[:, 1], table[:, 2], table[:, 3] = written(told)
    return np.concatenate([head, table.ravel()]), rows


def _on_steps(notes: CellNotes, length: int, steps: int) -> tuple[Notes, Column]:
    """By onset and pitch, in steps, and which they are; of notes of one key struck at once the first."""
    onset = np.rint(notes.onset * steps).astype(np.int64).clip(0, length - 1)
    duration = np.maximum(np.rint(notes.duration * steps).astype(np.int64), 1)
    inside = np.flatnonzero((notes.pitch >= LOWEST) & (notes.pitch <= HIGHEST))
    order = inside[np.lexsort((notes.pitch[inside], onset[inside]))]
    told = Notes(onset[order], duration[order], notes.pitch[order], notes.velocity[order])
    new = np.append(True, (np.diff(told.onset) > 0) | (np.diff(told.pitch) > 0))[: len(told)]
    return deduplicated(told), order[new]
