"""Writing a metric: what a model or its music is worth, as one number or several.

A Metric is built as `Class(options)`, without state. `measure(item)` gives a row, name to number, of one item alone:
a Sample (`subject = "samples"`; its `score`, and `ids`, `tokenizer`, `training` where `needs_tokens`), or the
WindowBits of a window that was not trained on (`subject = "likelihood"`). `summarise(rows, reference)` makes a Figure
of all rows, in any order; the reference is music that was not trained on, measured in the same way. Ranks send rows,
not items.

What is to be worked out of all training music comes from `training.derived(build)`, once for all items; what is large,
from `training.kept(name, fill)`: a folder that is filled once, beside the music, for `np.memmap` and the like.

It is declared by `MetricDeclaration`, whose `title` is what people read before the number and whose `better` says which
figures are the better ones.

The mean of one number a sample, with its error and 95 % interval, beside the reference:

    class Leap(MeanOfSamples):
        unit = "semitones"

        def value(self, sample):
            pitch = notes_of(sample.score).pitch
            return float(np.abs(np.diff(pitch)).mean()) if len(pitch) > 1 else None

For ratios of sums, `SampleMetric` and `ratio_figure` do the same: rows of ABOVE and BELOW, or of several ratios under
names of their own (`ratio_figure(..., above="leaps", below="moves")`). For any other statistic, `bootstrap` gives the
rows to draw anew, and `percentile_interval` or `normal_interval` its interval.

`notes_of` gives all notes of a score, `tracks_of` those of each track, `key_of` the key: `KEYS.index(key) % 12` is the
pitch class of its tonic.

A metric that asks a trained model is a `ModelMetric`, with an option `model`: `scored(sample)` is what the sample costs
that model, `features(sample)` what its backbone makes of it, whoever made the sample.

Checks of the conformance kit, besides those of every kind: check_subject_is_known, check_music_is_enough,
check_a_model_is_said, check_rows_are_numbers, check_measuring_is_pure, check_order_is_irrelevant,
check_nothing_measured_is_no_figure, check_empty_items_are_measured, check_silence_gives_no_nonsense,
check_figure_can_be_quoted.
"""

from diffmidi_core.contracts.grammar import Grammar
from diffmidi_core.contracts.metric import Figure, Metric, Row, Sample, Summary, TrainingMusic, WindowBits
from diffmidi_core.contracts.tokenizer import SPECIALS, Ids, Tokenizer
from diffmidi_core.judge.by_model import ModelMetric
from diffmidi_core.judge.rows import (
    ABOVE,
    BELOW,
    FEWEST,
    Array,
    Interval,
    MeanOfSamples,
    SampleMetric,
    bootstrap,
    normal_interval,
    percentile_interval,
    ratio,
    ratio_figure,
    ratio_interval,
)
from diffmidi_core.music.key import KEYS, key_clarity, key_of
from diffmidi_core.music.notes import Notes, Score, notes_of, tracks_of

__all__ = [
    "ABOVE",
    "BELOW",
    "FEWEST",
    "KEYS",
    "SPECIALS",
    "Array",
    "Figure",
    "Grammar",
    "Ids",
    "Interval",
    "MeanOfSamples",
    "Metric",
    "ModelMetric",
    "Notes",
    "Row",
    "Sample",
    "SampleMetric",
    "Score",
    "Summary",
    "Tokenizer",
    "TrainingMusic",
    "WindowBits",
    "bootstrap",
    "key_clarity",
    "key_of",
    "normal_interval",
    "notes_of",
    "percentile_interval",
    "ratio",
    "ratio_figure",
    "ratio_interval",
    "tracks_of",
]
