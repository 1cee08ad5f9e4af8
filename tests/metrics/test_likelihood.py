"""Bits: values known by hand."""

import math

import numpy as np
import pytest

from diffmidi.api.metric import FEWEST, Sample, ratio_interval
from diffmidi_core.judge.rows import student
from diffmidi_core.registry import find


@pytest.fixture
def windows(window):
    """Two windows of 4 and 6 notes, 16 and 24 tokens: 102 and 200 bits."""
    return [
        window(4, prior=np.full(18, 1 / 18), diffusion=np.full(18, 5.0), rounding=np.full(18, 11 / 18)),
        window(6, prior=np.full(26, 2 / 26), diffusion=np.full(26, 150 / 26), rounding=np.full(26, 48 / 26)),
    ]


@pytest.mark.parametrize(
    ("name", "value", "unit"),
    [
        ("bound_bpw", 302 / 40, "bits per token"),
        ("bits_per_note", 302 / 10, "bits per note"),
        ("bits_per_second", 302 / (1.5 + 2.5), "bits per second"),
        ("rounding_bpw", 59 / 40, "bits per token"),
    ],
)
def test_bits_are_summed_over_all_windows_and_divided_once(figure, windows, name, value, unit):
    result = figure(name, windows)
    assert result.value == pytest.approx(value)
    assert (result.unit, result.count, result.of) == (unit, 2, "windows")
    assert result.note == ""


def test_the_standard_error_is_the_ratio_estimators(figure, windows):
    # residuals: 102 - 7.55*16 = -18.8 and 200 - 7.55*24 = 18.8; sqrt(2 * 2 * 18.8^2 / 1) / 40
    assert figure("bound_bpw", windows).error == pytest.approx(2 * 18.8 / 40)
    assert figure("bound_bpw", windows[:1]).error is None
    assert figure("bound_bpw", windows[:1]).interval is None


def test_bits_by_level_and_the_terms_beside_them_add_up_to_the_bound(figure, window):
    windows = [
        window(4, by_level=np.array([10.0, 80.0]), prior=np.full(18, 1 / 18), diffusion=np.full(18, 5.0)),
        window(6, by_level=np.array([50.0, 100.0]), prior=np.full(26, 2 / 26), diffusion=np.full(26, 150 / 26)),
    ]
    found = figure("bound_by_level", windows)
    assert {name: each.value for name, each in found.items()} == pytest.approx(
        {"0-50 %": 60 / 40, "50-100 %": 180 / 40, "prior": 3 / 40}
    )
    assert sum(each.value for each in found.values()) == pytest.approx(figure("bound_bpw", windows).value)


def test_a_process_that_tells_no_levels_has_no_bits_by_level(figure, windows):
    assert figure("bound_by_level", windows) is None


def held(count, *, trials=400):
    """How often the interval of `count` windows, bits by tokens, holds the true 3.4 bits a token.

    Windows of music differ by a fifth of their bits a token; one in five is the short end of a piece.
    """
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(trials):
        words = np.where(rng.random(count) < 0.2, rng.integers(20, 128, count), 128)
        pairs = np.stack([words * rng.gamma(25, 3.4 / 25, count), words], axis=1)
        low, high = ratio_interval(pairs[np.argsort(pairs[:, 0])])
        inside += low < 3.4 < high
    return inside / trials


@pytest.mark.parametrize("count", [FEWEST, 12, 24, 40])
def test_the_interval_is_where_the_truth_lies_19_times_in_20(count):
    assert held(count) == pytest.approx(0.95, abs=0.04)


def test_intervals_of_fewer_windows_would_leave_the_truth_out_too_often(figure, window):
    assert held(2) < 0.6
    assert held(FEWEST // 2) < 0.9
    rng = np.random.default_rng(0)
    windows = [window(1, diffusion=[0, *rng.exponential(2.0, 4), 0]) for _ in range(FEWEST)]
    few, enough = figure("bound_bpw", windows[1:]), figure("bound_bpw", windows)
    assert few.interval is None
    assert few.error > 0
    assert enough.interval[0] < enough.value < enough.interval[1]


def test_students_quantiles():
    for freedom, quantile in (
        (1, 12.7062),
        (2, 4.3027),
        (3, 3.1824),
        (4, 2.7764),
        (7, 2.3646),
        (19, 2.093),
        (1000, 1.9623),
    ):
        assert student(freedom) == pytest.approx(quantile, rel=2e-3)


def test_bits_by_type_are_those_of_the_tokens_of_the_type(figure, window):
    bits = [7.0, *[0.5, 4.0, 2.0, 1.0] * 2, 9.0]  # [CLS], t p v d twice, [SEP]
    found = figure("bits_by_type", [window(2, diffusion=bits), window(1, diffusion=[1, 1.5, 1, 2, 1, 1])])
    values = {name: each.value for name, each in found.items()}
    assert values == {
        "pitch": pytest.approx(9 / 3),
        "velocity": pytest.approx(6 / 3),
        "duration": pytest.approx(3 / 3),
        "shift": pytest.approx(2.5 / 3),
        "special": pytest.approx(18 / 4),
    }
    assert found["pitch"].unit == "bits per pitch token"


def test_bits_by_type_add_up_to_the_bound(figure, window):
    rng = np.random.default_rng(1)
    windows = [window(n, prior=rng.random(4 * n + 2), rounding=rng.random(4 * n + 2)) for n in (3, 5)]
    found = figure("bits_by_type", windows)
    words = {"special": 4, **dict.fromkeys(("pitch", "velocity", "duration", "shift"), 8)}
    total = sum(each.value * words[name] for name, each in found.items())
    assert total == pytest.approx(figure("bound_bpw", windows).value * 32)


@pytest.mark.parametrize("name", ["bound_bpw", "rounding_bpw", "bits_per_note"])
def test_a_figure_too_good_for_music_says_why_it_is_none(figure, window, name):
    assert figure(name, [window(8, rounding=np.full(34, 0.001))]).note != ""


def test_no_windows_and_no_rounding_term_give_no_figure(figure, window):
    assert figure("bound_bpw", []) is None
    assert figure("rounding_bpw", [window(2, diffusion=np.ones(10))]) is None


def test_windows_without_time_or_notes_do_not_spoil_the_sum(figure, window):
    assert figure("bits_per_second", [window(1, diffusion=np.ones(6))]) is None
    result = figure("bits_per_second", [window(0, diffusion=np.ones(2)), window(3, diffusion=np.ones(14))])
    assert math.isclose(result.value, 16 / 1.0)


def test_a_metric_refuses_what_it_does_not_measure():
    with pytest.raises(TypeError, match="measures WindowBits"):
        find("metric", "bound_bpw").build().measure(Sample(None, None, None))
