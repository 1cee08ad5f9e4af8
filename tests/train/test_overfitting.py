"""Where the curves of training and held-out music part, on curves made by hand."""

import math

import numpy as np
import pytest

from diffmidi_core.train.overfitting import HELDOUT, TRAIN, Best, overfits_from


def log(heldout, trained_on=None, every=100):
    """Metrics lines of these looks, the untrained model's before them and a loss between each two."""
    trained_on = [5 - 0.1 * i for i in range(len(heldout))] if trained_on is None else trained_on
    lines = [{"step": 0, HELDOUT: 0.1, TRAIN: 0.1}]
    for index, (one, other) in enumerate(zip(heldout, trained_on, strict=True), 1):
        lines += [{"step": index * every - 1, "loss": 1.0}, {"step": index * every, HELDOUT: one, TRAIN: other}]
    return lines


def test_a_valley_parts_where_it_is_deepest():
    assert overfits_from(log([6, 5, 4, 3, 3.5, 4, 4.5, 5])) == 400


def test_the_steep_beginning_of_a_curve_does_not_hide_a_slight_rise():
    """A real one: a small model on a dozen pieces without any pattern."""
    real = [4.885, 3.663, 3.366, 3.031, 2.835, 2.678, 2.559, 2.481, 2.417, 2.371, 2.331, 2.296]
    real += [2.281, 2.263, 2.256, 2.245, 2.258, 2.273, 2.272, 2.271, 2.272, 2.272, 2.274, 2.272]
    assert overfits_from(log(real, every=50)) == 800


def test_a_curve_that_only_falls_does_not_part():
    assert overfits_from(log([6, 5, 4.4, 4, 3.8, 3.7])) is None


def test_a_rise_among_noise_counts_where_it_is_larger():
    flat = 4 + 0.05 * np.random.default_rng(1).standard_normal(40)
    rising = np.maximum(0, np.arange(40) - 20)
    assert overfits_from(log(flat)) is None
    assert overfits_from(log(flat + 0.005 * rising)) is None
    assert 0 < overfits_from(log(flat + 0.05 * rising)) <= 2300


@pytest.mark.parametrize("count", [5, 10, 40])
@pytest.mark.parametrize("falls", [0, 2])
def test_noise_alone_seldom_parts(count, falls):
    """Curves that end flat, with 200 seeds of noise."""
    curve = 3 + falls * np.exp(-np.arange(count) / count * 5)
    found = [
        overfits_from(log(curve + 0.02 * np.random.default_rng(seed).standard_normal(count))) is not None
        for seed in range(200)
    ]
    assert np.mean(found) < 0.06


def test_a_run_that_breaks_does_not_overfit():
    assert overfits_from(log([6, 5, 4, 3, 3.5, 4, 4.5, 5], [6, 5, 4, 3, 3.5, 4, 4.5, 5])) is None


@pytest.mark.parametrize("heldout", [[], [4], [3, 5], [4, 3, 5], [4, 3, 5, 7]])
def test_too_few_looks_say_nothing(heldout):
    assert overfits_from(log(heldout)) is None


def test_a_bound_that_is_no_number_says_nothing():
    assert overfits_from(log([6, 5, 4, 3, 3.5, math.nan, 4.5, 5])) is None


def test_the_best_look_is_the_lowest_and_never_the_untrained_models():
    best = Best()
    assert [best.update(step, bound) for step, bound in [(0, 1.0), (10, 5.0), (20, 4.0), (30, 4.0), (40, 4.5)]] == [
        False,
        True,
        True,
        False,
        False,
    ]
    assert (best.step, best.bound, best.looks_since) == (20, 4.0, 2)
    assert [best.exhausted(patience) for patience in (0, 1, 2, 3)] == [False, True, True, False]


def test_what_is_no_number_is_not_the_best():
    best = Best()
    assert not best.update(10, math.nan)
    assert (best.step, best.looks_since) == (None, 1)


def test_the_best_survives_a_manifest():
    best = Best(20, 4.0, 2, 0.1)
    assert Best.of(best.state()) == best
    assert Best.of(Best().state()) == Best()
