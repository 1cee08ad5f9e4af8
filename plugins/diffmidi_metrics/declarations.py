"""The built-in metrics, declared."""

from __future__ import annotations

from diffmidi_core.api import Declaration

rounding_bpw = Declaration(
    summary="the rounding term at x0 in bits per word: the metric of the paper, not a likelihood",
    implementation="diffmidi_metrics.likelihood:RoundingBpw",
)
bound_bpw = Declaration(
    summary="the variational bound in bits per word of held-out music",
    implementation="diffmidi_metrics.likelihood:BoundBpw",
)
bits_per_note = Declaration(
    summary="the variational bound in bits per note, comparable across tokenizers",
    implementation="diffmidi_metrics.likelihood:BitsPerNote",
)
bits_per_second = Declaration(
    summary="the variational bound in bits per second of music",
    implementation="diffmidi_metrics.likelihood:BitsPerSecond",
)
bits_by_type = Declaration(
    summary="the variational bound split by type of word (pitch, duration, ...), in bits per word of that type",
    implementation="diffmidi_metrics.likelihood:BitsByType",
)
grammar_faults = Declaration(
    summary="share of the words of the samples that the tokenizer's grammar does not allow where they stand",
    implementation="diffmidi_metrics.validity:GrammarFaults",
)
