"""examples/ablation/epochs.py on music: the best of a grid, a curve, its points, and going on."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "examples" / "ablation"
CONFIG = {
    "backbone": {"name": "modern", "options": {"size": "tiny"}},
    "length": 96,
    "precision": "fp32",
    "metrics": [{"name": "bits_per_note"}],
    "renderers": [],
    "hooks": [],
    "train": {"batch_size": 4, "log_every": 1, "draw": 0, "keep": 1},
    "sample": {"count": 1},
    "evaluate": {"windows": 8, "levels": 2},
}


@pytest.fixture
def epochs(monkeypatch, diffmidi):
    """Call the script, its commands in this process too; gives epochs.json and the commands that were run."""
    monkeypatch.syspath_prepend(str(ROOT))
    spec = importlib.util.spec_from_file_location("epochs", ROOT / "epochs.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "epochs", module)
    spec.loader.exec_module(module)
    Path("config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    ran = []

    def run(study, *words, log):
        ran.append([str(word) for word in words])
        said = diffmidi(*ran[-1])
        assert said.code == 0, said.err

    monkeypatch.setattr(module.Study, "diffmidi", run)

    def call(*words):
        ran.clear()
        monkeypatch.setattr(sys, "argv", ["epochs.py", "--config", "config.json", "--out", "out", *words])
        module.main()
        return json.loads(Path("out/epochs.json").read_text(encoding="utf-8")), [words[0] for words in ran]

    return call


@pytest.mark.slow
def test_a_curve_goes_on_to_further_points_and_nothing_is_done_twice(epochs, music):
    asked = (
        "--data",
        str(music),
        "--only",
        "left to right",
        "--dropout",
        "0",
        "0.5",
        "--weight-decay",
        "0",
        "--tune",
        "1",
    )
    told, ran = epochs(*asked, "--points", "1")
    assert ran == ["prepare", "train", "train", "train", "run"]
    grid = told["tuned"]["left to right"]["grid"]
    assert told["tuned"]["left to right"]["dropout"] == min(grid)[1]
    (curve,) = told["curves"]
    assert [point["epochs"] for point in curve["points"]] == [1]
    more, ran = epochs(*asked, "--points", "1", "3")
    assert ran == ["train", "run"]
    (longer,) = more["curves"]
    assert longer["lines"][0][:2] == curve["lines"][0][:2]
    assert longer["points"][0]["bits"] == curve["points"][0]["bits"]
    assert longer["points"][1]["bits"] < longer["points"][0]["bits"]
    _, ran = epochs(*asked, "--points", "1", "3")
    assert ran == []
    assert Path("out/epochs.png").stat().st_size > 0
