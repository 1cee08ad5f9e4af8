"""Process `autoregressive`: probabilities that sum to one, from the past alone."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from diffmidi.api import DiffmidiError
from diffmidi.api.process import Batch
from diffmidi.api.tokenizer import Grammar
from diffmidi_core.registry import find
from diffmidi_core.testing.surroundings import context_of, smallest, toy_batch


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def build(tokenizer=None, **options):
    context = context_of("process") | ({} if tokenizer is None else {"tokenizer": tokenizer})
    torch.manual_seed(0)
    return find("process", "autoregressive").build({"init_std": 1.0, **options}, **context).eval()


class Few:
    """A tokenizer of words 4, 5 (`a`) and 6 (`b`), where `b` may only follow `a`."""

    group, plan = 1, frozenset()
    vocab = ("[PAD]", "[CLS]", "[SEP]", "[MASK]", "a0", "a1", "b")
    grammar = Grammar(("special", "a", "b"), np.array([0, 0, 0, 0, 1, 1, 2]), np.array([[-1, 1, -1], [-1, 1, 0]]))


def batch_of(texts):
    ids = torch.tensor([[1, *text, 2] for text in texts])
    return Batch(ids, None, torch.full((len(ids),), ids.shape[1] - 2))


def bits(process, batch, **more):
    with torch.no_grad():
        return process.bound(batch, generator(), **more)


@pytest.mark.parametrize("tied", [True, False])
def test_all_texts_of_a_length_have_probability_one_together(tied):
    for typed in (True, False):
        texts = list(itertools.product((4, 5, 6), repeat=4))
        if typed:
            texts = [text for text in texts if text[0] != 6 and (6, 6) not in itertools.pairwise(text)]
        process = build(Few, typed=typed, tied=tied)
        total = (-bits(process, batch_of(texts)).bits * math.log(2)).exp().sum()
        assert float(total) == pytest.approx(1, abs=1e-5)


def test_each_word_costs_what_the_network_says_of_it_given_those_before():
    process = build(Few)
    text = (5, 6, 4)
    found = bits(process, batch_of([text])).terms["tokens"][0]
    assert found[0] == found[-1] == 0
    for place in range(1, 4):
        with torch.no_grad():
            logits = process.predict(torch.tensor([[1, *text[: place - 1], 0]]))[0, -1]
        may = [4, 5] if place == 1 or text[place - 2] == 6 else [4, 5, 6]
        expected = -math.log2(float(logits[may].softmax(-1)[may.index(text[place - 1])]))
        assert float(found[place]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("backbone", ["bert", "electra", "modern"])
def test_no_word_is_seen_before_its_turn(backbone):
    process = smallest(
        "process", "autoregressive", **context_of("process") | {"backbone": smallest("backbone", backbone, length=24)}
    ).eval()
    batch = toy_batch(process.tokenizer)
    with torch.no_grad():
        before = process.predict(batch.ids)
        for place in (1, 5, batch.ids.shape[1] - 1):
            other = batch.ids.clone()
            other[:, place:] = 4
            after = process.predict(other)
            torch.testing.assert_close(after[:, : place + 1], before[:, : place + 1], rtol=0, atol=1e-5)
            if place + 1 < batch.ids.shape[1]:
                assert not torch.allclose(after[:, place + 1 :], before[:, place + 1 :], atol=1e-3)


def test_the_loss_is_the_bound_in_nats_per_word():
    process = build()
    batch = toy_batch(process.tokenizer)
    with torch.no_grad():
        loss = process.loss(batch, generator())["loss"]
    found = bits(process, batch, levels=3)
    assert float(loss) == pytest.approx(float(found.bits.sum() / found.tokens.sum()) * math.log(2), rel=1e-5)


@pytest.mark.parametrize("layout", ["aligned", "run"])
def test_typed_support_never_costs_a_word_more(layout):
    tokenizer = find("tokenizer", "mmm").build({"layout": layout})
    typed, free = build(tokenizer), build(tokenizer, typed=False)
    batch = toy_batch(tokenizer)
    fewer, more = (bits(process, batch).terms["tokens"] for process in (typed, free))
    assert (fewer <= more + 1e-4).all()
    assert fewer.sum() < more.sum() - 1


def test_words_that_the_grammar_does_not_allow_are_refused():
    illegal = batch_of([(4, 6, 6)])
    with pytest.raises(DiffmidiError, match="does not allow where they stand"):
        bits(build(Few), illegal)
    assert bits(build(Few, typed=False), illegal).bits.isfinite().all()


def test_it_learns_a_fixed_melody():
    process = build(init_std=0.02).train()
    batch = toy_batch(process.tokenizer)
    optimiser = torch.optim.Adam(process.parameters(), lr=1e-2)
    before = float(bits(process.eval(), batch).bits.sum())
    for _ in range(40):
        optimiser.zero_grad()
        process(batch, generator())["loss"].backward()
        optimiser.step()
    assert float(bits(process.eval(), batch).bits.sum()) < 0.5 * before
