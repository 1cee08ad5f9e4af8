"""Honest bits: the bound of windows that were not trained on, summed over all and divided once.

A ratio of sums, Σ bits / Σ n, so that a short window counts as little as it is long. Its error and interval hold both
the windows' differences and the noise of the levels that were drawn for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from diffmidi.api.metric import ABOVE, BELOW, Metric, Row, Sample, Summary, WindowBits, ratio_figure

NOT_A_LIKELIHOOD = 0.5
WINDOWS = "windows"
BOUND = "bound"


class _Bits(Metric):
    subject: ClassVar[Literal["likelihood"]] = "likelihood"
    unit: ClassVar[str]

    def measure(self, item: WindowBits | Sample) -> Row:
        """Bits of one window, and what they are divided by."""
        if not isinstance(item, WindowBits):
            raise TypeError(f"{type(self).__name__} measures WindowBits, not {type(item).__name__}.")
        return self.bits(item)

    def bits(self, window: WindowBits) -> Row:
        """The whole bound, per token."""
        return {ABOVE: window.bits, BELOW: window.tokens}

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """The ratio over all windows; None where there is nothing to divide by."""
        figure = ratio_figure(rows, self.unit, WINDOWS)
        return figure and replace(figure, note=self.note(figure.value))

    def note(self, value: float) -> str:
        """The caveat of a figure that is too good to be a likelihood."""
        if value >= NOT_A_LIKELIHOOD:
            return ""
        return (
            f"under {NOT_A_LIKELIHOOD} {self.unit}: music is not that predictable, so suspect that these windows were "
            "trained on, or hold no music."
        )


class BoundBpw(_Bits):
    """bound_bpw = Σ over the windows of every term of the bound / Σ of their tokens, in bits.

    The terms are the process's own (prior, diffusion, rounding for a Gaussian one); the sum is an upper bound on
    −log₂ p(tokens | their number). [CLS] and [SEP] add to the bits and not to the tokens; [PAD] adds to neither.
    """

    unit = "bits per token"


class BitsPerNote(_Bits):
    """bits_per_note: the same bits over the number of notes, so that tokenizers can be compared."""

    unit = "bits per note"

    def bits(self, window: WindowBits) -> Row:
        """The whole bound, per note."""
        return {ABOVE: window.bits, BELOW: window.notes}


class BitsPerSecond(_Bits):
    """bits_per_second: the same bits over the seconds of music, from onset to onset, so that tails count once.

    Seconds are those of the decoded music: a tokenizer without tempo decodes to 120 quarter notes a minute, and its
    figure is one per half quarter note, whatever the tempo of the original. Compare it between tokenizers that treat
    tempo alike.
    """

    unit = "bits per second"

    def bits(self, window: WindowBits) -> Row:
        """The whole bound, per second."""
        return {ABOVE: window.bits, BELOW: window.seconds}


class BitsByType(_Bits):
    """bits_by_type: for each token type, Σ of its bits / Σ of its tokens: which of pitch, time, ... is hard to predict.

    The types are those of the tokenizer's grammar; "special" is what [CLS] and [SEP] cost, each. Weighted by how many
    tokens of each type there are, the figures add up to all bits of bound_bpw.
    """

    def bits(self, window: WindowBits) -> Row:
        """Bits and tokens by type."""
        grammar = window.window.tokenizer.grammar
        types = np.concatenate([[0], grammar.type_of[window.window.ids], [0]])
        bits = np.sum(list(window.terms.values()), axis=0)
        row = {}
        for index in np.unique(types):
            name = grammar.types[index]
            row[f"{name} {ABOVE}"] = float(bits[types == index].sum())
            row[f"{name} {BELOW}"] = int(np.count_nonzero(types == index))
        return row

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """A figure for each type, the commonest first."""
        tokens: dict[str, float] = {}
        for row in rows:
            for key, value in row.items():
                if key.endswith(f" {BELOW}"):
                    name = key.removesuffix(f" {BELOW}")
                    tokens[name] = tokens.get(name, 0) + value
        figures = {}
        for name in sorted(tokens, key=lambda name: (-tokens[name], name)):
            here = [
                {ABOVE: row[f"{name} {ABOVE}"], BELOW: row[f"{name} {BELOW}"]}
                for row in rows
                if f"{name} {BELOW}" in row
            ]
            figure = ratio_figure(here, f"bits per {name} token", WINDOWS)
            if figure is not None:
                figures[name] = figure
        return figures or None


class BoundByLevel(_Bits):
    """bound_by_level: where along the noise the bound is charged: Σ bits of a range of levels / Σ tokens, each range.

    Levels go from 0 %, clean, to 100 %, noise: for a Gaussian process shares of its levels, for a masked one the share
    of the tokens of a part that are masked. With "prior" and "rounding", where there are any, they add up to bound_bpw.
    A model that knows the tokens pays in no range; one that has learned single tokens and nothing of their order pays
    where single tokens are settled.
    """

    unit = "bits per token"

    def bits(self, window: WindowBits) -> Row:
        """Bits by range and of the terms beside them, and tokens; nothing where the process does not say."""
        if window.by_level is None:
            return {}
        bins = len(window.by_level)
        levels = {
            f"{100 * number / bins:g}-{100 * (number + 1) / bins:g} %": float(bits)
            for number, bits in enumerate(window.by_level)
        }
        others = {name: float(term.sum()) for name, term in window.terms.items() if name != "diffusion"}
        return {**{f"{ABOVE} {name}": bits for name, bits in (levels | others).items()}, BELOW: window.tokens}

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """A figure for each range, the clean end first, and for each other term."""
        measured = [row for row in rows if row]
        figures = {}
        for key in measured[0] if measured else ():
            name = key.removeprefix(f"{ABOVE} ")
            figure = ratio_figure(
                [{ABOVE: row.get(key, 0.0), BELOW: row[BELOW]} for row in measured], self.unit, WINDOWS
            )
            if name != key and figure is not None:
                figures[name] = figure
        return figures or None


class ExactBits(_Bits):
    """exact_bits: −log₂ p itself over the number of notes, by the order in which tokens are revealed; and the bound.

    All of it on the windows that the exact likelihood was asked of (`evaluate --exact`).
    """

    unit = "bits per note"

    def bits(self, window: WindowBits) -> Row:
        """Bits by order, those of the bound, notes and tokens; nothing of other windows."""
        if not window.exact:
            return {}
        bits = {**{order: float(each.sum()) for order, each in window.exact.items()}, BOUND: window.bits}
        return {
            **{f"{ABOVE} {name}": value for name, value in bits.items()},
            BELOW: window.notes,
            "tokens": window.tokens,
        }

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """A figure for each order, and the bound."""
        measured = [row for row in rows if row]
        figures = {}
        for key in measured[0] if measured else ():
            name = key.removeprefix(f"{ABOVE} ")
            if name == key:
                continue
            figure = ratio_figure(measured, self.unit, WINDOWS, above=key)
            if figure is not None:
                by_token = sum(row[key] for row in measured) / max(1, sum(row["tokens"] for row in measured))
                kind = "at most, on the same windows" if name == BOUND else "exact"
                figures[name] = replace(figure, note=f"{kind}; {by_token:.4g} bits per token")
        return figures or None


class RoundingBpw(_Bits):
    """rounding_bpw = Σ −log₂ p(w | x₀) / tokens, with x₀ ~ q(x₀ | w): the paper's "bits per word".

    It asks only whether a token can be read off its own slightly noised embedding, which learned embeddings make easy.
    """

    unit = "bits per token"

    def bits(self, window: WindowBits) -> Row:
        """The rounding term alone; a process without one has nothing to measure."""
        if "rounding" not in window.terms:
            return {}
        return {ABOVE: float(window.terms["rounding"].sum()), BELOW: window.tokens}

    def note(self, value: float) -> str:
        """Why a small figure is no achievement."""
        if value >= NOT_A_LIKELIHOOD:
            return ""
        return (
            "rounding_bpw is no likelihood of the music: it only asks whether a token can be read off its own slightly "
            "noised embedding. Quote bound_bpw."
        )
