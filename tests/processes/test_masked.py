"""Process `masked`: its bound against the sum over all ways to hide words, its loss, and the typed support."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from diffmidi.api import DiffmidiError
from diffmidi.api.process import Batch
from diffmidi_core.registry import find
from diffmidi_core.testing.surroundings import context_of, toy_batch

from .learning import left_of_bound

WINDOW = [1, 5, 9, 6, 5, 2]
N = 4


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rows(count, ids=WINDOW):
    return Batch(torch.tensor([ids]).expand(count, -1), None, torch.full((count,), len(ids) - 2))


@pytest.fixture
def process(make_process):
    """A network whose answers depend much on what it sees."""
    found = make_process("masked", words=8, init_std=1.0, tied=False).eval()
    with torch.no_grad():
        found.tokens.matrix.mul_(50)
        found.tokens.bias += torch.randn(12, generator=generator())
    return found


def nats_by_subset(process):
    """−log p of the hidden words, for each way to hide some of the window's."""
    found = {}
    for size in range(1, N + 1):
        for subset in itertools.combinations(range(1, N + 1), size):
            z = torch.tensor([WINDOW])
            z[0, list(subset)] = 3
            with torch.no_grad():
                log_p = process.log_probabilities(process.denoise(z, torch.tensor([size / N])))
            found[subset] = -float(sum(log_p[0, place, WINDOW[place]] for place in subset))
    return found


def exact_bits(process):
    # The integral over m of m^(k-1) (1-m)^(N-k) is (k-1)! (N-k)! / N!.
    return sum(
        nats * math.factorial(len(subset) - 1) * math.factorial(N - len(subset)) / math.factorial(N) / math.log(2)
        for subset, nats in nats_by_subset(process).items()
    )


@pytest.mark.parametrize("levels", [None, 1, 3, 16])
def test_the_bound_is_the_sum_over_all_ways_to_hide_words(process, levels):
    with torch.no_grad():
        bits = process.bound(rows(4000), generator(), levels=levels).bits
    error = float(bits.std()) / len(bits) ** 0.5
    assert float(bits.mean()) == pytest.approx(exact_bits(process), abs=5 * error)
    assert error < 0.02 * exact_bits(process)


@pytest.mark.parametrize("name", ["sqrt", "linear", "cosine", "loglinear"])
def test_under_every_schedule_the_loss_has_the_bound_as_its_mean(make_process, name):
    """∫ −α'/(1 − α) m^k (1 − m)^(N−k) dt = (k − 1)! (N − k)! / N!, whatever α: the schedule cancels."""
    process = make_process("masked", schedule=name)
    edges = torch.linspace(0, 1, 200_001, dtype=torch.float64) ** 3  # finest where sqrt is steepest
    t = ((edges[1:] + edges[:-1]) / 2).clamp(min=2e-6)
    m, weight = process.hidden_share(t)
    for k in range(1, N + 1):
        found = float((weight * m**k * (1 - m) ** (N - k) * edges.diff()).sum())
        assert found == pytest.approx(math.factorial(k - 1) * math.factorial(N - k) / math.factorial(N), rel=0.01)


@pytest.mark.parametrize("name", ["sqrt", "loglinear"])
def test_the_loss_estimates_the_bound_in_nats_per_word(make_process, name):
    process = make_process("masked", schedule=name, init_std=1.0).eval()
    with torch.no_grad():
        loss = process.loss(rows(60_000), generator())["loss"]
    # Times below the least one are not trained on; there sqrt hides up to 2 % of the words, loglinear 0.1 %.
    assert float(loss) * N / math.log(2) == pytest.approx(exact_bits(process), rel=0.04)


def test_a_network_that_knows_the_words_pays_nothing(process):
    batch = rows(3)
    sure = process.oracle(batch.ids[:1])
    process.denoise = lambda z, m, places: sure(z, m).expand(len(z), -1, -1)
    for levels in (2, None):
        assert process.bound(batch, generator(), levels=levels).bits.tolist() == [0, 0, 0]


def test_bits_are_told_by_the_share_that_is_masked(process):
    """Four words: a fourth, a half, three fourths, or all of them are masked, each share at the end of its range."""
    batch = rows(2)
    bound = process.bound(batch, generator(), levels=None)
    charged = [5 * share - 1 for share in (1, 2, 3, 4)]
    assert bound.by_level.nonzero()[:, 1].unique().tolist() == charged
    torch.testing.assert_close(bound.by_level.sum(-1), bound.bits)


def test_times_are_spread_evenly_over_the_rows_of_a_step(process):
    seen = []
    share = process.hidden_share
    process.hidden_share = lambda t: seen.append(t) or share(t)
    process.loss(rows(10), generator())
    gaps = seen[0].sort().values.diff()
    assert float(gaps.min()) == pytest.approx(float(gaps.max()), rel=1e-3)


