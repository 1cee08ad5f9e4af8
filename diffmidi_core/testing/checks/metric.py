"""What a metric promises."""

from __future__ import annotations

import copy
import json
import math

from diffmidi_core.contracts.metric import Metric, Row, Sample, WindowBits
from diffmidi_core.music.toy import toy_scores
from diffmidi_core.testing.component import Component
from diffmidi_core.testing.expect import expect, never_raises
from diffmidi_core.testing.surroundings import toy_tokenizer
from diffmidi_core.testing.variants import whatever_the_options


def use(metric: Metric) -> None:
    """What a run does with it."""
    metric.summarise([metric.measure(item) for item in _items(metric)])


def check_subject_is_known(component: Component) -> None:
    """`subject` says what it measures."""
    subject = component.build().subject
    expect(subject in ("likelihood", "samples"), f"subject is 'likelihood' or 'samples', not {subject!r}")


@whatever_the_options
def check_rows_are_numbers(component: Component) -> None:
    """measure gives names and finite numbers, which ranks can send to each other."""
    for row in _rows(component.build()):
        expect(all(isinstance(name, str) for name in row), f"a row's names are text: {row}")
        with never_raises(f"sending the row {row} as JSON"):
            expect(json.loads(json.dumps(dict(row), allow_nan=False)) == dict(row), f"a row is plain numbers: {row}")


def check_measuring_is_pure(component: Component) -> None:
    """Measured twice, before or after others, an item gives the same row, and is left as it was."""
    metric: Metric = component.build()
    items = _items(metric)
    untouched = copy.deepcopy([_content(item) for item in items])
    forth = [metric.measure(item) for item in items]
    back = [metric.measure(item) for item in reversed(items)][::-1]
    expect(forth == back, "an item's row depends on what was measured before")
    expect([_content(item) for item in items] == untouched, "measuring changes the item")


@whatever_the_options
def check_order_is_irrelevant(component: Component) -> None:
    """Rows in another order, as other ranks gather them, give the same figure."""
    metric: Metric = component.build()
    rows = _rows(metric)
    forth, back = metric.summarise(rows), metric.summarise(rows[::-1])
    if forth is None or back is None:
        expect(forth is None and back is None, "rows in another order give no figure")
        return
    for name in ("value", "error"):
        ours, theirs = getattr(forth, name), getattr(back, name)
        same = ours == theirs or math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)
        expect(same, f"rows in another order change the figure's {name} from {ours} to {theirs}")


def check_nothing_measured_is_no_figure(component: Component) -> None:
    """No rows: None, not an exception and not a number."""
    metric: Metric = component.build()
    with never_raises("summarise([])"):
        expect(metric.summarise([]) is None, "summarise([]) is None: there is nothing to say")


def check_empty_items_are_measured(component: Component) -> None:
    """A window without notes and a sample without words can be measured, alone and among others."""
    metric: Metric = component.build()
    tokenizer = toy_tokenizer()
    empty = tokenizer.encode(toy_scores()["silence"])
    item = (
        WindowBits({"rounding": 0.0}, words=0, notes=0)
        if metric.subject == "likelihood"
        else Sample(empty, tokenizer.decode(empty), tokenizer)
    )
    with never_raises("measuring an empty item"):
        metric.summarise([metric.measure(item)])
        metric.summarise([metric.measure(item), *_rows(metric)])


@whatever_the_options
def check_figure_can_be_quoted(component: Component) -> None:
    """Value and error are finite, and it says in what unit, over how many of what."""
    metric: Metric = component.build()
    rows = _rows(metric)
    figure = metric.summarise(rows)
    if figure is None:
        raise AssertionError("the kit's toy items give no figure")
    expect(math.isfinite(figure.value), f"the value is finite, not {figure.value}")
    expect(figure.error is None or 0 <= figure.error < math.inf, f"the error is finite, not {figure.error}")
    expect(figure.unit.strip() and figure.of.strip(), "a figure names its unit and what it was measured on")
    expect(0 < figure.count <= len(rows), f"count says over how many of {len(rows)} items, not {figure.count}")
    expect("\n" not in figure.note, "the note is one line")


def _items(metric: Metric) -> list[WindowBits | Sample]:
    if metric.subject == "likelihood":
        return [
            WindowBits(
                {"prior": 0.5 + i, "diffusion": 60.0 + 7 * i, "rounding": 30.0 - i}, words=4 * (i + 3), notes=i + 3
            )
            for i in range(6)
        ]
    tokenizer = toy_tokenizer()
    pieces = [tokenizer.encode(score) for name, score in toy_scores().items() if name != "silence"]
    return [Sample(ids, tokenizer.decode(ids), tokenizer) for ids in pieces]


def _rows(metric: Metric) -> list[Row]:
    return [metric.measure(item) for item in _items(metric)]


def _content(item: WindowBits | Sample) -> object:
    if isinstance(item, WindowBits):
        return dict(item.terms), item.words, item.notes
    return item.ids.tolist(), item.score.copy()
