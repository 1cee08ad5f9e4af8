"""Texts whose time adds up, drawn from any network: against all texts of a small vocabulary, listed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.time_bounds import UNBOUNDED, TimeBounds
from diffmidi_core.diffusion.time_support import TimeSupport
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.registry import find

LAYOUTS = ("aligned", "run")


def small(layout):
    """Few tokens of each type are worth anything, so that all texts can be listed: t0 to t3, p60, p61, v1, d1."""
    tokenizer = find("tokenizer", "mmm").build({"layout": layout})
    names = ["t0", "t1", "t2", "t3", "p60", "p61", "v1", "d1"]
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
    shift = grammar.types.index("shift")
    length, found = ids.shape[1] - 2, {}

    def go(place, state, gone, text, log_p):
        if place > length:
            if state in grammar.final:
                found[tuple(text)] = float(np.exp(log_p))
            return
        free = not fixed[0, place]
        for token in some.tolist() if free else [int(ids[0, place])]:
            kind = grammar.type_of[token]
            after = grammar.next_state[state, kind]
            low, high = bounds[0, place].tolist()
            if after >= 0 and (kind == shift or low <= gone <= high):
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
    other[0, 1:-1] = torch.from_numpy(tokenizer.to_ids(["t0", "p60", "v1", "d1"] * 4)[: ids.shape[1] - 2])
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
        TimeSupport(find("tokenizer", "mmm").build({"layout": "paper"}))
    with pytest.raises(DiffmidiError, match="do not add up"):
        TimeSupport(find("tokenizer", "mmm").build({"layout": "cells"}))
