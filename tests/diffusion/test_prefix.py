"""Parallel prefixes against walking position by position."""

from __future__ import annotations

import pytest
import torch

from diffmidi_core.diffusion import prefix

LENGTHS = [1, 2, 3, 5, 8, 13, 130]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def log_weights(length):
    """[2, L, 3, 3] of which a third is −inf."""
    steps = 5 * torch.randn(2, length, 3, 3, generator=generator(), dtype=torch.float64)
    return steps.masked_fill(torch.rand(steps.shape, generator=generator(1)) < 0.3, -torch.inf)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("product", [prefix.log_sum_product, prefix.max_product, prefix.any_product])
def test_what_follows_is_the_product_of_all_that_comes_later(length, product):
    steps, end = log_weights(length), torch.zeros(2, 3, dtype=torch.float64)
    if product is prefix.any_product:
        steps, end = steps.isfinite().double(), torch.ones_like(end)
    levels = prefix.tree(steps, product)
    later = prefix.following(levels, end, product)
    assert len(levels) <= 2 + length.bit_length()
    behind = end
    for place in reversed(range(length)):
        torch.testing.assert_close(later[:, place], behind)
        behind = product(steps[:, place], behind[..., None])[..., 0]
    torch.testing.assert_close(product(levels[-1][:, 0], end[..., None])[..., 0], behind)


def test_sums_over_all_ways_are_those_of_probabilities():
    steps = log_weights(6)
    expected = steps[:, 0].exp()
    for place in range(1, 6):
        expected = expected @ steps[:, place].exp()
    torch.testing.assert_close(prefix.tree(steps, prefix.log_sum_product)[-1][:, 0].exp(), expected)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_walk_goes_where_each_map_leads(length):
    maps = torch.randint(0, 4, (2, length, 4), generator=generator())
    start = torch.tensor([[0, 3], [2, 1]])
    found = prefix.walked(maps, start)
    at = start
    for place in range(length):
        assert torch.equal(found[:, place], at)
        at = maps[:, place].gather(-1, at)
    assert torch.equal(found[:, length], at)
