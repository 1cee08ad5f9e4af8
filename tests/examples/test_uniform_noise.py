"""examples/uniform-noise: a process and a sampler of another package, by what `diffmidi.api` offers alone."""

import itertools
import math

import numpy as np
import pytest
import torch

from diffmidi.api.process import Batch
from diffmidi.api.sampler import Canvas, RowDraws
from diffmidi.api.tokenizer import Grammar
from diffmidi_core.registry import find, offers
from diffmidi_core.testing.component import checks_for, failures
from diffmidi_core.testing.surroundings import context_of, smallest, toy_batch

PARTS = [("process", "uniform"), ("sampler", "uniform_ancestral")]
LITTLE = Grammar(
    types=("special", "a", "b"),
    type_of=np.array([0, 0, 0, 0, 1, 1, 2]),
    # Any number of pairs a b, or a alone: state 1 has read an a.
    next_state=np.array([[-1, 1, -1], [-1, 1, 0]]),
    final=(0, 1),
)


@pytest.fixture(autouse=True)
def installed(install_example):
    install_example("uniform-noise")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_it_passes_every_check(kind, name):
    assert [each.origin for each in offers(kind) if each.name == name] == ["diffmidi-uniform-noise 0.1.0"]
    told = list(failures(find(kind, name)))
    assert len(told) == len(checks_for(kind))
    assert [(check, str(error)) for check, error in told if error is not None] == []


class Words:
    """A tokenizer of three tokens under a little grammar."""

    pad_id, cls_id, sep_id, mask_id = range(4)
    vocab = ("[PAD]", "[CLS]", "[SEP]", "[MASK]", "a1", "a2", "b")
    grammar = LITTLE
    group = 1
    plan = frozenset()


def little(steps=4):
    """A process of windows of two tokens, with a network that is not sure of anything."""
    parts = context_of("process") | {"tokenizer": Words(), "backbone": smallest("backbone", "bert", length=4)}
    torch.manual_seed(0)
    return find("process", "uniform").build({"steps": steps, "time_width": 16}, **parts).eval()


def chains(process, tokens):
    """Every way through the levels that two tokens can go, and its probability under q: [T + 1] states each."""
    pi, levels = process.corruption.noise[1:3].double(), process.levels.double()
    states = [range(7)] * 2

    def step(place, start, end, i):
        m = 1 - (1 - levels[i]) / (1 - levels[i - 1])
        return float((1 - m) * (start == end) + m * pi[place, end])

    ways = [((tuple(tokens),), 1.0)]
    for i in range(1, len(levels)):
        ways = [
            ((*way, z), p * math.prod(step(place, way[-1][place], z[place], i) for place in range(2)))
            for way, p in ways
            for z in itertools.product(*states)
        ]
        ways = [(way, p) for way, p in ways if p > 0]
    return ways


def test_the_bound_is_that_of_all_chains():
    """E_q log q(z_1 ... z_T | w) − log p(z_T) Π p(z_{i−1} | z_i), summed over every chain, for three steps."""
    process = little(steps=3)
    tokens = (4, 6)
    ids = torch.tensor([[1, *tokens, 2]])
    batch = Batch(ids, None, torch.tensor([2]))
    pi = process.corruption.noise.double()
    reverse = {}
    for i in (1, 2, 3):
        for z in itertools.product(range(4, 7), repeat=2):
            shown = torch.tensor([[1, *z, 2]])
            with torch.no_grad():
                p = process.log_probabilities(process.denoise(shown, process.levels[[i]])).exp().double()
            odds = process.corruption.posterior(shown, process.levels[[i]], process.levels[[i - 1]], p)
            reverse[i, z] = odds[0, 1:3]
    expected = 0.0
    for way, q in chains(process, tokens):
        p = math.prod(float(pi[1 + place, way[-1][place]]) for place in range(2))
        for i in range(1, 4):
            p *= math.prod(float(reverse[i, way[i]][place, way[i - 1][place]]) for place in range(2))
        expected += q * math.log2(q / p)
    with torch.no_grad():
        bounds = process.bound(Batch(ids.expand(4000, -1), None, torch.full((4000,), 2)), generator()).bits
        some = process.bound(Batch(ids.expand(20_000, -1), None, torch.full((20_000,), 2)), generator(), levels=1).bits
        hundred = Batch(ids.expand(100, -1), None, torch.full((100,), 2))
        loss = torch.stack([process.loss(hundred, generator(seed))["loss"] for seed in range(40)])
    assert float(bounds.mean()) == pytest.approx(expected, abs=5 * float(bounds.std()) / 4000**0.5)
    assert float(some.mean()) == pytest.approx(expected, abs=5 * float(some.std()) / 20_000**0.5)
    without_prior = expected - float(process.bound(batch, generator()).terms["prior"].sum())
    assert 2 * float(loss.mean()) / math.log(2) == pytest.approx(without_prior, abs=10 * float(loss.std()) / 40**0.5)


def test_one_step_draws_what_a_sure_network_says_and_noise_is_typed():
    process = smallest("process", "uniform", **context_of("process")).eval()
    batch = toy_batch(process.tokenizer)
    z = process.corrupted(batch, torch.ones(len(batch.ids)), generator())
    kinds = torch.from_numpy(process.tokenizer.grammar.type_of)
    assert torch.equal(kinds[z], kinds[batch.ids]), "in layout `aligned` the place decides the type"
    assert (z != batch.ids)[batch.loss_mask()].float().mean() > 0.5


def test_samples_are_those_of_the_network_it_was_given():
    """With p(w | z) known by Bayes' rule from a distribution of texts, that distribution is what is sampled."""
    process = little()
    texts = {(4, 6): 0.5, (4, 5): 0.2, (5, 6): 0.3}
    every, odds = torch.tensor(list(texts)), torch.tensor(list(texts.values()))

    def denoise(z, m, places):
        framed = torch.cat([torch.ones(3, 1).long(), every, torch.full((3, 1), 2)], 1)
        log_q = process.corruption.log_probabilities(z, m)  # [B, L, V]
        each = torch.stack([log_q.gather(-1, text.expand(len(z), -1)[..., None]).squeeze(-1) for text in framed], 1)
        others = each[..., 1:3].sum(-1, keepdim=True) + odds.log()[:, None]  # [B, 3, 1]
        weight = others.expand(-1, -1, 4).softmax(1)
        found = torch.zeros(len(z), 4, 7)
        for number, text in enumerate(framed):
            found.scatter_add_(-1, text.expand(len(z), -1)[..., None], weight[:, number, :, None])
        return found.log()

    rows, steps = 4000, 60
    sampler, canvas = find("sampler", "uniform_ancestral").build(), Canvas.blank(rows, 2)
    found = sampler.sample(process, canvas, steps=steps, draws=RowDraws.seeded(0, rows), denoise=denoise).ids[:, 1:3]
    for text, p in texts.items():
        assert float((found == torch.tensor(text)).all(-1).float().mean()) == pytest.approx(p, abs=0.04)
