"""Are the words that were drawn well-formed, and were they so by themselves?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from diffmidi.api.metric import ABOVE, BELOW, Row, Sample, SampleMetric, Summary, ratio_figure


class GrammarFaults(SampleMetric):
    """grammar_faults = 100 · Σ faults / Σ words over all samples: words that may not stand where they stand, in %.

    A fault is a word that the tokenizer's grammar does not allow where it stands, and an end in the middle of a note.
    """

    needs_tokens: ClassVar[bool] = True

    def of(self, sample: Sample) -> Row:
        """Faults and words of one sample."""
        return {ABOVE: sample.tokenizer.faults(sample.ids), BELOW: len(sample.ids)} if len(sample.ids) else {}

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """The share over all samples; None where there are no words."""
        return ratio_figure(rows, "% of words", "samples", reference=reference, scale=100)


class GrammarChanges(SampleMetric):
    """grammar_changes = 100 · Σ changed / Σ words: words that are not the model's likeliest, for the text to be legal.

    It is what the sampler wrote down: in how many places the most probable legal text differs from what each position
    would say by itself. Samples that say nothing of it are left out.
    """

    needs_tokens: ClassVar[bool] = True

    def of(self, sample: Sample) -> Row:
        """Changed words and words of one sample."""
        changed = sample.record.get("grammar_changes")
        return {ABOVE: changed, BELOW: len(sample.ids)} if changed is not None and len(sample.ids) else {}

    def summarise(self, rows: Sequence[Row], reference: Sequence[Row] = ()) -> Summary:
        """The share over all samples; None where none says it."""
        return ratio_figure(rows, "% of words", "samples", scale=100)
