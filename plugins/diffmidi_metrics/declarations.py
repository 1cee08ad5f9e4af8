"""The built-in metrics, declared."""

from __future__ import annotations

from diffmidi.api import Field, MetricDeclaration, Options

rounding_bpw = MetricDeclaration(
    summary="the rounding term at x0 in bits per token: the paper's bits per word, not a likelihood",
    title="bits per token, rounding only",
    implementation="diffmidi_metrics.likelihood:RoundingBpw",
)
bound_bpw = MetricDeclaration(
    summary="the variational bound in bits per token, on music that was not trained on",
    title="bits per token, at most",
    better="lower",
    implementation="diffmidi_metrics.likelihood:BoundBpw",
)
bits_per_note = MetricDeclaration(
    summary="the variational bound in bits per note, comparable across tokenizers",
    title="bits per note, at most",
    better="lower",
    implementation="diffmidi_metrics.likelihood:BitsPerNote",
)
bits_per_second = MetricDeclaration(
    summary="the variational bound in bits per second of music",
    title="bits per second, at most",
    better="lower",
    implementation="diffmidi_metrics.likelihood:BitsPerSecond",
)


class BaselinesOptions(Options):
    """What can be set for `baselines`."""

    order: int = Field(5, ge=2, le=16, description="n of the longest n-grams")
    most_tokens: int = Field(
        2_000_000, ge=1, description="tokens of training music that the baselines are trained on at most"
    )
    bar: float = Field(4.0, gt=0, description="length of a bar in quarter notes, for copy_last_bar")


