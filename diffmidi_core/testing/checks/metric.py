"""What a metric promises."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Sequence

import numpy as np

from diffmidi_core.contracts.metric import Figure, Metric, Row, Sample, TrainingMusic, WindowBits, named
from diffmidi_core.contracts.process import LEVEL_BINS
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.judge.by_model import ModelMetric
from diffmidi_core.music.toy import from_rows, toy_scores
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import expect, never_raises
from diffmidi_core.testing.surroundings import toy_model, toy_tokenizer
from diffmidi_core.testing.variants import whatever_the_options

RECORD = {"grammar_changes": 1, "seam_1": 128, "obeyed_density": 0, "asked_density": 2, "obtained_density": 1}
"""What samplers write down with a sample, where they have something to say."""
TERMS = {"prior": 0.25, "diffusion": 2.5, "rounding": 0.5}
"""Bits a token of the toy windows."""


def use(metric: Metric) -> None:
    """What a run does with it."""
    _asking(metric)
    rows = [metric.measure(item) for item in _items(metric)]
    metric.summarise(rows, rows if metric.subject == "samples" else ())


def check_subject_is_known(component: Component) -> None:
    """`subject` says what it measures."""
    subject = _built(component).subject
    expect(subject in ("likelihood", "samples"), f"subject is 'likelihood' or 'samples', not {subject!r}")


@whatever_the_options
def check_music_is_enough(component: Component) -> None:
    """Unless `needs_tokens` says otherwise, a sample's row follows from its music and the training music alone."""
    metric: Metric = _built(component)
    if metric.subject != "samples" or metric.needs_tokens:
        return
    for item in _items(metric):
        assert isinstance(item, Sample)
        with never_raises("measuring music without tokens, which needs_tokens = False promises,"):
            row = metric.measure(Sample.of_music(item.score, item.training))
        expect(row == metric.measure(item), "an item's row depends on its tokens: set needs_tokens = True")


def check_a_model_is_said(component: Component) -> None:
    """A metric that asks a model is a ModelMetric, and has an option that names the model."""
    metric = _built(component)
    if metric.needs_model:
        expect(isinstance(metric, ModelMetric), "needs_model = True is for metrics that inherit from ModelMetric")
        expect("model" in component.options.model_dump(), "an option `model` names the model that it asks")


@whatever_the_options
def check_rows_are_numbers(component: Component) -> None:
    """measure gives names and finite numbers, which ranks can send to each other."""
    for row in _rows(_built(component)):
        expect(all(isinstance(name, str) for name in row), f"a row's names are text: {row}")
        with never_raises(f"sending the row {row} as JSON"):
            expect(json.loads(json.dumps(dict(row), allow_nan=False)) == dict(row), f"a row is plain numbers: {row}")


def check_measuring_is_pure(component: Component) -> None:
    """Measured twice, before or after others, an item gives the same row, and is left as it was."""
    metric: Metric = _built(component)
    items = _items(metric)
    untouched = copy.deepcopy([_content(item) for item in items])
    forth = [metric.measure(item) for item in items]
    back = [metric.measure(item) for item in reversed(items)][::-1]
    expect(forth == back, "an item's row depends on what was measured before")
    expect([_content(item) for item in items] == untouched, "measuring changes the item")


@whatever_the_options
def check_order_is_irrelevant(component: Component) -> None:
    """Rows in another order, as other ranks gather them, give the same figure."""
    metric: Metric = _built(component)
    rows = _rows(metric)
    for reference in _references(metric, rows):
        forth, back = _figures(metric, rows, reference), _figures(metric, rows[::-1], reference[::-1])
        expect(
            forth.keys() == back.keys(), f"rows in another order give other figures: {_names(forth)}, {_names(back)}"
        )
        for name, figure in forth.items():
            for what in ("value", "error", "interval", "reference", "reference_interval"):
                ours, theirs = getattr(figure, what), getattr(back[name], what)
                same = (ours is None) == (theirs is None) and (
                    ours is None or np.allclose(ours, theirs, rtol=1e-9, atol=1e-12)
                )
                expect(same, f"rows in another order change the {what} of {name or 'the figure'}: {ours}, {theirs}")


def check_nothing_measured_is_no_figure(component: Component) -> None:
    """No rows: None or no figures, whatever the reference; not an exception and not a number."""
    metric: Metric = _built(component)
    for reference in _references(metric, _rows(metric)):
        with never_raises("summarise([])"):
            expect(not metric.summarise([], reference), "summarise([]) is None: there is nothing to say")


def check_empty_items_are_measured(component: Component) -> None:
    """A window without notes and a sample without tokens can be measured, alone and among others."""
    metric: Metric = _built(component)
    tokenizer = toy_tokenizer()
    empty = tokenizer.encode(toy_scores()["silence"])
    music = Sample(empty, tokenizer.decode(empty), tokenizer, _training(tokenizer))
    item = WindowBits({"rounding": np.zeros(2)}, music) if metric.subject == "likelihood" else music
    with never_raises("measuring an empty item"):
        row, rows = metric.measure(item), _rows(metric)
        for reference in ([], [row], rows) if metric.subject == "samples" else ([],):
            _figures(metric, [row], reference)
            _figures(metric, [row, *rows], reference)


