"""Are the words that were drawn well-formed?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from diffmidi_core.api import Figure, Metric, Row, Sample, WindowBits


class GrammarFaults(Metric):
    """grammar_faults = 100 * faults / words over all samples: words that may not stand where they stand, in percent."""

    subject: ClassVar[Literal["samples"]] = "samples"

    def measure(self, item: WindowBits | Sample) -> Row:
        """Faults and words of one sample."""
        if not isinstance(item, Sample):
            raise TypeError(f"GrammarFaults measures Samples, not {type(item).__name__}.")
        return {"faults": item.tokenizer.faults(item.ids), "words": len(item.ids)}

    def summarise(self, rows: Sequence[Row]) -> Figure | None:
        """The share over all samples; None where there are no words."""
        words = sum(row["words"] for row in rows)
        if not words:
            return None
        return Figure(100 * sum(row["faults"] for row in rows) / words, "% of words", len(rows), "samples")
