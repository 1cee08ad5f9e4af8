"""Support over grammars small enough to try all of their texts: what is drawn or found is as probable as it says."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from diffmidi.api import DiffmidiError
from diffmidi.api.process import Support
from diffmidi.api.sampler import RowDraws
from diffmidi.api.tokenizer import Grammar

from .test_support import blank, generator

LITTLE = Grammar(
    types=("special", "a", "b"),
    type_of=np.array([0, 0, 0, 0, 1, 1, 2]),
    # Any number of pairs a b, or a alone: state 1 has read an a.
    next_state=np.array([[-1, 1, -1], [-1, 1, 0]]),
    final=(0,),
)


def every_text(logits, words):
    """Each legal text of that many words, and its probability among them."""
    found = {}
    for text in itertools.product(range(4, 7), repeat=words):
        if LITTLE.faults(np.array(text)) == 0:
            found[text] = float(logits.log_softmax(-1)[torch.arange(1, words + 1), list(text)].sum().exp())
    total = sum(found.values())
    return {text: p / total for text, p in found.items()}


def test_draws_have_the_probabilities_of_the_product_among_legal_texts():
    support, rows = Support(LITTLE, 6), 10_000
    logits = torch.randn(6, 7, generator=generator())
    ids, fixed = blank(rows, 4)
    drawn = support.draw(logits.expand(rows, -1, -1), ids, fixed, RowDraws.seeded(0, rows))[:, 1:-1]
    texts, counts = drawn.unique(dim=0, return_counts=True)
    found = {tuple(text): count / rows for text, count in zip(texts.tolist(), counts.tolist(), strict=True)}
    expected = every_text(logits, 4)
    assert found.keys() <= expected.keys()
    assert len(expected) > 10
    for text, p in expected.items():
        assert found.get(text, 0) == pytest.approx(p, abs=5 * (p / rows) ** 0.5 + 1e-4)


def test_what_is_not_allowed_is_left_out_of_the_joint_distribution():
    """Where the last token must be b, the one before must be an a: as if texts with others were not there."""
    support, rows = Support(LITTLE, 6), 10_000
    logits = torch.randn(6, 7, generator=generator(3))
    logits[4, 4:6] = -torch.inf
    logits[1, 4] = -torch.inf
    ids, fixed = blank(rows, 4)
    drawn = support.draw(logits.expand(rows, -1, -1), ids, fixed, RowDraws.seeded(0, rows))[:, 1:-1]
    texts, counts = drawn.unique(dim=0, return_counts=True)
    found = {tuple(text): count / rows for text, count in zip(texts.tolist(), counts.tolist(), strict=True)}
    expected = {text: p for text, p in every_text(logits, 4).items() if p}
    assert found.keys() <= expected.keys()
    assert {text[3] for text in expected} == {6}
    for text, p in expected.items():
        assert found.get(text, 0) == pytest.approx(p, abs=5 * (p / rows) ** 0.5 + 1e-4)
    never = logits.clone()
    never[3, 4:6] = -torch.inf  # b after b
    with pytest.raises(DiffmidiError, match="allow more"):
        support.draw(never.expand(1, -1, -1), ids[:1], fixed[:1], RowDraws.seeded(0, 1))


def test_the_legal_argmax_is_the_most_probable_legal_text():
    support = Support(LITTLE, 7)
    for seed in range(20):
        logits = 2 * torch.randn(7, 7, generator=generator(seed))
        ids, fixed = blank(1, 5)
        expected = every_text(logits, 5)
        assert tuple(support.legal_argmax(logits[None], ids, fixed)[0, 1:-1].tolist()) == max(
            expected, key=expected.get
        )


def test_only_wanted_words_are_drawn():
    support = Support(LITTLE, 6)
    ids, fixed = blank(2, 4)
    wanted = torch.zeros_like(fixed)
    wanted[0, 2] = True
    text = support.draw(torch.zeros(2, 6, 7), ids, fixed, RowDraws.seeded(0, 2), wanted=wanted)
    assert (text != ids).nonzero().tolist() == [[0, 2]]


def test_the_nucleus_is_within_a_type_and_leaves_a_way_through():
    support = Support(LITTLE, 6)
    ids, fixed = blank(500, 4)
    logits = torch.tensor([0, 0, 0, 0, 3.0, 2.0, -9.0]).expand(500, 6, -1)
    text = support.draw(logits, ids, fixed, RowDraws.seeded(0, 500), top_p=0.5)[:, 1:-1]
    assert set(text.unique().tolist()) == {4, 6}
    assert (text[:, -1] == 6).all()


def test_kept_words_that_no_text_can_hold_are_refused():
    ids, fixed = blank(1, 4)
    ids[0, 1], fixed[0, 1] = 6, True  # a text begins with a
    with pytest.raises(DiffmidiError, match="keep whole notes"):
        Support(LITTLE, 6).draw(torch.zeros(1, 6, 7), ids, fixed, RowDraws.seeded(0, 1))


def test_it_is_neither_saved_nor_trained():
    support = Support(LITTLE, 6)
    assert support.state_dict() == {}
    assert list(support.parameters()) == []


BY_TURNS = Grammar(
    types=("special", "a", "b"),
    type_of=np.array([0, 0, 0, 0, 2, 1, 1, 2]),  # a: 5, 6; b: 4, 7; a and b by turns
    next_state=np.array([[-1, 1, -1], [-1, -1, 0]]),
)


def test_one_type_a_position_draws_among_its_tokens():
    support, rows = Support(BY_TURNS, 6), 20_000
    logits = torch.randn(6, 8, generator=generator())
    ids, fixed = blank(rows, 4)
    drawn = support.draw(logits.expand(rows, -1, -1), ids, fixed, RowDraws.seeded(0, rows))
    for place, tokens in enumerate([(5, 6), (4, 7), (5, 6), (4, 7)], start=1):
        p = logits[place, list(tokens)].softmax(-1)
        assert set(drawn[:, place].unique().tolist()) == set(tokens)
        assert float((drawn[:, place] == tokens[0]).float().mean()) == pytest.approx(float(p[0]), abs=0.02)
    best = support.legal_argmax(logits[None], ids[:1], fixed[:1])[0, 1:-1]
    assert best.tolist() == [
        max(tokens, key=lambda token: logits[place, token])
        for place, tokens in enumerate([(5, 6), (4, 7), (5, 6), (4, 7)], start=1)
    ]


@pytest.mark.parametrize("one", [0, 1])
def test_one_type_a_position_refuses_what_cannot_stand(one):
    """A token of another type, fixed; and a position of which all tokens are left out."""
    ids, fixed = blank(1, 4)
    logits = torch.zeros(1, 6, 8)
    if one:
        ids[0, 2], fixed[0, 2] = 5, True
    else:
        logits[0, 2, [4, 7]] = -torch.inf
    with pytest.raises(DiffmidiError, match="allow more"):
        Support(BY_TURNS, 6).draw(logits, ids, fixed, RowDraws.seeded(0, 1))


TWO_STARTS = Grammar(
    types=("special", "a", "b", "c"),
    type_of=np.array([0, 0, 0, 0, 1, 1, 2, 3]),
    # 0: a to 1; 1: a or b to 0, c to 2; 2: c to 1, b to 2
    next_state=np.array([[-1, 1, -1, -1], [-1, 0, 0, 2], [-1, -1, 2, 1]]),
    start=(0, 2),
    final=(0, 1),
)


def ways(text, state):
    for token in text:
        state = int(TWO_STARTS.next_state[state, TWO_STARTS.type_of[token]])
        if state < 0:
            return 0
    return int(state in TWO_STARTS.final)


@pytest.mark.parametrize("kept", [None, 2])
def test_of_several_starts_each_begins_texts_of_its_own(kept):
    """Against every text there is: one that two starts allow is drawn twice as often."""
    support, rows = Support(TWO_STARTS, 6), 20_000
    logits = torch.randn(6, 8, generator=generator(4))
    ids, fixed = blank(rows, 4)
    if kept is not None:
        ids[:, kept], fixed[:, kept] = 7, True
    expected = {}
    for text in itertools.product(range(4, 8), repeat=4):
        count = sum(ways(text, state) for state in TWO_STARTS.start)
        if count and (kept is None or text[kept - 1] == 7):
            p = logits.softmax(-1)[torch.arange(1, 5), list(text)]
            expected[text] = count * float(p[[place for place in range(4) if place + 1 != kept]].prod())
    total = sum(expected.values())
    drawn = support.draw(logits.expand(rows, -1, -1), ids, fixed, RowDraws.seeded(0, rows))[:, 1:-1]
    texts, counts = drawn.unique(dim=0, return_counts=True)
    found = {tuple(text): count / rows for text, count in zip(texts.tolist(), counts.tolist(), strict=True)}
    assert found.keys() <= expected.keys()
    assert len(expected) > 8
    for text, weight in expected.items():
        p = weight / total
        assert found.get(text, 0) == pytest.approx(p, abs=5 * (p / rows) ** 0.5 + 1e-4)
