"""Is it new? The longest stretch of each sample that stands in the training set, in whatever key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diffmidi.api.metric import (
    ABOVE,
    BELOW,
    FEWEST,
    Array,
    Figure,
    Notes,
    Row,
    Sample,
    SampleMetric,
    Score,
    Summary,
    TrainingMusic,
    bootstrap,
    notes_of,
    percentile_interval,
    ratio_figure,
)

Codes = NDArray[np.int64]

STEPS = 12
"""Steps of a quarter note: onsets are compared on this grid."""

LONGEST_GAP = 8 * STEPS
"""Gaps from here on are all alike."""

PACKED = 4
"""How many events fit into one number, 15 bits each."""

AT_ONCE = 1 << 20
"""How many events are compared in one go, at most."""


def events(score: Score) -> Codes:
    """[notes − 1] what leads from each note to the next, by onset then pitch: its interval and gap, as one number ≥ 1.

    Transposing changes no event.
    """
    notes: Notes = notes_of(score)
    onset = np.rint(notes.onset * STEPS / score.ticks_per_quarter).astype(np.int64)
    interval = np.clip(np.diff(notes.pitch), -127, 127)
    codes: Codes = 1 + (interval + 127) * (LONGEST_GAP + 1) + np.minimum(np.diff(onset), LONGEST_GAP)
    return codes


class Passages:
    """Every passage of the training set, in order: a suffix array (Manber and Myers 1993) by doubling, in numpy.

    Three million notes take a few seconds, once; a sample then takes milliseconds.
    """

    def __init__(self, training: TrainingMusic) -> None:
        pieces = [events(training.read(number)) for number in range(len(training))]
        lengths = np.array([len(piece) + 1 for piece in pieces])
        self.starts = np.concatenate([[0], lengths.cumsum()])
        self.text = np.zeros(int(lengths.sum()), dtype=np.int32)  # a 0, which no sample has, ends each piece
        for start, piece in zip(self.starts, pieces, strict=False):
            self.text[start : start + len(piece)] = piece
        self.order = _suffix_array(self.text.astype(np.int64))

    def longest(self, query: Codes) -> tuple[int, int, int]:
        """The longest run of events that query and text share: its length, where in the query, where in the text."""
        best = (0, 0, 0)
        rows = max(1, AT_ONCE // max(1, len(query)))
        for begin in range(0, len(query), rows):
            heads = np.arange(begin, min(begin + rows, len(query)))
            # Suffixes of the query, ended by what is smaller than all events.
            width = np.arange(len(query) - begin)
            patterns = np.append(query, -1)[np.minimum(heads[:, None] + width, len(query))]
            below = self._below(patterns)
            for neighbour in (below - 1, below):
                at = self.order[np.clip(neighbour, 0, len(self.order) - 1)]
                differs = self._at(at, width) != patterns
                common = np.where(differs.any(1), differs.argmax(1), len(width))
                row = int(common.argmax())
                best = max(best, (int(common[row]), int(-heads[row]), int(-at[row])))
        return best[0], -best[1], -best[2]

    def locate(self, at: int) -> tuple[int, int]:
        """The piece that holds a place of the text, and which of its notes stands there."""
        piece = int(np.searchsorted(self.starts, at, side="right")) - 1
        return piece, at - int(self.starts[piece])

    def _at(self, places: Codes, width: Codes) -> NDArray[np.int32]:
        found: NDArray[np.int32] = self.text[np.minimum(places[:, None] + width, len(self.text) - 1)]
        return found

    def _below(self, patterns: Codes) -> Codes:
        """[Q] how many passages come before each pattern: a binary search for all of them together."""
        low = np.zeros(len(patterns), dtype=np.int64)
        high = np.full(len(patterns), len(self.order))
        width, rows = np.arange(patterns.shape[1]), np.arange(len(patterns))
        while (low < high).any():
            middle = (low + high) // 2
            found = self._at(self.order[np.minimum(middle, len(self.order) - 1)], width)
            first = (found != patterns).argmax(1)
            less = (found[rows, first] < patterns[rows, first]) & (low < high)
            low, high = np.where(less, middle + 1, low), np.where(less | (low >= high), high, middle)
        return low


def _suffix_array(text: Codes) -> Codes:
    """[N] where the suffixes of the text begin, in their order: by 4 events, then by 8, 16, ... until all differ."""
    ahead = np.concatenate([text, np.zeros(PACKED, np.int64)])
    key = np.zeros(len(text), dtype=np.int64)
    for place in range(PACKED):
        key = (key << 15) | ahead[place : place + len(text)]
    compared = PACKED
    while True:
        order = np.argsort(key)
        sorted_key = key[order]
        rank = np.empty_like(key)
        rank[order] = np.concatenate([[0], (sorted_key[1:] != sorted_key[:-1]).cumsum()]) if len(text) else 0
        if not len(text) or rank[order[-1]] == len(text) - 1 or compared >= len(text):
            return order
        behind = np.zeros_like(rank)
        behind[:-compared] = rank[compared:] + 1
        key = (rank << 32) | behind
        compared *= 2


class Originality(SampleMetric):
    """originality: the longest transposition-invariant match with the training set, beside that of music that is new.

    A match of n notes: n notes on end, by onset then pitch, whose n − 1 steps to the next, (interval in semitones,
    gap in twelfths of a quarter note), stand on end in a training piece too. Lengths and velocities do not matter.

    - `match`: its mean length; reference windows are as long as the samples, so that chance treats them alike.
    - `percentile`: the mean share of reference windows with a shorter match, those as long counting half. 50 for music
      that is as new as what people wrote, 100 for music copied further than any of theirs (the area under the ROC
      curve of telling the two apart by their matches, in %).
    - `copied`: the share of the samples with a longer match than any reference window.

    The reference is music that was not trained on. Rows also hold where: note `start` of the sample, note `note` of
    training piece `piece`.
    """

    def of(self, sample: Sample) -> Row:
        """The longest match; nothing for fewer than two notes, or without a training set."""
        query = events(sample.score)
        if not len(query) or sample.training is None or not len(sample.training):
            return {}
        passages = sample.training.derived(Passages)
        length, start, at = passages.longest(query)
        piece, note = passages.locate(at)
        return {"match": length + 1, "start": start, "piece": piece, "note": note}

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """The mean match, and where there is a reference, percentile and share copied."""
        mine, theirs = (np.sort([row["match"] for row in some if row]) for some in (rows, reference))
        if not len(mine):
            return None
        here, beside = ([{ABOVE: row["match"], BELOW: 1} if row else {} for row in some] for some in (rows, reference))
        match = ratio_figure(here, "notes", "samples", reference=beside)
        figures = {"match": match} if match is not None else {}
        if len(theirs):
            skipped = len(rows) - len(mine)
            drawn = zip(bootstrap(len(mine)), bootstrap(len(theirs), 1), strict=True)
            pairs = [(mine[some], theirs[others]) for some, others in drawn] if len(mine) >= FEWEST else []
            for name, judge, by_nature in (("percentile", _percentile, 50.0), ("copied", _copied, 0.0)):
                interval = percentile_interval(np.array([judge(*pair) for pair in pairs]), len(mine)) if pairs else None
                unit = {"percentile": "% of reference", "copied": "% of samples"}[name]
                figures[name] = Figure(
                    judge(mine, theirs),
                    unit,
                    len(mine),
                    "samples",
                    interval=interval,
                    reference=by_nature,
                    skipped=skipped,
                )
        return figures


def _percentile(mine: Array, theirs: Array) -> float:
    theirs = np.sort(theirs)
    shorter, not_longer = (np.searchsorted(theirs, mine, side=side) for side in ("left", "right"))
    return float(50 * (shorter + not_longer).mean() / len(theirs))


def _copied(mine: Array, theirs: Array) -> float:
    return float(100 * (mine > theirs.max()).mean())
