"""Are the tokens that were drawn well-formed, and were they so by themselves?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from diffmidi.api.metric import ABOVE, BELOW, Row, Sample, SampleMetric, Summary, ratio_figure


class GrammarFaults(SampleMetric):
    """grammar_faults = 100 · Σ faults / Σ tokens over all samples: tokens that may not stand where they stand, in %.

    A fault is a token that the tokenizer's grammar does not allow where it stands, and an end in the middle of a note.
    """

    needs_tokens: ClassVar[bool] = True

    def of(self, sample: Sample) -> Row:
        """Faults and tokens of one sample."""
        return {ABOVE: sample.tokenizer.faults(sample.ids), BELOW: len(sample.ids)} if len(sample.ids) else {}

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """The share over all samples; None where there are no tokens."""
        return ratio_figure(rows, "% of tokens", "samples", reference=reference, scale=100)


class GrammarChanges(SampleMetric):
    """grammar_changes = 100 · Σ changed / Σ tokens: tokens other than the model's likeliest, for the text to be legal.

    The sampler records it: in how many places the most probable legal text differs from the likeliest token of each
    position by itself. Samples without that record are left out.
    """

    needs_tokens: ClassVar[bool] = True

    def of(self, sample: Sample) -> Row:
        """Changed tokens and tokens of one sample."""
        changed = sample.record.get("grammar_changes")
        return {ABOVE: changed, BELOW: len(sample.ids)} if changed is not None and len(sample.ids) else {}

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """The share over all samples; None where none records it."""
        return ratio_figure(rows, "% of tokens", "samples", scale=100)
