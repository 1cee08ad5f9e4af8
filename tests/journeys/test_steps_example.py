"""examples/ablation/steps.py and benchmarks/exact.py on runs of masked and autoregressive processes."""

import csv
import importlib.util
import sys
from pathlib import Path

import pytest

from diffmidi_core.cli import main

from .conftest import ALIGNED, SMALL

PLAIN = ("--no-metric", "all", "--metric", "bound_bpw", "--no-renderer", "all")
ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "ablation" / "steps.py"


@pytest.fixture(scope="module")
def runs(music, tmp_path_factory):
    """A folder with a run of each process."""
    folder = tmp_path_factory.mktemp("runs")
    for name, process in (("masked", "masked"), ("judge", "autoregressive")):
        chosen = (*SMALL, "--process", process, *PLAIN, *ALIGNED, "--length", "32", "--steps", "32")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setattr(sys, "argv", ["diffmidi", "run", "--data", str(music), "--out", name, *chosen])
            with pytest.raises(SystemExit) as left:
                main()
        assert not left.value.code
    return folder


def module_of(script):
    spec = importlib.util.spec_from_file_location(script.stem, script)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, script.stem, module)
        patch.syspath_prepend(str(script.parent))
        spec.loader.exec_module(module)
    return module


@pytest.fixture
def steps(runs, monkeypatch):
    """Call the script in this process; gives the lines of its table."""
    monkeypatch.chdir(runs)
    module = module_of(SCRIPT)

    def call(*words: str) -> list[dict[str, str]]:
        monkeypatch.setattr(sys, "argv", ["steps.py", *words])
        module.main()
        with Path("masked/steps/steps.csv").open(encoding="utf-8") as file:
            return list(csv.DictReader(file))

    return call


def test_steps_are_measured_once_each_and_judged(steps):
    asked = ("masked", "--judge", "judge", "--samples", "4", "--samplers", "ancestral", "confidence")
    rows = steps(*asked, "--steps", "1", "8")
    assert [(row["sampler"], row["steps"]) for row in rows] == [
        *(("ancestral", "1"), ("ancestral", "8"), ("confidence", "1"), ("confidence", "8"))
    ]
    for row in rows:
        assert 0 < float(row["overlap"]) <= 1
        assert float(row["bits"]) > 0
        assert float(row["entropy"]) > 0
        assert float(row["frechet"]) > 0
        assert float(row["notes"]) > 0
        assert float(row["faults"] or 0) == 0
    more = steps(*asked, "judge:autoregressive", "confidence,best=2@4", "--steps", "1", "8")
    assert more[:4] == rows
    assert [(row["sampler"], row["steps"]) for row in more[4:]] == [
        *(("judge:autoregressive", "0"), ("confidence,best=2", "4"))
    ]
    shown = Path("masked/steps/steps.md").read_text(encoding="utf-8")
    assert "| confidence | 8 | 1 |" in shown
    assert Path("masked/steps/steps.png").stat().st_size > 0
    Path("masked/steps/steps.csv").unlink()
    drawn = Path("masked/steps/pieces.jsonl").read_bytes()
    assert steps(*asked, "--steps", "1", "8") == rows
    assert Path("masked/steps/pieces.jsonl").read_bytes() == drawn


def test_exact_likelihoods_are_beside_the_bound_on_the_same_windows(runs):
    exact = module_of(ROOT / "benchmarks" / "exact.py")
    found = exact.measured(runs / "masked", runs / "judge", 2)
    bound, as_they_stand, chosen, beside, counted = found.bits
    assert (bound, as_they_stand, beside, counted) == ("bound", "exact, as they stand", "left to right", "5-gram")
    assert chosen.startswith("exact, ")
    assert all(len(bits) == len(found.notes) == 2 for bits in found.bits.values())
    assert found.bits[as_they_stand] != found.bits[chosen]
    more = found.more(beside, as_they_stand).value
    assert more == pytest.approx(found.per_note(beside).value - found.per_note(as_they_stand).value)
    shown = exact.table(found)
    assert f"| {bound} | {found.per_note(bound).value:.2f} |" in shown
    assert f"| {as_they_stand} | {found.per_note(as_they_stand).value:.2f} |" in shown
    with pytest.raises(SystemExit, match="has a bound only"):
        exact.measured(runs / "masked", runs / "masked", 2)
