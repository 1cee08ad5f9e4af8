"""The bound over windows: its error, and how many levels few windows get."""

import numpy as np
import pytest

from diffmidi.api.metric import WindowBits
from diffmidi_core.judge.likelihood import ENOUGH, bits_per_token, levels_for


class Words:
    """As much of a sample as is counted."""

    def __init__(self, count):
        self.ids = np.zeros(count)


def rows(*bits_and_words):
    return [WindowBits({"all": np.array([bits])}, Words(words)) for bits, words in bits_and_words]


def test_the_error_is_the_ratio_estimators():
    # residuals: 102 - 7.55*16 = -18.8 and 200 - 7.55*24 = 18.8
    value, error = bits_per_token(rows((102.0, 16), (200.0, 24)))
    assert (value, error) == (pytest.approx(7.55), pytest.approx(2 * 18.8 / 40))
    assert bits_per_token(rows((102.0, 16))) == (102 / 16, None)
    assert bits_per_token([]) == (0, None)


def test_the_error_is_how_far_other_windows_would_lie_apart():
    rng = np.random.default_rng(0)
    found = [bits_per_token(rows(*((rng.normal(400, 80), 128) for _ in range(32)))) for _ in range(300)]
    values, errors = map(np.array, zip(*found, strict=True))
    assert np.mean(errors) == pytest.approx(values.std(), rel=0.15)


def test_few_windows_get_more_levels():
    for windows, levels in ((ENOUGH, 8), (2 * ENOUGH, 8), (ENOUGH // 2, 16), (3, 344), (1, 1024), (0, 1024)):
        assert levels_for(8, windows) == levels
    assert levels_for(8, 16, enough=32) == 16
    assert levels_for(None, 2) is None
