"""The bound: exact where it can be known, never below the truth, and estimated without bias."""

import itertools
import math

import pytest
import torch

from diffmidi.api.process import Batch, GaussianLevels
from diffmidi_core.contracts.places import EVERYWHERE
from diffmidi_core.contracts.process import LEVEL_BINS
from diffmidi_core.diffusion.bound import diffusion_bits, marginal_variance, prior_bits, snr_drops, stratified
from diffmidi_core.registry import find

F64 = torch.float64


def levels_of(steps, schedule="sqrt"):
    return GaussianLevels.from_betas(find("schedule", schedule).build().betas(steps))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("schedule", ["sqrt", "linear", "cosine"])
@pytest.mark.parametrize("start_std", [0.01, 0.121, 1.0])
def test_snr_falls_at_every_level(schedule, start_std):
    levels = levels_of(2000, schedule)
    drops = snr_drops(levels, start_std)
    assert (drops > 0).all()
    last = levels.alpha_bar[-1] / marginal_variance(levels, start_std)[-1]
    assert float(drops.sum()) == pytest.approx(start_std**-2 - float(last))


def bayes(levels, start_std, embeddings):
    """The best estimate of an embedding when every row is equally likely, all positions apart."""
    variance, mean = marginal_variance(levels, start_std), levels.alpha_bar.sqrt()
    index = {float(t): i for i, t in enumerate(levels.times)}

    def predict(x_t, t, places):
        at = [index[float(each)] for each in t]
        m, v = mean[at][:, None, None, None], variance[at][:, None, None]
        distance = ((x_t[:, :, None] - m * embeddings) ** 2).sum(-1)  # [B, L, V]
        return (-distance / (2 * v)).softmax(-1) @ embeddings

    return predict


def test_the_best_denoiser_pays_the_entropy_of_the_words():
    """As T grows, the bound of the Bayes estimate tends to −log₂ p(w) itself: 2 bits for one word in four."""
    levels, start_std = levels_of(500), 0.05
    torch.manual_seed(0)
    embeddings = torch.randn(4, 6, dtype=F64)
    ids = torch.randint(4, (2000, 8))
    clean, mask = embeddings[ids], torch.ones_like(ids, dtype=torch.bool)
    best = bayes(levels, start_std, embeddings)
    bits, _ = diffusion_bits(levels, start_std, clean, EVERYWHERE, best, generator(), 16)
    bits = (bits + prior_bits(levels, start_std, clean, mask)).mean(-1)
    error = float(bits.std()) / math.sqrt(len(bits))
    assert error < 0.02
    assert float(bits.mean()) > 2 - 3 * error
    assert float(bits.mean()) < 2.1


