"""Scales: what words can say, and that time is kept where they cannot say it."""

from __future__ import annotations

import numpy as np
import pytest

from diffmidi_tokenizers.scale import even, geometric

TENS = geometric(0, 800, 25)
"""8 seconds in steps of 10 ms."""


def test_a_geometric_scale_is_fine_first_and_half_as_fine_at_each_doubling() -> None:
    assert TENS.values.tolist() == [*range(51), *range(52, 101, 2), *range(104, 201, 4), *range(208, 401, 8),
                                    *range(416, 801, 16)]  # fmt: skip
    assert geometric(1, 7, 25).values.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert geometric(1, 9, 2).values.tolist() == [1, 2, 3, 4, 6, 8]
    assert even(1, 3).values.tolist() == [1, 2, 3]


@pytest.mark.parametrize("scale", [TENS, geometric(1, 3000, 10), even(0, 96), even(1, 1)])
def test_every_length_goes_to_its_neighbour(scale) -> None:
    lengths = np.arange(scale.values[0], scale.longest + 1)
    distance = np.abs(scale.values[:, None] - lengths)
    assert (np.abs(scale.nearest(lengths) - lengths) == distance.min(0)).all()
    below = scale.at_most(lengths)
    assert below.tolist() == [max(v for v in scale.values.tolist() if v <= length) for length in lengths.tolist()]
    assert scale.values[scale.word(below)].tolist() == below.tolist()
    assert (scale.at_most(scale.values) == scale.values).all()
    assert (scale.nearest(scale.values) == scale.values).all()


@pytest.mark.parametrize("seed", range(10))
def test_gaps_that_cannot_be_said_do_not_add_up(seed: int) -> None:
    random = np.random.default_rng(seed)
    gaps = np.rint(random.exponential(60, 2000)).astype(np.int64).clip(0, 800)
    kept = TENS.keep_time(gaps)
    assert np.isin(kept, TENS.values).all()
    assert (kept == gaps)[gaps <= 50].all()
    assert (np.abs(kept - gaps) < np.maximum(0.04 * gaps, 1)).all(), "always one of the two neighbours"
    assert np.abs((kept - gaps).cumsum()).max() <= 16
    assert (TENS.keep_time(kept) == kept).all()


def test_a_gap_longer_than_any_word_is_said_by_the_longest_and_a_last_one() -> None:
    gaps = np.array([800, 801, 803 + 1600, 1600])
    assert TENS.keep_time(gaps).tolist() == [800, 801, 2403, 1600]
    assert TENS.keep_time(np.array([800 + 51, 51, 51])).tolist() == [850, 52, 50]


def test_on_an_even_scale_nothing_changes() -> None:
    gaps = np.arange(300)
    assert even(0, 96).keep_time(gaps) is gaps