@whatever_the_options
def check_silence_gives_no_nonsense(component: Component) -> None:
    """Music without notes, or with one, has a row of finite numbers, and no figure over such rows is NaN."""
    metric: Metric = _built(component)
    quiet = [metric.measure(item) for item in _quiet_items(metric)]
    for row in quiet:
        broken = [name for name, value in row.items() if not math.isfinite(value)]
        expect(
            not broken,
            f"measured on music with no notes or one, {', '.join(broken)} of the row is not finite: leave out of the"
            " row what cannot be measured",
        )
    rows = _rows(metric)
    samples = metric.subject == "samples"
    for among in (quiet, [*quiet, *rows], [*rows, *quiet]):
        for reference in ([], quiet, rows) if samples else ([],):
            with never_raises("summarising rows of which some are of silence"):
                figures = _figures(metric, among, reference)
            for name, figure in figures.items():
                said = [figure.value, figure.error, figure.reference, *(figure.interval or ())]
                expect(
                    all(value is None or math.isfinite(value) for value in said),
                    f"with silence among the items {name or 'the figure'} is {figure.value} (error {figure.error},"
                    f" reference {figure.reference}): skip rows in which nothing could be measured",
                )


@whatever_the_options
def check_figure_can_be_quoted(component: Component) -> None:
    """Value, error and intervals are finite, and it says in what unit, over how many of what."""
    metric: Metric = _built(component)
    rows = _rows(metric)
    found = [_figures(metric, rows, reference) for reference in _references(metric, rows)]
    expect(any(found), "the kit's toy items give no figure")
    for figure in (figure for figures in found for figure in figures.values()):
        expect(math.isfinite(figure.value), f"the value is finite, not {figure.value}")
        expect(figure.error is None or 0 <= figure.error < math.inf, f"the error is finite, not {figure.error}")
        expect(figure.reference is None or math.isfinite(figure.reference), f"not finite: {figure.reference}")
        for interval in (figure.interval, figure.reference_interval):
            low, high = interval or (0.0, 0.0)
            expect(-math.inf < low <= high < math.inf, f"an interval goes from low to high: {interval}")
        expect(figure.unit.strip() and figure.of.strip(), "a figure names its unit and what it was measured on")
        expect(0 < figure.count <= len(rows), f"count says over how many of {len(rows)} items, not {figure.count}")
        expect(
            0 <= figure.skipped <= len(rows) - figure.count,
            f"skipped and counted are {len(rows)} items at most, not {figure.skipped} and {figure.count}",
        )
        expect("\n" not in figure.note, "the note is one line")


def _built(component: Component) -> Metric:
    """The metric; one that asks a model is given a small one, whatever its option `model` names."""
    return _asking(component.build())


def _asking(metric: Metric) -> Metric:
    if isinstance(metric, ModelMetric):
        metric.model = toy_model()
    return metric


def _figures(metric: Metric, rows: Sequence[Row], reference: Sequence[Row]) -> dict[str, Figure]:
    return {name: figure for name, figure in named("", metric.summarise(rows, reference)).items() if figure is not None}


def _names(figures: dict[str, Figure]) -> str:
    return ", ".join(figures)


def _references(metric: Metric, rows: list[Row]) -> list[list[Row]]:
    """Without held-out music, and with some; there is never any for likelihood, which is measured on it."""
    return [[], rows[::2]] if metric.subject == "samples" else [[]]


def _training(tokenizer: Tokenizer) -> TrainingMusic:
    scores = toy_scores()
    names = ["tune", "chords", "overlaps"]
    return TrainingMusic(
        names, lambda number: scores[names[number]], lambda number: tokenizer.encode(scores[names[number]])
    )


def _items(metric: Metric) -> list[WindowBits | Sample]:
    tokenizer = toy_tokenizer()
    training = _training(tokenizer)
    pieces = [tokenizer.encode(score) for name, score in toy_scores().items() if name != "silence"]
    if metric.subject == "samples":
        return [Sample(ids, tokenizer.decode(ids), tokenizer, training, RECORD) for ids in pieces]
    return [
        WindowBits(
            {name: np.full(len(ids) + 2, bits + i / 8) for name, bits in TERMS.items()},
            Sample(ids, tokenizer.decode(ids), tokenizer, training),
            {"the order of the text": np.full(len(ids) + 2, 3.0)},
            np.full(LEVEL_BINS, len(ids) / LEVEL_BINS),
        )
        for i, ids in enumerate(pieces[:6])
    ]


def _quiet_items(metric: Metric) -> list[WindowBits | Sample]:
    """Silence, one note, and two at once."""
    tokenizer = toy_tokenizer()
    training = _training(tokenizer)
    scores = [toy_scores()["silence"], toy_scores()["one_note"], from_rows([(0, 1, 60, 80), (0, 1, 64, 80)])]
    samples = [Sample(tokenizer.encode(each), each, tokenizer, training, RECORD) for each in scores]
    if metric.subject == "samples":
        return list(samples)
    return [
        WindowBits(
            {name: np.full(len(each.ids) + 2, bits) for name, bits in TERMS.items()},
            each,
            {"the order of the text": np.full(len(each.ids) + 2, 3.0)},
            np.full(LEVEL_BINS, 1.0),
        )
        for each in samples
    ]


def _rows(metric: Metric) -> list[Row]:
    return [metric.measure(item) for item in _items(metric)]


def _content(item: WindowBits | Sample) -> object:
    if isinstance(item, WindowBits):
        return {name: term.tolist() for name, term in item.terms.items()}, _content(item.window)
    return item.ids.tolist(), item.score.copy()
