"""Corruption: draws as its probabilities say, and posteriors that brute force over all chains gives too."""

import itertools

import pytest
import torch

from diffmidi.api.process import Corruption

F64 = torch.float64
NOISES = {
    "mask": torch.tensor([0.0, 0, 0, 1, 0]),
    "uniform": torch.full((5,), 0.2),
    "by position": torch.tensor([[0.5, 0.5, 0, 0, 0], [0, 0, 0.2, 0.3, 0.5]]),
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def matrix(noise, m):
    """[5, 5] q(column | row)."""
    return (1 - m) * torch.eye(5, dtype=F64) + m * noise.double().expand(5, -1)


def rows_of(noise):
    return noise.expand(2, -1) if noise.ndim == 1 else noise


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_draws_come_as_often_as_their_probabilities(noise):
    corruption, count, source = Corruption(noise), 40_000, generator()
    ids = torch.tensor([[1, 4]]).expand(count, -1)
    m = torch.full((count,), 0.3)
    z = corruption.draw(ids, m, lambda: torch.rand(count, 2, generator=source))
    for place in range(2):
        shares = torch.bincount(z[:, place], minlength=5).double() / count
        torch.testing.assert_close(shares, matrix(rows_of(noise)[place], 0.3)[ids[0, place]], rtol=0, atol=0.01)
    every = torch.arange(5)[:, None].expand(-1, 2)
    found = corruption.log_probability(every, ids[:5], m[:5]).exp()  # [5, 2]
    for place in range(2):
        expected = matrix(rows_of(noise)[place], 0.3)[ids[0, place]]
        torch.testing.assert_close(found[:, place].double(), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
def test_probabilities_of_what_there_was_are_those_of_each_token(noise):
    corruption, z, m = Corruption(noise), torch.tensor([[3, 4], [0, 2]]), torch.tensor([0.2, 0.9])
    together = corruption.log_probabilities(z, m)
    for token in range(5):
        torch.testing.assert_close(together[..., token], corruption.log_probability(z, torch.full((2, 2), token), m))


@pytest.mark.parametrize("noise", NOISES.values(), ids=NOISES)
@pytest.mark.parametrize(("before", "level"), [(0.2, 0.7), (0.0, 0.4), (0.3, 1.0)])
def test_the_posterior_is_that_of_all_chains(noise, before, level):
    """p(z_s | z_t) by summing q(z_s | w) q(z_t | z_s) p(w) over every w and z_s, w sure or not."""
    corruption = Corruption(noise)
    for place, token, z_t in itertools.product(range(2), range(5), range(5)):
        pi = rows_of(noise)[place]
        early, step = matrix(pi, before), matrix(pi, 1 - (1 - level) / (1 - before))
        for p in (torch.eye(5, dtype=F64)[token], torch.rand(5, generator=generator(token), dtype=F64)):
            p = p / p.sum()
            marginal = early @ step  # q(z_t | w)
            if ((marginal[:, z_t] == 0) & (p > 0)).any():
                continue  # p says what q excludes
            ratio = torch.where(p > 0, p / marginal[:, z_t], 0)
            expected = (ratio[:, None] * early).sum(0) * step[:, z_t]
            torch.testing.assert_close(float(expected.sum()), 1.0)
            z, odds = torch.full((1, 2), z_t), p.expand(1, 2, -1)
            found = corruption.posterior(z, torch.tensor([level]), torch.tensor([before]), odds)[0, place]
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
