"""Sorting suffixes: the order is that of Python's own comparison, however little is sorted at once."""

import numpy as np
import pytest

from diffmidi_metrics.suffixes import sort_suffixes


def suffix_array(text):
    order, rank = np.zeros(len(text), "<i4"), np.zeros(len(text), "<i4")
    sort_suffixes(np.array(text, "<u2"), order, rank)
    return order.tolist()


def by_comparison(text):
    return sorted(range(len(text)), key=lambda at: text[at:])


@pytest.mark.parametrize("at_once", [1, 7, 1 << 20])
@pytest.mark.parametrize("codes", [1, 2, 3, 50, 2**15 - 1])
def test_the_order_is_that_of_comparing_all_of_them(monkeypatch, at_once, codes):
    monkeypatch.setattr("diffmidi_metrics.suffixes.AT_ONCE", at_once)
    rng = np.random.default_rng(codes)
    for length in (1, 2, 5, 60):
        text = rng.integers(codes, size=length).tolist()
        assert suffix_array(text) == by_comparison(text)


@pytest.mark.parametrize("at_once", [5, 1 << 20])
def test_repetition_is_sorted_to_its_end(monkeypatch, at_once):
    monkeypatch.setattr("diffmidi_metrics.suffixes.AT_ONCE", at_once)
    for text in ([4] * 100, [1, 2, 3] * 40, [*[7, 0, 0, 7, 0] * 20, *[7, 0, 0, 7, 0] * 20], [0] * 9):
        assert suffix_array(text) == by_comparison(text)
