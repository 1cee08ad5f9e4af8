"""Which levels a bound is estimated at: where tokens are settled, of which the entropy is the measure."""

import math

import pytest
import torch

from diffmidi.api.process import Batch, GaussianLevels
from diffmidi_core.contracts.places import EVERYWHERE
from diffmidi_core.diffusion.bound import diffusion_bits, signal_to_noise, snr_drops
from diffmidi_core.diffusion.drawn_levels import (
    DEFENSIVE,
    UNIFORM,
    errors_without_context,
    interpolated,
    level_probabilities,
)
from diffmidi_core.registry import find

F64 = torch.float64
LEVELS = GaussianLevels.from_betas(find("schedule", "sqrt").build().betas(500))
START_STD = 0.05
SNR, DROPS = signal_to_noise(LEVELS, START_STD), snr_drops(LEVELS, START_STD)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def table_of(tokens, dim=6):
    return torch.randn(tokens, dim, generator=generator(2))


@pytest.fixture
def many(monkeypatch):
    """Of many tokens the mean is well known."""
    monkeypatch.setattr("diffmidi_core.diffusion.drawn_levels.SAMPLES", 4000)


@pytest.mark.usefixtures("many")
def test_what_is_charged_without_context_is_the_entropy_of_the_tokens():
    """Guo, Shamai & Verdú 2005: ½ ∫ M dγ, here of a half, a fourth and two eighths: 1.75 bits."""
    ids = torch.tensor([4, 5, 6, 7]).repeat_interleave(torch.tensor([4000, 2000, 1000, 1000]))
    errors = errors_without_context(SNR, table_of(8), ids, torch.tensor([0, 0, 0, 0, 1, 1, 1, 1]))
    bits = float((DROPS * errors).sum()) / (2 * math.log(2))
    assert bits == pytest.approx(1.75, rel=0.05)
    assert float(errors[0]) < 1e-6
    assert (errors.diff() > -0.05 * errors.max()).all()


@pytest.mark.usefixtures("many")
def test_a_type_that_is_known_is_half_the_entropy():
    """Four tokens that are as frequent, two of each of two types: one bit of two."""
    ids = torch.arange(4, 8).repeat(1000)
    bits = {}
    for name, types in (("one", [1, 1, 1, 1]), ("two", [1, 2, 1, 2])):
        errors = errors_without_context(SNR, table_of(8), ids, torch.tensor([0, 0, 0, 0, *types]))
        bits[name] = float((DROPS * errors).sum()) / (2 * math.log(2))
    assert bits["one"] == pytest.approx(2, rel=0.05)
    assert bits["two"] == pytest.approx(1, rel=0.05)


def test_types_that_do_not_stand_there_and_specials_are_no_matter():
    table, types = table_of(12), torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    ids = torch.tensor([4, 5, 5, 7])
    found = errors_without_context(SNR, table, ids, types)
    others = torch.cat([table[:4] * 9, table[4:8], table[8:] * 9])
    assert torch.equal(found, errors_without_context(SNR, others, torch.cat([ids, ids.new_tensor([1, 2, 2])]), types))
    assert not torch.equal(found, errors_without_context(SNR, table * 2, ids, types))


def test_tokens_that_leave_nothing_open_charge_nothing():
    one = torch.tensor([0, 0, 0, 0, 1])
    for ids in (torch.tensor([4, 4, 4]), torch.tensor([1, 2]), torch.zeros(0, dtype=torch.int64)):
        errors = errors_without_context(SNR, table_of(5), ids, one)
        assert errors.abs().max() < 1e-9
        p = level_probabilities(DROPS, torch.zeros_like(DROPS))
        torch.testing.assert_close(p.sum(), torch.ones((), dtype=F64))


@pytest.mark.usefixtures("many")
def test_a_large_vocabulary_is_judged_by_its_most_frequent_tokens(monkeypatch):
    monkeypatch.setattr("diffmidi_core.diffusion.drawn_levels.MOST", 3)
    table, types = table_of(40), torch.tensor([0] * 4 + [1] * 36)
    ids = torch.tensor([30, 31, 32]).repeat(1000)
    bits = float((DROPS * errors_without_context(SNR, table, ids, types)).sum()) / (2 * math.log(2))
    assert bits == pytest.approx(math.log2(3), rel=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_no_level_counts_for_much_more_than_its_weight_or_its_share(seed):
    p = level_probabilities(DROPS, torch.rand(500, generator=generator(seed), dtype=F64) ** 20)
    torch.testing.assert_close(p.sum(), torch.ones((), dtype=F64))
    assert (p >= UNIFORM / 500).all()
    assert (DROPS / p <= DROPS.sum() / DEFENSIVE).all()


def test_what_lies_between_the_points_of_a_grid_is_linear():
    grid, x = torch.linspace(-3, 2, 11, dtype=F64), torch.linspace(-3, 2, 57, dtype=F64)
    torch.testing.assert_close(interpolated(x, grid, 2 * grid + 1), 2 * x + 1)
    assert interpolated(torch.tensor([-9.0, 9.0], dtype=F64), grid, grid).tolist() == [-3, 2]


def test_a_bound_is_known_better_where_levels_follow_what_is_charged():
    """Of a denoiser that has learned how frequent tokens are, by 4 levels of 500."""
    table = table_of(20, dim=8).double() * 3
    ids = torch.randint(4, 20, (200, 30), generator=generator())
    errors = errors_without_context(SNR, table, ids.flatten(), torch.tensor([0] * 4 + [1] * 16))
    signal, variance = (each[:, None, None] for each in (LEVELS.alpha_bar, LEVELS.alpha_bar / SNR))

    def predict(x_t, t, places):
        at = (t * 500).round().long()
        logits = (signal[at].sqrt() * x_t @ table[4:].T - signal[at] * (table[4:] ** 2).sum(-1) / 2) / variance[at]
        return logits.softmax(-1) @ table[4:]

    def bits(thought):
        return diffusion_bits(LEVELS, START_STD, table[ids], EVERYWHERE, predict, generator(1), 4, thought)[0].mean(-1)

    evenly, followed = bits(None), bits(errors)
    assert float(followed.mean()) == pytest.approx(4, rel=0.05)
    assert float(followed.std()) < float(evenly.std()) / 2


def test_a_process_tells_its_errors_by_its_own_tokens(make_process):
    process = make_process(words=8, steps=200)
    ids = torch.randint(4, 12, (2, 20), generator=generator())
    mask = torch.ones_like(ids, dtype=torch.bool)
    mask[1, 10:] = False
    batch = Batch(ids, mask, mask.sum(1) - 2)
    errors = process.errors_without_context(batch)
    padded = ids.masked_fill(~mask, 0)
    assert errors.shape == (200,)
    assert torch.equal(errors, process.errors_without_context(Batch(padded, mask, batch.tokens)))
    assert not torch.equal(errors, process.errors_without_context(Batch(ids, None, batch.tokens)))
