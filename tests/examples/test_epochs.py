"""examples/ablation/epochs.py: a curve and its point, and what is told of curves."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2] / "examples" / "ablation"


@pytest.fixture
def epochs(monkeypatch):
    """The script as a module."""
    monkeypatch.syspath_prepend(str(ROOT))
    spec = importlib.util.spec_from_file_location("epochs", ROOT / "epochs.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "epochs", module)
    spec.loader.exec_module(module)
    return module


def curve(seed, *lines, points=()):
    return {
        "method": "masked",
        "seed": seed,
        "parameters": 1000,
        "lines": [list(each) for each in lines],
        "points": points,
    }


def test_a_band_is_as_long_as_the_shortest_curve_and_holds_all_seeds(epochs):
    two = [
        curve(0, (1, 4.0, 0.1, 10), (2, 3.0, 0.1, 20)),
        curve(1, (1, 5.0, 0.1, 10), (2, 4.0, 0.1, 20), (3, 9, 0, 30)),
    ]
    x, middle, low, high = sys.modules["epochs_shown"].band(two, 0)
    np.testing.assert_allclose([x, middle, low, high], [[1, 2], [4.5, 3.5], [4, 3], [5, 4]])
    x, middle, low, high = sys.modules["epochs_shown"].band(two[:1], 3)
    np.testing.assert_allclose([x, middle, low, high], [[10, 20], [4, 3], [3.9, 2.9], [4.1, 3.1]])


def test_the_table_has_the_test_figures_of_each_seed(epochs):
    point = {"epochs": 3, "bits": 5.0, "interval": [4.5, 5.5], "seconds": 30.0}
    curves = [
        curve(0, (1, 6.0, 0.1, 10), (2, 5.5, 0.1, 20), points=[point]),
        curve(1, (1, 6.0, 0.1, 10), (2, 6.5, 0.1, 20), points=[point | {"bits": 5.2}]),
    ]
    told = {"curves": curves, "tuned": {"masked": {"dropout": 0.1, "weight_decay": 1}}}
    assert "| masked | 0.1, 1 | 5.00 / 5.20 ± 0.50 | 2 / 1 | 10 | 1,000 |" in epochs.table(told)


def test_words_after_two_dashes_are_the_trainings(epochs):
    assert epochs.parted(["--points", "3", "--", "-o", "x.y=1", "--"]) == (["--points", "3"], ["-o", "x.y=1", "--"])
    assert epochs.parted(["--points", "3"]) == (["--points", "3"], [])
