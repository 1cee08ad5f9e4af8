"""examples/ablation/steps.py on runs of masked and autoregressive processes."""

import csv
import importlib.util
import sys
from pathlib import Path

import pytest

from .conftest import ALIGNED, SMALL

PLAIN = ("--no-metric", "all", "--metric", "bound_bpw", "--no-renderer", "all")
SCRIPT = Path(__file__).parents[2] / "examples" / "ablation" / "steps.py"


@pytest.fixture
def steps(monkeypatch):
    """Call the script in this process; gives the lines of its table."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    spec = importlib.util.spec_from_file_location("steps", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def call(*words: str) -> list[dict[str, str]]:
        monkeypatch.setattr(sys, "argv", ["steps.py", *words])
        module.main()
        with Path("masked/steps/steps.csv").open(encoding="utf-8") as file:
            return list(csv.DictReader(file))

    call.module = module
    return call


def test_steps_are_measured_once_each_and_judged(diffmidi, music, steps):
    for name, process in (("masked", "masked"), ("judge", "autoregressive")):
        chosen = (*SMALL, "--process", process, *PLAIN, *ALIGNED, "--length", "32", "--steps", "32")
        said = diffmidi("run", "--data", music, "--out", name, *chosen)
        assert said.code == 0, said.err
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
