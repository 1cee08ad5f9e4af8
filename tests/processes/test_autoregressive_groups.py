"""Process `autoregressive` over groups of tokens: exact, from the past alone, with a plan and without."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from diffmidi.api import DiffmidiError
from diffmidi.api.sampler import RowDraws
from diffmidi.api.tokenizer import Grammar
from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.registry import find
from diffmidi_core.testing.surroundings import smallest, toy_batch
from tests.plan import TOKENIZER, all_windows, batch_of, text

BACKBONES = ["bert", "modern"]


def build(tokenizer=TOKENIZER, backbone="modern", *, length=80, **options):
    offer = find("process", "autoregressive")
    chosen = offer.options({"init_std": 1.0, "neighbours": 2, **options})
    places = offer.implementation().positions(chosen, tokenizer, length, 4)
    torch.manual_seed(0)
    context = {
        "tokenizer": tokenizer,
        "backbone": smallest("backbone", backbone, length=places),
        "schedule": smallest("schedule", "loglinear"),
    }
    return offer.build(chosen, **context).eval()


class Pairs:
    """Groups of a note 4 or 5 and its length 6, 7 or 8; `x` may stand in place of both."""

    group, plan = 2, frozenset()
    vocab = ("[PAD]", "[CLS]", "[SEP]", "[MASK]", "a0", "a1", "b0", "b1", "b2")
    grammar = Grammar(
        ("special", "a", "b"), np.array([0, 0, 0, 0, 1, 1, 2, 2, 2]), np.array([[-1, 1, -1], [-1, -1, 0]])
    )


def bits(process, batch):
    with torch.no_grad():
        return process.bound(batch, torch.Generator())


def total(process, texts):
    """What the probabilities of all texts add up to."""
    rows = sorted(map(tuple, texts), key=len)
    found = [bits(process, batch_of(list(some))).bits for _, some in itertools.groupby(rows, key=len)]
    return float((-torch.cat(found).double() * math.log(2)).exp().sum())


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("typed", [True, False])
def test_all_texts_of_groups_have_probability_one_together(backbone, typed):
    process = build(Pairs, backbone, length=4, typed=typed)
    assert process.backbone.length == 2
    each = [(4, 5), (6, 7, 8)] if typed else [range(4, 9)] * 2
    assert total(process, itertools.product(*each, *each)) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("tracks", [("left",), ("left", "right")])
def test_all_windows_of_a_plan_have_probability_one_together(tracks):
    assert total(build(), all_windows(tracks)) == pytest.approx(1, abs=1e-4)


def test_what_the_plan_knows_costs_nothing():
    batch = batch_of([text("bar3 q1 left c1 t2 p0 v d1 and q= right c2 t0 p0 v d1 t1 p1 v d2")])
    found = bits(build(), batch).terms["tokens"][0] > 0
    words = [TOKENIZER.vocab[token] for token, costs in zip(batch.ids[0], found, strict=True) if costs]
    assert words == ["bar3", "q1", "c1", "t2", "p0", "d1", "c2", "t0", "p0", "d1", "t1", "p1", "d2"]
    with pytest.raises(DiffmidiError, match="does not allow"):
        bits(build(), batch_of([text("bar2 q1 left c2 t1 p0 v d1 t1 p0 v d1")]))


LONG = "bar3 q1 left c1 t2 p0 v d1 and q= right c2 t0 p0 v d1 t1 p1 v d2 bar2 q2 left c0 and q= right c1 t0 p1 v d1"


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("notes", [True, False])
def test_no_token_is_seen_before_its_turn(backbone, notes):
    tokenizer = find("tokenizer", "mmm").build({"layout": "aligned"})
    for process, batch in (
        (build(tokenizer, backbone, notes=notes), toy_batch(tokenizer)),
        (build(backbone=backbone), batch_of([text(LONG)])),
    ):
        types = None if process.plan_next is None else process.plan_next.plan.types(batch.ids)
        with torch.no_grad():
            places = batch.places(types)
            before = process.predict(batch.ids, places)
            for place in range(1, batch.ids.shape[1] - 1):
                other = batch.ids.clone()
                other[:, place] = 5 + (other[:, place] == 5)
                after = process.predict(other, places)
                torch.testing.assert_close(after[:, : place + 1], before[:, : place + 1], rtol=0, atol=1e-5)
                if place + 2 < batch.ids.shape[1]:
                    assert not torch.allclose(after[:, place + 1], before[:, place + 1], atol=1e-4)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("words", [LONG, None])
def test_what_is_kept_between_tokens_changes_nothing(backbone, words):
    tokenizer = TOKENIZER if words else find("tokenizer", "mmm").build({"layout": "aligned"})
    process = build(tokenizer, backbone)
    batch = batch_of([text(words)] * 2) if words else toy_batch(tokenizer, 2)
    places = process.placed(batch.places(), batch.ids)
    with torch.no_grad():
        whole, past = process.predict(batch.ids, places), None
        for place in (1, 2, 3, 4, 5, 9, 10, *range(15, batch.ids.shape[1] - 1)):
            seen = batch.ids[:, : place + 1].clone()
            seen[:, place] = tokenizer.mask_id
            found, past = process.predict_next(seen, places.until(place + 1), past)
            torch.testing.assert_close(found, whole[:, place], rtol=1e-4, atol=1e-4)
            again = process.predict(seen, places.until(place + 1))[:, place]
            torch.testing.assert_close(again, whole[:, place], rtol=1e-4, atol=1e-4)


def canvas_of(words, rows):
    ids = torch.tensor([[1, *text(words), 2]] * rows)
    return Canvas.of(ids, ids != 3)


def draw(process, canvas, seed=0, **options):
    sampler, draws = find("sampler", "autoregressive").build(options), RowDraws.seeded(seed, len(canvas.ids))
    return sampler.sample(process, canvas, steps=40, draws=draws).ids


@pytest.mark.parametrize("backbone", BACKBONES)
def test_notes_come_as_often_as_the_likelihood_says(backbone):
    """All ways to fill a cell of two notes: drawn as often as their probabilities say, and never past the bar."""
    process, rows = build(backbone=backbone), 4000
    canvas = canvas_of("bar2 q1 left c2 ? ? v ? ? ? v ?", rows)
    drawn, counts = np.unique(draw(process, canvas).numpy(), axis=0, return_counts=True)
    every = [
        each for each in all_windows() if [TOKENIZER.vocab[id_] for id_ in each[:4]] == ["bar2", "q1", "left", "c2"]
    ]
    terms = bits(process, batch_of(every)).terms["tokens"][:, 5:].sum(-1)
    expected = dict(zip(map(tuple, every), (-terms.double() * math.log(2)).exp().tolist(), strict=True))
    assert sum(expected.values()) == pytest.approx(1, abs=1e-4)
    found = {tuple(row[1:-1]): count / rows for row, count in zip(drawn, counts, strict=True)}
    assert set(found) <= set(expected)
    for words, share in expected.items():
        assert found.get(words, 0) == pytest.approx(share, abs=4 * math.sqrt(share / rows) + 2e-3)


def test_time_is_left_for_the_notes_that_are_kept():
    process = build()
    found = draw(process, canvas_of("bar3 q1 left c2 ? p0 v d1 t2 p0 v d1", 20))
    assert (found[:, 5] == TOKENIZER.to_ids(["t0"])[0]).all()
    with pytest.raises(DiffmidiError, match="leaves no token that can stand there"):
        draw(process, canvas_of("bar2 q1 left c2 ? p0 v d1 t2 p0 v d1", 2))


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_piece_is_the_same_whatever_is_drawn_beside_it(backbone):
    process = build(backbone=backbone)
    canvas = canvas_of("bar3 ? left c2 ? ? v ? ? ? v ? and q= right c1 ? ? v ?", 3)
    together = draw(process, canvas)
    sampler = find("sampler", "autoregressive").build({})
    for row in range(3):
        alone = torch.arange(3) == row
        draws = RowDraws.seeded(0, 3).some(alone)
        assert torch.equal(sampler.sample(process, canvas.rows(alone), steps=40, draws=draws).ids[0], together[row])


def test_rows_of_other_lengths_beside_it_cost_a_window_nothing():
    process = build()
    short, long = text("bar3 q1 left c1 t2 p0 v d1"), text(LONG)
    both = bits(process, batch_of([short, long])).bits
    torch.testing.assert_close(both, torch.stack([bits(process, batch_of([each])).bits[0] for each in (short, long)]))


def test_it_learns_a_fixed_plan():
    process = build(init_std=0.02).train()
    batch = batch_of([text(LONG), text("bar3 q1 left c1 t2 p0 v d1")])
    optimiser = torch.optim.Adam(process.parameters(), lr=1e-2)
    before = float(bits(process.eval(), batch).bits.sum())
    for _ in range(30):
        optimiser.zero_grad()
        process(batch, torch.Generator())["loss"].backward()
        optimiser.step()
    assert all(each.grad is not None for each in process.parameters())
    assert float(bits(process.eval(), batch).bits.sum()) < 0.5 * before
