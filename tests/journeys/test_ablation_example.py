"""examples/ablation/ablation.py on runs that are finished: its table of them."""

import csv
import importlib.util
import json
import shutil
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "ablation" / "ablation.py"
ROW = "+ typed"


@pytest.fixture
def ablation(monkeypatch, tmp_path):
    """The script as a module, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("ablation", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "ablation", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, "argv", ["ablation.py", "--only", ROW, "--seeds", "0", "1"])
    return module


def test_it_says_of_finished_runs_what_compare_does_and_trains_none_of_them(ablation, finished, capsys):
    for seed in range(2):
        shutil.copytree(finished, Path("runs/ablation") / ablation.folder_name(ROW, seed))
    ablation.main()
    with open("runs/ablation/table.csv", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert (first["row"], first["seed"], second["seed"]) == (ROW, "0", "1")
    assert first["options"] == "--preset faithful -o process.typed=true"
    (measured,) = (finished / "figures").glob("step-*.json")
    figure = json.loads(measured.read_text(encoding="utf-8"))["figures"]["bound_bpw"]
    assert float(first["bound_bpw"]) == figure["value"]
    assert float(first["seconds"]) > 0
    heads, _, row = Path("runs/ablation/table.md").read_text(encoding="utf-8").splitlines()
    assert heads.startswith("|  | `bound_bpw` | by seed | `rounding_bpw` |")
    assert row.startswith(f"| {ROW} | {figure['value']:.3f} ± ")
    assert "bound_bpw" in capsys.readouterr().out


def test_it_says_so_where_nothing_has_come_to_its_figures(ablation, monkeypatch):
    monkeypatch.setattr(ablation, "trained", lambda grid, row, seed, out, *others: out / f"{seed}")
    with pytest.raises(SystemExit, match="no run has come to its figures"):
        ablation.main()
