"""Given notes: training windows in some bars of which notes stand that others are drawn beside.

What infilling part of a bar asks for, a band of pitches or all but a few notes: what is kept is a cell of its own, and
is given; behind it comes the cell that is drawn (`Tokenizer.parted`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer

DRAWS = 7
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class GivenNotes:
    """Which rows of a step are written so, and how.

    Attributes:
        tokenizer: which has a plan.
        share: of the rows.
    """

    tokenizer: Tokenizer
    share: float

    def draws(self, rows: int, *, seed: int, step: int) -> Floats:
        """[rows, DRAWS] numbers in [0, 1) that decide it for a step's rows: of (seed, step) alone."""
        return np.random.default_rng((seed, step)).random((rows, DRAWS))

    def of(self, batch: Batch, draws: Floats) -> Batch:
        """The batch with the rows that the draws [B, DRAWS] choose written anew, and what is given of them.

        A row stays within the length of the batch: where it becomes longer, its last bars go.
        """
        ids, tokens = batch.ids.numpy().copy(), batch.tokens.numpy().copy()
        given = np.zeros(ids.shape, dtype=bool)
        for row in np.flatnonzero(draws[:, 0] < self.share).tolist():
            text, stands = self.parted(ids[row, 1 : 1 + tokens[row]].astype(np.int32), draws[row, 1:])
            text, stands = self._fitting(text, stands, ids.shape[1] - 2)
            if stands.all():
                continue
            end = int(ids[row, 1 + tokens[row]])
            ids[row, 1:] = self.tokenizer.pad_id
            ids[row, 1 : 1 + len(text)], given[row, 1 : 1 + len(text)] = text, stands
            ids[row, 1 + len(text)], tokens[row] = end, len(text)
        real = np.arange(ids.shape[1]) < tokens[:, None] + 2
        mask = None if real.all() else torch.from_numpy(real)
        return replace(
            batch,
            ids=torch.from_numpy(ids),
            tokens=torch.from_numpy(tokens),
            attention_mask=mask,
            given=torch.from_numpy(given),
        )

    def parted(self, ids: Ids, draws: Floats) -> tuple[Ids, Flags]:
        """A window written so, and [N] what of it is given.

        A run of bars has notes that are kept: those outside a band of pitches, or any. What is outside of the run is
        given, too, in half the rows, and in half of them the cells of all tracks but one.
        """
        where, size, which, low, high, around = draws.tolist()
        notes = self.tokenizer.note_of(ids)
        assert notes is not None
        starts = self.tokenizer.starts(ids)
        first = int(where * len(starts))
        last = first + int(size * (len(starts) - first))
        bar = np.searchsorted(starts, np.arange(len(ids)), side="right") - 1
        inside = (bar >= first) & (bar <= last)
        kept = self._kept(ids, notes, inside, which, low, high)
        text, stands = self.tokenizer.parted(ids, kept)
        if around < 0.5:
            at = self.tokenizer.starts(text)
            own = np.searchsorted(at, np.arange(len(text)), side="right") - 1
            stands = stands | (own < first) | (own > last)
        return text, stands

    def _kept(self, ids: Ids, notes: NDArray[np.int64], inside: Flags, which: float, low: float, high: float) -> Flags:
        """[notes] which are kept: of those inside, the ones out of a band of pitches, or as many as come."""
        pitched = self._has_role(ids, "pitch") & (notes >= 0)
        pitch, there = ids[pitched], inside[pitched]
        if not there.any():
            return np.zeros(len(pitch), dtype=bool)
        if which < 0.5:
            band = np.sort(np.quantile(pitch[there], [low, high]))
            outside: Flags = there & ((pitch < band[0]) | (pitch > band[1]))
            return outside
        random = np.random.default_rng(int(low * 2**32))
        return np.asarray(there & (random.random(len(pitch)) < high))

    def _has_role(self, ids: Ids, role: str) -> Flags:
        kinds = np.array([self.tokenizer.roles.get(name) == role for name in self.tokenizer.grammar.types])
        return np.asarray(kinds[self.tokenizer.grammar.type_of[ids]])

    def _fitting(self, text: Ids, stands: Flags, most: int) -> tuple[Ids, Flags]:
        """As many whole bars as fit."""
        if len(text) <= most:
            return text, stands
        starts = self.tokenizer.starts(text)
        end = int(starts[np.searchsorted(starts, most, side="right") - 1])
        return text[:end], stands[:end]
