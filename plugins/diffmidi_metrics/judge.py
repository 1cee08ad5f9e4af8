"""Is generated music likely, varied, and spread as music is? Three figures that each can be gamed, and not at once.

Music that repeats itself costs a judge what real music costs, or less; what it then lacks is entropy, and overlap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from diffmidi.api.metric import (
    ABOVE,
    BELOW,
    Array,
    Figure,
    ModelMetric,
    Row,
    Sample,
    Summary,
    bootstrap,
    normal_interval,
    ratio_figure,
)
from diffmidi_metrics.declarations import JudgeOptions
from diffmidi_metrics.distribution import Indices, OverlapArea, features

TOKEN, FEATURE = "token ", "feature "
TOGETHER = "read bits, entropy and overlap together: music that repeats itself is cheap, and lacks the others"


class Judge(ModelMetric):
    """judge/bits, judge/entropy and judge/overlap of pieces, each beside the same of held-out music.

    - bits: what a judge, a model of its own, charges for the pieces in its own tokens, per note: Σ bits / Σ notes.
    - entropy: of those tokens within their types: H(token) − H(type), with the correction of Miller (1955) and Madow
      for what is counted of few tokens.
    - overlap: the mean of `overlap_area`.
    """

    options: JudgeOptions

    def of(self, sample: Sample) -> Row:
        """Bits and notes, how often each token stands, and features; nothing for what the judge has no windows for."""
        scored = self.scored(sample, exact=self.options.exact, levels=self.options.levels)
        if scored is None or not scored.notes:
            return {}
        row = {ABOVE: scored.bits, BELOW: float(scored.notes)}
        tokens, counts = np.unique(self.ids(sample), return_counts=True)
        row |= {f"{TOKEN}{token}": float(count) for token, count in zip(tokens.tolist(), counts.tolist(), strict=True)}
        found = features(sample)
        return row | {f"{FEATURE}{name} {i}": float(x) for name, each in found.items() for i, x in enumerate(each)}

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """The three figures, as far as there is enough music for them."""
        bits = ratio_figure(rows, "bits per note", "samples", reference=reference)
        if bits is None:
            return None
        kind = "exact" if self.options.exact or self.model.process.exact else "a bound"
        figures = {"bits": replace(bits, note=f"under {self.options.model} ({kind}); {TOGETHER}")}
        figures["entropy"] = self._entropy(rows, reference)
        overlap = OverlapArea(self.options).summarise(_features(rows), _features(reference))
        if isinstance(overlap, dict):
            figures["overlap"] = replace(
                overlap["mean"], note="; ".join(filter(None, (overlap["mean"].note, TOGETHER)))
            )
        return figures

    def _entropy(self, rows: Sequence[Row], reference: Sequence[Row]) -> Figure:
        type_of = self.model.tokenizer.grammar.type_of.astype(np.int64)
        counts, measured = _tokens(rows, len(type_of)), sum(map(bool, rows))
        figure = Figure(
            float(entropy(counts.sum(0), type_of)),
            "bits per token",
            measured,
            "samples",
            note=TOGETHER,
            skipped=len(rows) - measured,
        )
        error, interval = _spread(counts, type_of, figure.value)
        figure = replace(figure, error=error, interval=interval)
        if not any(reference):
            return figure
        theirs = _tokens(reference, len(type_of))
        beside = float(entropy(theirs.sum(0), type_of))
        return replace(figure, reference=beside, reference_interval=_spread(theirs, type_of, beside)[1])


def entropy(counts: Array, type_of: Indices) -> Array:
    """[...] H(token | type) in bits of tokens that were counted [..., V], types [V]."""
    types = counts @ np.eye(int(type_of.max()) + 1)[type_of]
    total = np.maximum(counts.sum(-1), 1)
    correction = ((counts > 0).sum(-1) - (types > 0).sum(-1)) / 2
    found: Array = (_nats(counts) - _nats(types) + correction) / total / math.log(2)
    return found


def _nats(counts: Array) -> Array:
    """[...] the nats that as many tokens take as were counted, each coded by its share of them."""
    total = counts.sum(-1, keepdims=True)
    found: Array = (counts * np.log(np.maximum(total, 1) / np.maximum(counts, 1))).sum(-1)
    return found


def _spread(counts: Array, type_of: Indices, value: float) -> tuple[float | None, tuple[float, float] | None]:
    """Error and interval of the entropy, from pieces drawn anew; none of a single one."""
    if len(counts) < 2:
        return None, None
    again = np.stack([counts[drawn].sum(0) for drawn in bootstrap(len(counts))])
    return normal_interval(value, entropy(again, type_of), 0.0, math.inf, len(counts))


def _tokens(rows: Sequence[Row], size: int) -> Array:
    """[N, V] how often each token stands in each row that holds something, in an order of their own."""
    table = np.zeros((sum(map(bool, rows)), size))
    for counts, row in zip(table, filter(None, rows), strict=True):
        for name, count in row.items():
            if name.startswith(TOKEN):
                counts[int(name.removeprefix(TOKEN))] = count
    return table[np.lexsort(table.T)]


def _features(rows: Sequence[Row]) -> list[Row]:
    """The rows of `overlap_area`."""
    return [
        {name.removeprefix(FEATURE): value for name, value in row.items() if name.startswith(FEATURE)} for row in rows
    ]
