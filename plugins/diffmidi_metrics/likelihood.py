"""Honest bits: what the process says of held-out windows, summed over all and divided once.

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
WINDOWS = "held-out windows"


class _Bits(Metric):
    subject: ClassVar[Literal["likelihood"]] = "likelihood"
    unit: ClassVar[str]

    def measure(self, item: WindowBits | Sample) -> Row:
        """Bits of one window, and what they are divided by."""
        if not isinstance(item, WindowBits):
            raise TypeError(f"{type(self).__name__} measures WindowBits, not {type(item).__name__}.")
        return self.bits(item)

    def bits(self, window: WindowBits) -> Row:
        """The whole bound, per word."""
        return {ABOVE: window.bits, BELOW: window.words}

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """The ratio over all windows; None where there is nothing to divide by."""
        figure = ratio_figure(rows, self.unit, WINDOWS)
        return figure and replace(figure, note=self.note(figure.value))

    def note(self, value: float) -> str:
        """What must be said beside a figure that is too good to be a likelihood."""
        if value >= NOT_A_LIKELIHOOD:
            return ""
        return (
            f"under {NOT_A_LIKELIHOOD} {self.unit}: music is not that predictable, so suspect that these windows were "
            "trained on, or hold no music."
        )


class BoundBpw(_Bits):
    """bound_bpw = Σ over held-out windows of every term of the bound / Σ of their words, in bits.

    The terms are the process's own (prior, diffusion, rounding for a Gaussian one); the sum is an upper bound on
    −log₂ p(words | their number). [CLS] and [SEP] add to the bits and not to the words; [PAD] adds to neither.
    """

    unit = "bits per word"


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
    """bits_by_type: for each type of word, Σ of its bits / Σ of its words: which of pitch, time, ... is hard to say.

    The types are those of the tokenizer's grammar; "special" is what [CLS] and [SEP] cost, each. Weighted by how many
    words of each type there are, the figures add up to all bits of bound_bpw.
    """

    def bits(self, window: WindowBits) -> Row:
        """Bits and words by type."""
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
        words: dict[str, float] = {}
        for row in rows:
            for key, value in row.items():
                if key.endswith(f" {BELOW}"):
                    name = key.removesuffix(f" {BELOW}")
                    words[name] = words.get(name, 0) + value
        figures = {}
        for name in sorted(words, key=lambda name: (-words[name], name)):
            here = [
                {ABOVE: row[f"{name} {ABOVE}"], BELOW: row[f"{name} {BELOW}"]}
                for row in rows
                if f"{name} {BELOW}" in row
            ]
            figure = ratio_figure(here, f"bits per {name} word", WINDOWS)
            if figure is not None:
                figures[name] = figure
        return figures or None


class RoundingBpw(_Bits):
    """rounding_bpw = Σ −log₂ p(w | x₀) / words, with x₀ ~ q(x₀ | w): the paper's "bits per word".

    It asks only whether a word can be read off its own slightly noised embedding, which learned embeddings make easy.
    """

    unit = "bits per word"

    def bits(self, window: WindowBits) -> Row:
        """The rounding term alone; a process without one has nothing to measure."""
        if "rounding" not in window.terms:
            return {}
        return {ABOVE: float(window.terms["rounding"].sum()), BELOW: window.words}

    def note(self, value: float) -> str:
        """Why a small figure is no achievement."""
        if value >= NOT_A_LIKELIHOOD:
            return ""
        return (
            "rounding_bpw is no likelihood of the music: it only asks whether a word can be read off its own slightly "
            "noised embedding. Quote bound_bpw."
        )
