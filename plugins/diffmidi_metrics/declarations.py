"""The built-in metrics, declared."""

from __future__ import annotations

from diffmidi.api import Declaration, Field, Options

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


class BaselinesOptions(Options):
    """What can be set for `baselines`."""

    order: int = Field(5, ge=2, le=16, description="n of the longest n-grams")
    most_words: int = Field(
        2_000_000, ge=1, description="words of training music that the baselines are trained on at most"
    )
    bar: float = Field(4.0, gt=0, description="length of a bar in quarter notes, for copy_last_bar")


baselines = Declaration(
    summary="bits per word of n-grams, unigrams and copies of the last bar, to hold a bound against",
    implementation="diffmidi_metrics.baselines:Baselines",
    options=BaselinesOptions,
)
bits_by_type = Declaration(
    summary="the variational bound split by type of word (pitch, duration, ...), in bits per word of that type",
    implementation="diffmidi_metrics.likelihood:BitsByType",
)
grammar_faults = Declaration(
    summary="share of the words of the samples that the tokenizer's grammar does not allow where they stand",
    implementation="diffmidi_metrics.validity:GrammarFaults",
)
grammar_changes = Declaration(
    summary="share of the words of the samples that had to be changed for the tokenizer's grammar to allow them",
    implementation="diffmidi_metrics.validity:GrammarChanges",
)
pitch_class_entropy = Declaration(
    summary="how evenly the notes use the twelve pitch classes, 0 to 3.585 bits",
    implementation="diffmidi_metrics.pitch:PitchClassEntropy",
)
pitch_range = Declaration(
    summary="from the lowest pitch to the highest, in semitones",
    implementation="diffmidi_metrics.pitch:PitchRange",
)
scale_consistency = Declaration(
    summary="the largest share of the notes that one major or minor scale holds",
    implementation="diffmidi_metrics.pitch:ScaleConsistency",
)
polyphony = Declaration(
    summary="how many pitches sound together, on average",
    implementation="diffmidi_metrics.pitch:Polyphony",
)
polyphony_rate = Declaration(
    summary="the share of the time in which two pitches or more sound",
    implementation="diffmidi_metrics.pitch:PolyphonyRate",
)
groove_consistency = Declaration(
    summary="how alike the onsets of neighbouring bars are, on 16 steps a bar",
    implementation="diffmidi_metrics.rhythm:GrooveConsistency",
)
empty_beat_rate = Declaration(
    summary="the share of the beats in which nothing sounds",
    implementation="diffmidi_metrics.rhythm:EmptyBeatRate",
)
note_density = Declaration(
    summary="notes per quarter note of music",
    implementation="diffmidi_metrics.rhythm:NoteDensity",
)
note_lengths = Declaration(
    summary="histogram of note lengths, 1/32 to longer than a whole note",
    implementation="diffmidi_metrics.rhythm:NoteLengths",
)
inter_onsets = Declaration(
    summary="histogram of the times from one onset to the next",
    implementation="diffmidi_metrics.rhythm:InterOnsets",
)
overlap_area = Declaration(
    summary="how far features of samples and of held-out music spread alike: 0 to 1, best 1",
    implementation="diffmidi_metrics.distribution:OverlapArea",
)
kl_divergence = Declaration(
    summary="how far they do not, as a Kullback-Leibler divergence: best 0",
    implementation="diffmidi_metrics.distribution:KlDivergence",
)
self_similarity = Declaration(
    summary="framewise self-similarity (C and Var), beside what shuffled notes and one pattern score",
    implementation="diffmidi_metrics.similarity:SelfSimilarity",
)
seam = Declaration(
    summary="whether the joins of pieces longer than a window can be told from other places: 0.5 where they cannot",
    implementation="diffmidi_metrics.seam:Seam",
)
originality = Declaration(
    summary="longest match with the training set in any key, beside what held-out music has",
    implementation="diffmidi_metrics.originality:Originality",
)
