"""Honest bits: what the process says of held-out windows, summed over all and divided once.

A ratio of sums, sum_i bits_i / sum_i n_i, so that a short window counts as little as it is long. Its standard error is
that of a ratio estimator over windows (Cochran 1977, eq. 2.39): it holds both the windows' differences and the noise of
the levels that were drawn for them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

from diffmidi_core.api import Figure, Metric, Row, Sample, WindowBits

NOT_A_LIKELIHOOD = 0.5


def ratio(rows: Sequence[Row], above: str, below: str) -> tuple[float, float | None]:
    """sum(above) / sum(below), and its standard error over the rows (None for fewer than two)."""
    total = sum(row[below] for row in rows)
    value = sum(row[above] for row in rows) / total
    n = len(rows)
    if n < 2:
        return value, None
    residual = sum((row[above] - value * row[below]) ** 2 for row in rows) / (n - 1)
    return value, math.sqrt(n * residual) / total


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
        return {"bits": sum(window.terms.values()), "per": window.words}

    def summarise(self, rows: Sequence[Row]) -> Figure | None:
        """The ratio over all windows; None where there is nothing to divide by."""
        if not sum(row["per"] for row in rows):
            return None
        value, error = ratio(rows, "bits", "per")
        return Figure(value, self.unit, len(rows), "held-out windows", error, self.note(value))

    def note(self, value: float) -> str:
        """What must be said beside a figure that is too good to be a likelihood."""
        if value >= NOT_A_LIKELIHOOD:
            return ""
        return (
            f"under {NOT_A_LIKELIHOOD} {self.unit}: music is not that predictable, so suspect that these windows were "
            "trained on, or hold no music."
        )


class BoundBpw(_Bits):
    """bound_bpw = sum over held-out windows of every term of the bound / sum of their words, in bits.

    The terms are the process's own (prior, diffusion, rounding for a Gaussian one); the sum is an upper bound on
    -log2 p(words | their number). [CLS] and [SEP] add to the bits and not to the words; [PAD] adds to neither.
    """

    unit = "bits per word"


class BitsPerNote(_Bits):
    """bits_per_note: the same bits over the number of notes, so that tokenizers can be compared."""

    unit = "bits per note"

    def bits(self, window: WindowBits) -> Row:
        """The whole bound, per note."""
        return {"bits": sum(window.terms.values()), "per": window.notes}


class RoundingBpw(_Bits):
    """rounding_bpw = sum of -log2 p(w | x0) / words, with x0 ~ q(x0 | w): the paper's "bits per word".

    It asks only whether a word can be read off its own slightly noised embedding, which learned embeddings make easy.
    """

    unit = "bits per word"

    def bits(self, window: WindowBits) -> Row:
        """The rounding term alone; a process without one has nothing to measure."""
        if "rounding" not in window.terms:
            return {"bits": 0.0, "per": 0}
        return {"bits": window.terms["rounding"], "per": window.words}

    def note(self, value: float) -> str:
        """Why a small figure is no achievement."""
        if value >= NOT_A_LIKELIHOOD:
            return ""
        return (
            "rounding_bpw is no likelihood of the music: it only asks whether a word can be read off its own slightly "
            "noised embedding. Quote bound_bpw."
        )