def test_as_many_levels_as_words_give_each_number_of_hidden_words_once(process):
    batch = rows(3)
    most = int(batch.tokens.max())

    def bits(levels):
        return process.bound(batch, generator(), levels=levels).terms["diffusion"]

    for levels in (most, most + 5):
        torch.testing.assert_close(bits(levels), bits(None), rtol=0, atol=0)


def test_specials_are_never_hidden_nor_said(process):
    seen = []
    denoise = process.denoise
    process.denoise = lambda z, m, places: seen.append(z) or denoise(z, m, places)
    ids = torch.tensor([[1, 5, 6, 2, 0, 0], WINDOW])
    batch = Batch(ids, ids != 0, torch.tensor([2, 4]))
    for seed in range(20):
        process.loss(batch, generator(seed))
    bits = process.bound(batch, generator(), levels=None).terms["diffusion"]
    assert all(torch.equal(each[:, :1], torch.ones_like(each[:, :1])) for each in seen)
    assert not bits[ids < 4].any()
    assert (bits[ids >= 4] > 0).all()
    log_p = process.log_probabilities(denoise(ids, torch.ones(2)))
    assert log_p[..., :4].exp().sum() == 0
    torch.testing.assert_close(log_p.exp().sum(-1), torch.ones(2, 6))


@pytest.fixture(params=[{"layout": "aligned"}, {"layout": "run"}], ids=str)
def typed_and_not(request):
    context = context_of("process") | {"tokenizer": find("tokenizer", "mmm").build(request.param)}
    offer = find("process", "masked")
    typed, free = (offer.build({"typed": typed}, **context).eval() for typed in (True, False))
    free.load_state_dict(typed.state_dict())
    return typed, free


def test_typed_support_never_costs_a_word_more(typed_and_not):
    typed, free = typed_and_not
    batch = toy_batch(typed.tokenizer)
    with torch.no_grad():
        bits, more = (each.bound(batch, generator(), levels=8).terms["diffusion"] for each in (typed, free))
    assert (bits <= more + 1e-5).all()
    assert bits.sum() < more.sum() - 1


def test_words_that_the_grammar_has_no_place_for_are_refused(typed_and_not):
    typed, free = typed_and_not
    batch = toy_batch(typed.tokenizer)
    shifted = Batch(batch.ids.clone(), batch.attention_mask, batch.tokens)
    velocity = int(np.flatnonzero(typed.tokenizer.grammar.type_of == 2)[0])
    shifted.ids[-1, 1] = velocity  # no window begins with a velocity
    with pytest.raises(DiffmidiError, match="begins inside a note"):
        typed.bound(shifted, generator(), levels=2)
    assert free.bound(shifted, generator(), levels=2).bits.isfinite().all()


def test_the_network_is_told_the_share_hidden_only_if_asked(make_process):
    z, m = torch.tensor([WINDOW, WINDOW]), torch.tensor([0.1, 0.9])
    told, blind = (make_process("masked", time=time).eval().denoise(z, m) for time in (True, False))
    assert not torch.allclose(told[0], told[1])
    assert torch.equal(blind[0], blind[1])
    hidden = torch.tensor([[1, 3, 3, 8, 3, 2, 0], [1, 4, 5, 6, 7, 2, 0]])
    assert make_process("masked").hidden_now(hidden).tolist() == [0.75, 0]


def test_it_learns_a_fixed_melody(make_process):
    assert left_of_bound(make_process("masked", words=8), rows(16)) < 0.7


def test_what_is_given_is_never_masked_and_costs_nothing(process):
    """Given the first and the last token, the bound is that of the two between them alone."""
    given = torch.tensor([[True, True, False, False, True, True]])
    batch = Batch(torch.tensor([WINDOW]), None, torch.tensor([N]), given=given)
    seen = []
    denoise = process.denoise

    def watched(z, m, *rest):
        seen.append((z.clone(), m.clone()))
        return denoise(z, m, *rest)

    process.denoise = watched
    with torch.no_grad():
        bits = sum(process.bound(batch, generator(seed)).terms["diffusion"] for seed in range(200))[0] / 200
    z, m = (torch.cat(each) for each in zip(*seen, strict=True))
    assert not (z.masked_select(given) == 3).any()
    assert torch.equal((z == 3).sum(-1) / N, m[:, 0] if m.dim() > 1 else m)
    assert bits[[1, 4]].tolist() == [0, 0]

    def nats(subset):
        hidden = torch.tensor([WINDOW])
        hidden[0, list(subset)] = 3
        with torch.no_grad():
            log_p = process.log_probabilities(denoise(hidden, torch.tensor([len(subset) / N])))
        return -float(sum(log_p[0, place, WINDOW[place]] for place in subset))

    exact = (0.5 * nats((2,)) + 0.5 * nats((3,)) + 0.5 * nats((2, 3))) / math.log(2)
    assert float(bits.sum()) == pytest.approx(exact, rel=0.05)
