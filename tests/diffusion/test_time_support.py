"""Texts whose time adds up, drawn from any network: against all texts of a small vocabulary, listed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diffmidi_core.contracts.bar_shapes import BarPlaces
from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.time_bounds import UNBOUNDED, TimeBounds
from diffmidi_core.diffusion.time_support import TimeSupport
from diffmidi_core.draw.span_time import Placed
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.registry import find

LAYOUTS = ("aligned", "run", "paper")


def small(layout):
    """Few tokens of each type are worth anything, so that all texts can be listed: t0 to t3, p60, p61, v1, d1; where
    durations pass, d1 to d4.
    """
    tokenizer = find("tokenizer", "mmm").build({"layout": layout})
    times = ["d2", "d3", "d4"] if layout == "paper" else ["t0", "t1", "t2", "t3"]
    names = [*times, "p60", "p61", "v1", "d1"]
    return tokenizer, tokenizer.to_ids(names)


def odds(tokenizer, some, length, rows=1, seed=0):
    logits = torch.full((rows, length, len(tokenizer.vocab)), -torch.inf)
    logits[..., torch.from_numpy(some).long()] = torch.randn(
        rows, length, len(some), generator=torch.Generator().manual_seed(seed)
    )
    return logits.log_softmax(-1)


def canvas_of(tokenizer, text, low=0, high=UNBOUNDED, ends=None):
    """A row between [CLS] and [SEP], [MASK] being free; such notes begin from low to high, the one behind at `ends`."""
    ids = torch.tensor([[1, *tokenizer.to_ids(text).tolist(), 2]])
    fixed = ids != tokenizer.mask_id
    bounds = torch.zeros(*ids.shape, 2, dtype=torch.int64)
    bounds[..., 1] = UNBOUNDED
    bounds[~fixed] = torch.tensor([low, high])
    if ends is not None:
        last = int((~fixed[0]).nonzero()[-1]) + 1
        bounds[0, last] = ends
    return ids, fixed, bounds


def all_texts(tokenizer, some, logits, ids, fixed, bounds):
    """Every legal text whose time adds up, with its probability."""
    passed, grammar = tokenizer.steps_passed().tolist(), tokenizer.grammar
    passing = {int(kind) for kind in grammar.type_of[tokenizer.steps_passed() > 0]}
    length, found = ids.shape[1] - 2, {}

    def go(place, state, gone, text, log_p):
        if place > length:
            low, high = bounds[0, place].tolist()
            if state in grammar.final and low <= gone <= high:
                found[tuple(text)] = float(np.exp(log_p))
            return
        free = not fixed[0, place]
        for token in some.tolist() if free else [int(ids[0, place])]:
            kind = grammar.type_of[token]
            after = grammar.next_state[state, kind]
            low, high = bounds[0, place].tolist()
            if after >= 0 and (kind in passing or low <= gone <= high):
                more = float(logits[0, place, token]) if free else 0.0
                go(place + 1, after, gone + passed[token], [*text, token], log_p + more)

    for start in grammar.start:
        go(1, start, 0, [], 0.0)
    total = sum(found.values())
    return {text: p / total for text, p in found.items()}


CASES = {
    "aligned": [
        (["t0", "p60", "v1", "d1", *["[MASK]"] * 4, "[MASK]", "p61", "v1", "d1"], {"low": 1, "high": 2, "ends": 4}),
        ([*["[MASK]"] * 4, "t2", "p60", "v1", "d1"], {"low": 1, "high": 3}),
    ],
    "run": [
        (["t3", "p60", "v1", "d1", *["[MASK]"] * 5, "p61", "v1", "d1"], {"low": 4, "high": 5, "ends": 6}),
        (["t0", "p60", "v1", "d1", *["[MASK]"] * 4], {"high": 0}),
    ],
    "paper": [
        (["p60", "v1", "d2", *["[MASK]"] * 6, "p61", "v1", "d1"], {"low": 2, "high": 4, "ends": 6}),
        (["p60", "v1", "d2", *["[MASK]"] * 6], {"low": 2, "high": 8, "ends": 5}),
    ],
}


@pytest.mark.parametrize(("layout", "case"), [(layout, case) for layout in LAYOUTS for case in range(2)])
def test_texts_are_drawn_as_often_as_they_are_likely(layout, case):
    tokenizer, some = small(layout)
    text, how = CASES[layout][case]
    ids, fixed, bounds = canvas_of(tokenizer, text, **how)
    logits = odds(tokenizer, some, ids.shape[1])
    expected = all_texts(tokenizer, some, logits, ids, fixed, bounds)
    assert 1 < len(expected) < 400
    rows = 1500
    many = [each.expand(rows, *each.shape[1:]) for each in (logits, ids, fixed, bounds)]
    found = TimeSupport(tokenizer).draw(*many[:3], RowDraws.seeded(0, rows), bounds=TimeBounds.counted(many[3]))
    texts, counts = np.unique(found[:, 1:-1].numpy(), axis=0, return_counts=True)
    assert {tuple(each.tolist()) for each in texts} <= set(expected)
    shares = {tuple(each.tolist()): count / rows for each, count in zip(texts, counts, strict=True)}
    for each, p in expected.items():
        assert abs(shares.get(each, 0.0) - p) < 5 * (p * (1 - p) / rows) ** 0.5 + 2e-3


@pytest.mark.parametrize(("layout", "case"), [(layout, case) for layout in LAYOUTS for case in range(2)])
def test_the_likeliest_text_is_found(layout, case):
    tokenizer, some = small(layout)
    text, how = CASES[layout][case]
    ids, fixed, bounds = canvas_of(tokenizer, text, **how)
    logits = odds(tokenizer, some, ids.shape[1], seed=1)
    expected = all_texts(tokenizer, some, logits, ids, fixed, bounds)
    found = TimeSupport(tokenizer).legal_argmax(logits, ids, fixed, bounds=TimeBounds.counted(bounds))
    assert tuple(found[0, 1:-1].tolist()) == max(expected, key=lambda each: expected[each])


BARS = (("2/4", 2), ("3/4", 3), ("2/4", 2))
"""Metres, and places in such a bar where a beat has one."""


def in_bars():
    """A hole from the second place of one bar up to the first of the third, in tokens of which few are worth anything.

    A bar line is a step and each place one: 0, 1 2, then 3, 4 5 6, then 7, 8 9.
    """
    tokenizer = find("tokenizer", "remi").build({"beat_res": {"0_4": 1}, "use_velocities": False})
    some = ["Bar_None", "TimeSig_2/4", "TimeSig_3/4", "Position_0", "Position_1", "Position_2", "Position_3"]
    note = ["Pitch_60", "Duration_1.0.1"]
    begin = ["Bar_None", "TimeSig_2/4", "Position_0", *note]
    text = [*begin, *["[MASK]"] * 10, *begin]
    ids = torch.tensor([[1, *tokenizer.to_ids(text).tolist(), 2]])
    fixed = ids != tokenizer.mask_id
    shapes = [(metre.split("/"), places) for metre, places in BARS]
    bars = [
        BarPlaces(0.0, int(beats), int(unit), places, tuple(tokenizer.to_ids(["Bar_None", f"TimeSig_{beats}/{unit}"])))
        for (beats, unit), places in shapes
    ]
    time = Placed(tokenizer, bars, now=1, then=8)
    steps = torch.zeros(*ids.shape, 2, dtype=torch.int64)
    steps[..., 1] = UNBOUNDED
    steps[~fixed] = torch.tensor([2, 5]) - 1
    steps[0, -3] = 8 - 1
    bounds = TimeBounds(steps, torch.tensor([6]), torch.from_numpy(time.moves(1, 8))[None])
    return tokenizer, tokenizer.to_ids([*some, *note]), ids, fixed, bounds


def texts_in_bars(tokenizer, some, logits, ids, fixed):
    """As `all_texts`, by reading bars and positions as a person does."""
    grammar, found = tokenizer.grammar, {}

    def go(place, state, bar, position, text, log_p):
        if place == ids.shape[1] - 1:
            if state in grammar.final and bar == 2:
                found[tuple(text)] = float(np.exp(log_p))
            return
        free = not fixed[0, place]
        for token in some.tolist() if free else [int(ids[0, place])]:
            after = grammar.next_state[state, grammar.type_of[token]]
            kind, _, told = tokenizer.vocab[token].partition("_")
            now, then = bar, position
            if kind == "Bar":
                now, then = bar + 1, -1
            elif kind == "Position":
                then = int(told)
            legal = after >= 0 and now < 3
            legal = legal and (kind != "TimeSig" or told == BARS[now][0])
            legal = legal and (kind != "Position" or position < then < BARS[now][1])
            if free and kind in ("Pitch", "Duration"):
                legal = legal and (0, 1) <= (now, position) <= (1, 1)
            if legal:
                more = float(logits[0, place, token]) if free else 0.0
                go(place + 1, after, now, then, [*text, token], log_p + more)

    go(1, grammar.start[0], -1, -1, [], 0.0)
    total = sum(found.values())
    return {text: p / total for text, p in found.items()}


def test_texts_in_bars_are_drawn_as_often_as_they_are_likely():
    tokenizer, some, ids, fixed, bounds = in_bars()
    logits = odds(tokenizer, some, ids.shape[1])
    expected = texts_in_bars(tokenizer, some, logits, ids, fixed)
    assert 5 < len(expected) < 400
    rows = 1500
    many = [each.expand(rows, *each.shape[1:]) for each in (logits, ids, fixed)]
    draws = RowDraws.seeded(0, rows)
    found = TimeSupport(tokenizer).draw(*many, draws, bounds=bounds.rows(torch.zeros(rows, dtype=torch.int64)))
    texts, counts = np.unique(found[:, 1:-1].numpy(), axis=0, return_counts=True)
    shares = {tuple(each.tolist()): count / rows for each, count in zip(texts, counts, strict=True)}
    assert set(shares) <= set(expected)
    for each, p in expected.items():
        assert abs(shares.get(each, 0.0) - p) < 5 * (p * (1 - p) / rows) ** 0.5 + 2e-3


def test_the_likeliest_text_in_bars_is_found():
    tokenizer, some, ids, fixed, bounds = in_bars()
    logits = odds(tokenizer, some, ids.shape[1], seed=1)
    expected = texts_in_bars(tokenizer, some, logits, ids, fixed)
    found = TimeSupport(tokenizer).legal_argmax(logits, ids, fixed, bounds=bounds)
    assert tuple(found[0, 1:-1].tolist()) == max(expected, key=lambda each: expected[each])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_row_is_the_same_whatever_is_beside_it(layout):
    tokenizer, some = small(layout)
    text, how = CASES[layout][0]
    ids, fixed, bounds = canvas_of(tokenizer, text, **how)
    logits = odds(tokenizer, some, ids.shape[1])
    support = TimeSupport(tokenizer)
    alone = support.draw(
        logits, ids, fixed, RowDraws([torch.Generator().manual_seed(5)]), bounds=TimeBounds.counted(bounds)
    )
    other = ids.clone()
    other[0, 1:-1] = torch.from_numpy(
        tokenizer.to_ids(["p60", "v1", "d1"] * 4 if layout == "paper" else ["t0", "p60", "v1", "d1"] * 4)[
            : ids.shape[1] - 2
        ]
    )
    two = [torch.cat([each, each]) for each in (logits, ids, fixed, bounds)]
    two[1][0], two[2][0] = other[0], True
    two[3][0] = torch.tensor([0, UNBOUNDED])
    streams = [torch.Generator().manual_seed(seed) for seed in (9, 5)]
    beside = support.draw(*two[:3], RowDraws(streams), bounds=TimeBounds.counted(two[3]))
    assert torch.equal(beside[1], alone[0])


def test_what_cannot_add_up_is_refused():
    tokenizer, _ = small("aligned")
    ids, fixed, bounds = canvas_of(tokenizer, *[CASES["aligned"][0][0]], low=0, high=9, ends=10_000)
    canvas = Canvas(ids, torch.where(fixed, -1, -2), None, bounds=TimeBounds.counted(bounds))
    with pytest.raises(DiffmidiError, match="more notes"):
        TimeSupport(tokenizer).check_canvas(canvas)


def test_tokens_without_time_of_their_own_are_refused():
    with pytest.raises(DiffmidiError, match="do not add up"):
        TimeSupport(find("tokenizer", "remi").build({"use_rests": True}))
    with pytest.raises(DiffmidiError, match="do not add up"):
        TimeSupport(find("tokenizer", "mmm").build({"layout": "cells"}))
