"""Bits: values known by hand."""

import math

import pytest

from diffmidi_core.api import Sample, WindowBits
from diffmidi_core.registry import find

WINDOWS = [
    WindowBits({"prior": 1.0, "diffusion": 90.0, "rounding": 9.0}, words=10, notes=4),
    WindowBits({"prior": 2.0, "diffusion": 150.0, "rounding": 48.0}, words=30, notes=6),
]


def figure(name, windows=WINDOWS):
    metric = find("metric", name).build()
    return metric.summarise([metric.measure(window) for window in windows])


@pytest.mark.parametrize(
    ("name", "value", "unit"),
    [
        ("bound_bpw", 300 / 40, "bits per word"),
        ("bits_per_note", 300 / 10, "bits per note"),
        ("rounding_bpw", 57 / 40, "bits per word"),
    ],
)
def test_bits_are_summed_over_all_windows_and_divided_once(name, value, unit):
    result = figure(name)
    assert result.value == pytest.approx(value)
    assert (result.unit, result.count, result.of) == (unit, 2, "held-out windows")
    assert result.note == ""


def test_the_standard_error_is_the_ratio_estimators():
    # residuals: 100 - 7.5*10 = 25 and 200 - 7.5*30 = -25; sqrt(2 * 1250 / 1) / 40
    assert figure("bound_bpw").error == pytest.approx(math.sqrt(2 * 1250) / 40)
    assert figure("bound_bpw", WINDOWS[:1]).error is None


@pytest.mark.parametrize("name", ["bound_bpw", "rounding_bpw", "bits_per_note"])
def test_a_figure_too_good_for_music_says_why_it_is_none(name):
    tiny = [WindowBits({"rounding": 0.001}, words=128, notes=32)]
    assert figure(name, tiny).note != ""


def test_no_windows_and_no_rounding_term_give_no_figure():
    assert figure("bound_bpw", []) is None
    assert figure("rounding_bpw", [WindowBits({"diffusion": 5.0}, words=10, notes=2)]) is None


def test_a_metric_refuses_what_it_does_not_measure():
    with pytest.raises(TypeError, match="measures WindowBits"):
        find("metric", "bound_bpw").build().measure(Sample(None, None, None))
