"""examples/ablation/same_bars.py: what one window costs runs of two layouts, seed by seed."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

FILE = Path(__file__).parents[2] / "examples" / "ablation" / "same_bars.py"


@pytest.fixture(scope="module")
def same_bars():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location("same_bars", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_row_is_bits_over_notes_of_each_seed_and_its_difference_on_the_same_windows(same_bars):
    first = [np.array([[40.0, 4, 10], [20, 2, 10]]), np.array([[50.0, 5, 10], [30, 3, 10]])]
    other = [each - [10, 0, 0] for each in first]  # always a bit a note less
    row = same_bars.row_of(other, first)
    assert row["by_seed"] == [2, 3]
    assert row["value"] == 2.5
    assert row["beside_notes"] == pytest.approx(0.35)
    assert (row["windows"], row["notes"]) == (4, 40)
    assert row["apart"] == pytest.approx(-1)
    np.testing.assert_allclose(row["apart_interval"], [-1, -1])
    assert row["interval"][0] < 2.5 < row["interval"][1]
    assert "| 2.50 [1.50, 3.50] | 2.00 / 3.00 | 0.35 | -1.00 [-1.00, -1.00] |" in same_bars.table({"other": row})


def test_each_run_is_asked_once_and_runs_of_a_name_make_a_row(same_bars, tmp_path, monkeypatch, capsys):
    class Config:
        def __init__(self, seed):
            self.seed = seed

    class Folder:
        def __init__(self, run):
            self.run = run

        @classmethod
        def open(cls, run):
            return cls(run)

        def config(self):
            return Config(int(self.run.name[-1]))

    asked = []

    def costs_of(run, windows, levels):
        asked.append((run.name, windows, levels))
        return [[10.0 * (1 + ("shifts" in run.name)), 1.0, 5.0]]

    monkeypatch.setattr(same_bars, "RunFolder", Folder)
    monkeypatch.setattr(same_bars, "has_bars", lambda run: "cells" in run.name)
    monkeypatch.setattr(same_bars, "windows_of", lambda run, count: f"{count} of {run.name}")
    monkeypatch.setattr(same_bars, "costs_of", costs_of)
    runs = [str(tmp_path / name) for name in ("shifts-0", "cells-0", "shifts-1", "cells-1")]
    monkeypatch.setattr("sys.argv", ["same_bars.py", *runs, "--windows", "3", "--out", str(tmp_path / "found.json")])
    same_bars.main()
    told = capsys.readouterr().out
    same_bars.main()
    assert capsys.readouterr().out in told  # nothing is asked again, and the table is the same
    assert asked == [(f"{name}-{seed}", f"3 of cells-{seed}", 4) for seed in (0, 1) for name in ("shifts", "cells")]
    assert "| shifts | 2 | 4.00 [4.00, 4.00] | 4.00 / 4.00 |" in told
    assert "| cells | 2 | 2.00 [2.00, 2.00] | 2.00 / 2.00 | 0.20 | -2.00 [-2.00, -2.00] |" in told
