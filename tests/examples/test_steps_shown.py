"""examples/ablation/steps_shown.py: cells of several seeds, and which of them lie where held-out music does."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "ablation" / "steps_shown.py"
HELDOUT = {"bits heldout": "4.0", "entropy heldout": "2.9", "overlap heldout": "0.95"}


@pytest.fixture(scope="module")
def shown():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("steps_shown", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def line(seed, bits, entropy, overlap):
    told = {"bits": str(bits), "bits low": str(bits - 0.3), "bits high": str(bits + 0.3), "entropy": str(entropy)}
    at = {"sampler": "confidence", "steps": "16", "seed": str(seed), "overlap": str(overlap), "notes": "100"}
    return HELDOUT | at | told


def test_a_cell_is_the_mean_of_its_seeds_and_its_interval_shrinks_with_them(shown):
    cell = shown.cells([line(0, 4, 3, 0.9), line(1, 5, 3, 0.9)], "bits")["confidence", 16]
    assert cell.value == 4.5
    assert cell.half == pytest.approx(0.3 / 2**0.5)
    assert cell.text(2) == "4.50 ± 0.21"
    assert shown.cells([line(0, 4, 3, 0.9)], "frechet") == {}


@pytest.mark.parametrize(
    ("bits", "entropy", "overlap", "met"),
    [
        (4.0, 2.9, 0.95, "3 of 3"),
        (4.5, 2.85, 0.94, "3 of 3"),
        (3.0, 2.9, 0.95, "2 of 3"),  # cheaper than music is as far from it as dearer
        (4.0, 2.9, 0.99, "3 of 3"),
        (4.0, 2.9, 0.92, "2 of 3"),
        (5.0, 2.0, 0.80, "0 of 3"),
    ],
)
def test_aims_are_met_near_the_figures_of_heldout_music(shown, bits, entropy, overlap, met):
    rows = [line(0, bits, entropy, overlap)]
    assert shown.within(rows, ("confidence", 16)) == met
    assert f"| {met} |" in shown.table(rows)
