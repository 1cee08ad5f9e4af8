"""The exact likelihood of masked models in a fixed order, against brute force and against the bound."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from diffmidi.api import DiffmidiError
from diffmidi.api.process import Batch
from diffmidi_core.diffusion.revealing import Windows, cheapest_order, counts_of, nats_in_order
from diffmidi_core.music.toy import toy_scores
from diffmidi_core.registry import find
from tests.plan import TOKENIZER, TYPES, WORDS, batch_of, text

from .test_parts import BATCH, WINDOWS, generator, made

ORDERS = [(), ("pitch", "duration", "time"), ("count", "bar", "time")]


@pytest.fixture
def words(make_process):
    """A network over three words without grammar, whose answers depend much on what it sees."""
    process = make_process("masked", words=3, init_std=1.0).eval()
    with torch.no_grad():
        process.tokens.matrix.mul_(50)
    return process


def rows(texts):
    ids = torch.tensor([[1, *each, 2] for each in texts])
    return Batch(ids, None, torch.full((len(ids),), ids.shape[1] - 2))


def one_by_one(process, ids):
    """Bits of each word, as it would be drawn from left to right."""
    found, z = [], torch.tensor([[1, *[3] * len(ids), 2]])
    for place, word in enumerate(ids, start=1):
        left = torch.tensor([(len(ids) - place + 1) / len(ids)])
        log_p = process.log_probabilities(process.denoise(z, left))
        found.append(-float(log_p[0, place, word]) / math.log(2))
        z[0, place] = word
    return found


def test_in_time_order_it_is_what_revealing_from_left_to_right_gives(words):
    texts = [[4, 5, 6, 4], [6, 6, 6, 5]]
    with torch.no_grad():
        found = words.likelihood(rows(texts)).terms["tokens"]
        expected = torch.tensor([[0, *one_by_one(words, each), 0] for each in texts])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_windows_of_a_length_have_probabilities_that_sum_to_one(words):
    with torch.no_grad():
        bits = words.likelihood(rows(itertools.product((4, 5, 6), repeat=4))).bits.double()
    assert float((2**-bits).sum()) == pytest.approx(1, abs=1e-4)
    assert float(bits.std()) > 0.5  # the test can fail: the network does not find all alike


def test_padding_and_neighbours_in_the_batch_change_nothing():
    process = made("bars")
    with torch.no_grad():
        together = process.likelihood(BATCH).bits
        alone = torch.cat([process.likelihood(batch_of([text(each)])).bits for each in WINDOWS])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


def in_turns(process, words, order):
    """Bits of a window of parts, each token of a part revealed by itself, by the network that draws."""
    ids = torch.from_numpy(text(words))
    types = torch.from_numpy(TOKENIZER.grammar.type_of)[ids]
    full = batch_of([ids])
    laid = process.laid(full.ids, full.places(torch.from_numpy(TOKENIZER.grammar.type_of)[full.ids]))
    part, drawn = laid.part[0].repeat_interleave(4), laid.drawn[0].flatten()
    turn = [order.index(TYPES[kind]) if TYPES[kind] in order else len(order) for kind in types.tolist()]
    total = 0.0
    for number in sorted(set(part.tolist())):
        stands = part <= number
        mine = [place for place in range(len(ids)) if part[place] == number and drawn[place]]
        z = ids.clone()
        z[mine] = 3
        for place in sorted(mine, key=lambda place: (turn[place], place)):
            row = torch.tensor([[1, *z[stands].tolist(), 2]])
            kinds = torch.nn.functional.pad(types[stands], (1, 1))[None]
            places = batch_of([z[stands]]).places(kinds)
            log_p = process.log_probabilities(process.denoise(row, torch.ones(1), places), kinds)
            at = int(stands[:place].sum()) + 1
            total -= float(log_p[0, at, ids[place]]) / math.log(2)
            z[place] = ids[place]
    return total


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("parts", ["bars", "none"])
def test_in_parts_it_is_what_drawing_part_by_part_gives(parts, order):
    process = made(parts)
    with torch.no_grad():
        found = process.likelihood(BATCH, order).bits.tolist()
        assert found == pytest.approx([in_turns(process, each, order) for each in WINDOWS], rel=1e-3)


def unruled(steps=2):
    """All windows of a bar of so many steps and one track, also those whose times are too long for it."""
    for tempo, count in itertools.product(WORDS["tempo"], range(3)):
        note = [f"{t} {p} v {d}" for t, p, d in itertools.product(WORDS["time"], WORDS["pitch"], WORDS["duration"])]
        for notes in itertools.product(note, repeat=count):
            yield text(" ".join([f"bar{steps} {tempo} left c{count}", *notes]))


@pytest.mark.parametrize("order", ORDERS)
def test_all_windows_of_a_plan_sum_to_one(order):
    process = made("bars")
    with torch.no_grad():
        bits = torch.cat([process.likelihood(batch_of(list(unruled(steps))), order).bits for steps in (2, 3)])
    assert float((2 ** -bits.double()).sum()) == pytest.approx(1, abs=1e-3)


def test_the_mean_over_all_orders_is_the_bound(words):
    """Hoogeboom et al. 2022, ARDM: so the exact likelihood in some order is no more than the bound."""
    texts = [[4, 5, 6]]
    batch = rows(texts)
    windows = words.windows(batch)
    found = []
    with torch.no_grad():
        for key in itertools.permutations(range(3)):
            rank = windows.ranks(torch.tensor([[0, *key, 0]]))
            found.append(float(nats_in_order(windows, rank, words.nats_at).sum()) / math.log(2))
        many = Batch(batch.ids.expand(20_000, -1), None, torch.full((20_000,), 3))
        bound = words.bound(many, generator(), levels=None).bits
    assert float(bound.mean()) == pytest.approx(np.mean(found), abs=5 * float(bound.std()) / 20_000**0.5)
    assert min(found) < float(bound.mean()) - 0.01


def test_the_cheapest_order_is_found_where_types_tell_each_other():
    """Type 2 costs nothing once type 1 is known, which costs the same anywhere; type 0 costs nothing before 2."""
    types = torch.tensor([[0, 1, 2, 0, 1, 2, 0, 0]])[:, [7, 0, 1, 2, 3, 4, 5, 7]]
    part = torch.tensor([[-1, 0, 0, 0, 0, 0, 0, -1]])
    places = batch_of([text(WINDOWS[2])]).places()
    windows = Windows(torch.arange(8)[None], part, counts_of(part), places)

    def nats(ids, hidden, share, places):
        kinds = types.expand_as(hidden)
        known = [((kinds == kind) & (part >= 0) & hidden).sum(-1, keepdim=True) == 0 for kind in range(3)]
        cost = torch.ones(hidden.shape)
        cost = torch.where((kinds == 2) & known[1], 0.0, cost)
        cost = torch.where((kinds == 0) & ~known[2], 0.0, cost)
        return cost.masked_fill(~hidden, 0)

    assert cheapest_order(windows, types, [[0, 1, 2]], nats, generator()) in ([0, 1, 2], [1, 0, 2])


def test_an_order_of_types_needs_types_that_are_known_before_the_tokens():
    tokenizer = find("tokenizer", "mmm").build({"layout": "run"})
    process, batch = made(tokenizer=tokenizer), batch_of([tokenizer.encode(toy_scores()["chords"])[:12]])
    assert process.order_of_types(batch, generator()) == ()
    with pytest.raises(DiffmidiError, match="cannot be revealed by type: take the order of the text"):
        process.likelihood(batch, ("pitch",))


def test_an_order_is_chosen_of_heads_and_of_notes():
    process = made("bars")
    with torch.no_grad():
        order = process.order_of_types(BATCH, generator())
    assert sorted(order) == sorted(["bar", "tempo", "count", "time", "pitch", "duration"])


def test_a_process_without_an_exact_likelihood_says_so(make_process):
    with pytest.raises(DiffmidiError, match="has a bound on its likelihood only"):
        make_process("gaussian").likelihood(rows([[4, 5, 6]]))


def test_types_that_there_are_not_are_named():
    with pytest.raises(DiffmidiError, match=r"no type 'pich' of tokens here\. There are: bar, tempo"):
        made("bars").likelihood(BATCH, ("pich",))