def test_it_is_an_upper_bound_of_any_model(make_process):
    """Kraft: what a model says it pays for each of all possible windows, 2^−bits, cannot sum to more than 1."""
    process = make_process(words=2, steps=50, dim=8).double().eval()
    windows = torch.tensor(list(itertools.product((4, 5), repeat=3)))
    copies = 40
    batch = Batch(windows.repeat(copies, 1), None, torch.full((8 * copies,), 3))

    def mass(predict):
        process.predict = predict
        with torch.no_grad():
            bits = process.bound(batch, generator()).bits.view(copies, 8)
        return float((2 ** -bits.mean(0)).sum())

    best = bayes(process.levels, process.start_std, process.embeddings()[4:6].detach())
    assert 0.3 < mass(best) < 1
    assert mass(lambda x, t, places: best(x, t, places) + 0.1) < mass(best)
    knows = process.embed(batch.ids).detach()
    assert mass(lambda x, t, places: knows.repeat(len(x) // len(knows), 1, 1)) > 1  # the test can fail


def test_a_model_that_knows_the_words_pays_for_prior_and_rounding_alone(make_process):
    process = make_process(words=8, steps=40, dim=16, bound_prediction="raw").eval()
    ids = torch.randint(4, 12, (3, 5))
    batch = Batch(ids, None, torch.full((3,), 5))
    knows = process.embed(ids)
    process.denoise = lambda x, t, places=None: knows.repeat(len(x) // 3, 1, 1)
    with torch.no_grad():
        for levels in (None, 4):
            bound = process.bound(batch, generator(), levels=levels)
            assert not bound.terms["diffusion"].any()
            assert not bound.by_level.any()
            assert (bound.terms["prior"] > 0).all()
            assert (bound.terms["rounding"] > 0).all()
    torch.testing.assert_close(bound.bits, (bound.terms["prior"] + bound.terms["rounding"]).sum(-1))


def test_rounding_is_judged_on_embeddings_with_their_noise(make_process):
    process = make_process(words=8, start_std=0.5).eval()
    ids, seen, rounding = torch.randint(4, 12, (200, 5)), [], process.round
    process.round = lambda x: seen.append(x) or rounding(x)
    with torch.no_grad():
        process.bound(Batch(ids, None, torch.full((200,), 5)), generator(), levels=1)
    noise = seen[0] - process.embed(ids).detach()
    assert float(noise.std()) == pytest.approx(0.5, rel=0.02)
    assert abs(float(noise.mean())) < 0.02


@pytest.mark.parametrize("count", [1, 3, 8])
def test_each_level_is_drawn_as_often_as_its_probability_says(count):
    p = torch.rand(30, generator=generator(), dtype=F64) ** 4
    p /= p.sum()
    fine = 20_000
    index = stratified(p, count, (torch.arange(fine, dtype=F64) + 0.5) / fine)
    assert index.shape == (count, fine)
    share = torch.bincount(index.flatten(), minlength=30) / fine
    torch.testing.assert_close(share.double(), count * p, rtol=0, atol=2e-3)


@pytest.mark.parametrize("errors", ["no", "falling", "wrong"])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_estimate_is_unbiased(count, errors):
    """For errors that do not depend on the noise, the mean over the draws is the exact sum, in all and by level.

    So it is whatever is thought of the errors beforehand, be it nonsense.
    """
    levels, start_std = levels_of(40), 0.1
    clean = torch.randn(4000, 2, 3, generator=generator(3), dtype=F64)[:1].expand(4000, -1, -1)
    thought = {
        "no": None,
        "falling": torch.linspace(0, 1, 40, dtype=F64) ** 4,
        "wrong": torch.rand(40, generator=generator(), dtype=F64) ** 8,
    }[errors]

    def predict(x_t, t, places):  # some estimate whose error varies a lot with t and not with x_t
        return clean[:1] * (1 - t[:, None, None] ** 2) + torch.sin(9 * t)[:, None, None]

    exact, its = diffusion_bits(levels, start_std, clean[:1], EVERYWHERE, predict, generator(), None)
    exact = exact.sum(-1)
    bits, by_level = diffusion_bits(levels, start_std, clean, EVERYWHERE, predict, generator(), count, thought)
    estimates = bits.sum(-1)
    # Offsets are evenly spread over the rows, so that the mean over 4000 rows is nearly an integral.
    torch.testing.assert_close(estimates.mean(), exact[0], rtol=5e-3, atol=0)
    torch.testing.assert_close(by_level.mean(0), its[0], rtol=0.02, atol=5e-3 * float(exact))
    assert float(estimates.std()) > 0.01 * float(exact) / count


def test_as_many_levels_as_there_are_give_the_exact_sum():
    levels = levels_of(40)
    clean = torch.randn(2, 3, 4, generator=generator(3), dtype=F64)

    def predict(x_t, t, places):
        return torch.sin(9 * t)[:, None, None].expand_as(x_t)

    def bits(count):
        return diffusion_bits(levels, 0.1, clean, EVERYWHERE, predict, generator(), count)[0]

    for count in (40, 41, 1000):
        torch.testing.assert_close(bits(count), bits(None), rtol=0, atol=0)
    assert not torch.equal(bits(39), bits(None))


def test_the_estimate_of_a_model_agrees_with_the_exact_sum(make_process):
    process = make_process(words=8, steps=30).double().eval()
    ids = torch.randint(4, 12, (6, 5), generator=generator())
    batch = Batch(ids.repeat(60, 1), None, torch.full((360,), 5))
    with torch.no_grad():
        exact = process.bound(batch, generator(1)).bits
        estimate = process.bound(batch, generator(2), levels=4).bits
    error = math.sqrt(float(exact.var() + estimate.var()) / 360)
    assert abs(float(exact.mean() - estimate.mean())) < 3 * error
    assert error < 0.05 * float(exact.mean())


@pytest.mark.parametrize("levels", [None, 4])
@pytest.mark.parametrize("name", ["gaussian", "masked"])
def test_bits_by_level_are_those_of_the_bound(make_process, name, levels):
    process = make_process(name, words=8, **({"steps": 40} if name == "gaussian" else {})).eval()
    ids = torch.randint(4, 12, (6, 7), generator=generator())
    with torch.no_grad():
        bound = process.bound(Batch(ids, None, torch.full((6,), 5)), generator(), levels=levels)
    assert bound.by_level.shape == (6, LEVEL_BINS)
    torch.testing.assert_close(bound.by_level.sum(-1), bound.terms["diffusion"].sum(-1))


def test_bits_are_told_at_the_level_that_charges_them():
    """An estimate that is wrong in the noisiest fourth of the levels alone."""
    levels = levels_of(40)
    clean = torch.randn(2, 3, 4, generator=generator(3), dtype=F64)

    def predict(x_t, t, places):
        return clean.repeat(len(x_t) // 2, 1, 1) + (t >= 0.75)[:, None, None]

    _, by_level = diffusion_bits(levels, 0.1, clean, EVERYWHERE, predict, generator(), None)
    first = 3 * LEVEL_BINS // 4
    assert not by_level[:, :first].any()
    drops = snr_drops(levels, 0.1).view(LEVEL_BINS, -1).sum(-1)[first:]
    torch.testing.assert_close(by_level[:, first:], (drops * 12 / (2 * math.log(2))).expand(2, -1))


def test_chunks_change_nothing(make_process, monkeypatch):
    process = make_process(words=8, steps=30).double().eval()
    ids = torch.randint(4, 12, (3, 7))
    mask = torch.ones_like(ids, dtype=torch.bool)
    mask[1, 5:] = False
    batch = Batch(ids, mask, mask.sum(1))
    with torch.no_grad():
        whole = process.bound(batch, generator()).terms["diffusion"]
        monkeypatch.setattr("diffmidi_core.diffusion.bound.POSITIONS_AT_ONCE", 1)
        torch.testing.assert_close(process.bound(batch, generator()).terms["diffusion"], whole)


def test_padding_costs_nothing(make_process):
    process = make_process(words=8, steps=10).double().eval()
    ids = torch.randint(4, 12, (2, 6))
    mask = torch.ones_like(ids, dtype=torch.bool)
    mask[0, 4:] = False
    padded, other = ids.clone(), ids.clone()
    padded[0, 4:], other[0, 4:] = 0, 9
    words = mask.sum(1)
    with torch.no_grad():
        first, second, longer = (
            process.bound(batch, generator(), levels=3)
            for batch in (
                Batch(padded, mask, words),
                Batch(other, mask, words),
                Batch(other, None, words),
            )
        )
    for name in first.terms:
        torch.testing.assert_close(first.terms[name], second.terms[name])
        assert (longer.terms[name][0, 4:] != 0).all()
        assert not second.terms[name][0, 4:].any()
    assert first.tokens.tolist() == [4, 6]


def test_the_same_seed_gives_the_same_figure(make_process):
    process = make_process(words=8).eval()
    ids = torch.randint(4, 12, (2, 6))
    batch = Batch(ids, None, torch.full((2,), 6))
    with torch.no_grad():
        first, second, third = (process.bound(batch, generator(seed), levels=2).bits for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_draws_depend_on_the_embeddings_alone(make_process):
    """Two networks given one seed see the same noise: their difference is known better than either figure."""
    seen = []
    ids = torch.randint(4, 12, (2, 30), generator=generator())
    for init_std, bias in ((1.0, 0.0), (1.0, 5.0), (0.5, 0.0)):
        process = make_process(words=8, init_std=init_std, start_std=0.2, steps=500)
        process.predict = lambda x, t, places, bias=bias: seen.append((x, t)) or x * 0 + bias
        with torch.no_grad():
            process.bound(Batch(ids, None, torch.full((2,), 28)), generator(4), levels=3)
    (first, times), (second, other_times), (_, shorter) = seen
    assert torch.equal(times, other_times)
    assert torch.equal(first, second)
    assert not torch.equal(times, shorter)