baselines = MetricDeclaration(
    summary="bits per token of n-grams, unigrams and copies of the last bar, to compare a bound with",
    title="bits per token, simple models",
    better="lower",
    implementation="diffmidi_metrics.baselines:Baselines",
    options=BaselinesOptions,
)
bits_by_type = MetricDeclaration(
    summary="the variational bound split by token type (pitch, duration, ...), in bits per token of that type",
    title="bits by token type, at most",
    better="lower",
    implementation="diffmidi_metrics.likelihood:BitsByType",
)
bound_by_level = MetricDeclaration(
    summary="where along the noise levels the bound is charged, in bits per token for each twentieth of them",
    title="bits by noise level",
    implementation="diffmidi_metrics.likelihood:BoundByLevel",
)
grammar_faults = MetricDeclaration(
    summary="share of the samples' tokens that the tokenizer's grammar does not allow where they stand",
    title="grammar faults",
    better="lower",
    implementation="diffmidi_metrics.validity:GrammarFaults",
)
grammar_changes = MetricDeclaration(
    summary="share of the samples' tokens that had to be changed for the tokenizer's grammar to allow them",
    title="changed by the grammar",
    implementation="diffmidi_metrics.validity:GrammarChanges",
)
pitch_class_entropy = MetricDeclaration(
    summary="how evenly the notes use the twelve pitch classes, 0 to 3.585 bits",
    title="pitch class entropy",
    implementation="diffmidi_metrics.pitch:PitchClassEntropy",
)
pitch_range = MetricDeclaration(
    summary="from the lowest pitch to the highest, in semitones",
    title="pitch range",
    implementation="diffmidi_metrics.pitch:PitchRange",
)
scale_consistency = MetricDeclaration(
    summary="the largest share of the notes that one major or minor scale holds",
    title="scale consistency",
    implementation="diffmidi_metrics.pitch:ScaleConsistency",
)
polyphony = MetricDeclaration(
    summary="how many pitches sound together, on average",
    title="polyphony",
    implementation="diffmidi_metrics.pitch:Polyphony",
)
polyphony_rate = MetricDeclaration(
    summary="the share of the time in which two pitches or more sound",
    title="polyphony rate",
    implementation="diffmidi_metrics.pitch:PolyphonyRate",
)
groove_consistency = MetricDeclaration(
    summary="how alike the onsets of neighbouring bars are, on 16 steps a bar",
    title="groove consistency",
    implementation="diffmidi_metrics.rhythm:GrooveConsistency",
)
empty_beat_rate = MetricDeclaration(
    summary="the share of the beats in which nothing sounds",
    title="empty beats",
    implementation="diffmidi_metrics.rhythm:EmptyBeatRate",
)
note_density = MetricDeclaration(
    summary="notes per quarter note of music",
    title="note density",
    implementation="diffmidi_metrics.rhythm:NoteDensity",
)
onsets_on_beats = MetricDeclaration(
    summary="the share of the notes that start on a beat, where there is a metre",
    title="onsets on beats",
    implementation="diffmidi_metrics.bars:OnsetsOnBeats",
)
notes_per_bar = MetricDeclaration(
    summary="notes in a bar, where there is a metre",
    title="notes a bar",
    implementation="diffmidi_metrics.bars:NotesPerBar",
)
key_clarity = MetricDeclaration(
    summary="how clear the key is: the correlation with the profile of the nearest key",
    title="key clarity",
    implementation="diffmidi_metrics.bars:KeyClarity",
)
ends_on_tonic = MetricDeclaration(
    summary="the share of the pieces that end on the tonic of their key in the bass",
    title="endings on the tonic",
    implementation="diffmidi_metrics.bars:EndsOnTonic",
)
note_lengths = MetricDeclaration(
    summary="histogram of note lengths, 1/32 to longer than a whole note",
    title="note durations",
    implementation="diffmidi_metrics.rhythm:NoteLengths",
)
inter_onsets = MetricDeclaration(
    summary="histogram of the times from one onset to the next",
    title="inter-onset intervals",
    implementation="diffmidi_metrics.rhythm:InterOnsets",
)
overlap_area = MetricDeclaration(
    summary="how far features of samples and of music that was not trained on spread alike: 0 to 1, best 1",
    title="overlap of densities",
    better="higher",
    implementation="diffmidi_metrics.distribution:OverlapArea",
)
kl_divergence = MetricDeclaration(
    summary="how far they do not, as a Kullback-Leibler divergence: best 0",
    title="divergence of densities",
    better="lower",
    implementation="diffmidi_metrics.distribution:KlDivergence",
)
self_similarity = MetricDeclaration(
    summary="framewise self-similarity (C and Var), beside what shuffled notes and one pattern score",
    title="self-similarity",
    implementation="diffmidi_metrics.similarity:SelfSimilarity",
)
seam = MetricDeclaration(
    summary="whether the joins of pieces longer than a window can be told from other places: 0.5 where they cannot",
    title="changes at joins",
    implementation="diffmidi_metrics.seam:Seam",
)
originality = MetricDeclaration(
    summary="longest match with the training set in any key, compared with what new music has",
    title="match with training music",
    implementation="diffmidi_metrics.originality:Originality",
)
obedience = MetricDeclaration(
    summary="share of pieces that have the label asked for (sample --want), or a bin next to it, and their correlation",
    title="labels obeyed",
    better="higher",
    implementation="diffmidi_metrics.obedience:Obedience",
)


class JudgeOptions(Options):
    """What can be set for `judge`."""

    model: str = Field("", description="the judge: a run, an exported folder, or the name of an installed model")
    exact: bool = Field(False, description="the judge's likelihood itself where it else has a bound; takes long")
    levels: int = Field(4, ge=1, description="noise levels drawn for each window, where the judge has a bound")


judge = MetricDeclaration(
    summary="what another model charges for the samples, and entropy and overlap, to be read with it",
    title="under a judge",
    implementation="diffmidi_metrics.judge:Judge",
    options=JudgeOptions,
)


class FrechetOptions(Options):
    """What can be set for `frechet`."""

    model: str = Field(
        "", description="whose features are compared: a run, an exported folder, or the name of an installed model"
    )


frechet = MetricDeclaration(
    summary="Fréchet distance from music that was not trained on, over features of a model",
    title="Fréchet distance",
    better="lower",
    implementation="diffmidi_metrics.frechet:Frechet",
    options=FrechetOptions,
)
exact_bits = MetricDeclaration(
    summary="the exact likelihood in bits per note, in a fixed order of revealing (`evaluate --exact`)",
    title="bits per note",
    better="lower",
    implementation="diffmidi_metrics.likelihood:ExactBits",
)
