"""The starter's recipe makes what is shipped, and its pages say what its figures say."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from diffmidi_core.config import resolve
from diffmidi_core.registry import find
from diffmidi_core.saved.manifest import PARTS, read_model

EXAMPLE = Path(__file__).parents[2] / "examples" / "starter"


@pytest.fixture(scope="module")
def starter():
    spec = importlib.util.spec_from_file_location("starter", EXAMPLE / "starter.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_recipe_is_that_of_the_model_that_is_installed():
    recipe = resolve(json.loads((EXAMPLE / "recipe.json").read_text(encoding="utf-8")))
    shipped = read_model(find("model", "starter").folder())
    assert (recipe.length, recipe.bars) == (shipped.length, shipped.bars)
    for kind in PARTS:
        ours, theirs = getattr(recipe, kind), shipped.part(kind)
        assert (ours.name, ours.options) == (theirs.name, theirs.options), kind


def test_the_pages_say_what_the_figures_say(starter):
    told = json.loads((EXAMPLE / "figures.json").read_text(encoding="utf-8"))
    assert told["step"] == read_model(starter.MODEL).step
    assert starter.table(told) in (EXAMPLE / "README.md").read_text(encoding="utf-8")
    assert starter.beside(told) in (EXAMPLE / "README.md").read_text(encoding="utf-8")
    assert starter.beside(told) in (starter.MODEL / "README.md").read_text(encoding="utf-8")
    assert " ".join(starter.cost(told).split()) in " ".join((starter.MODEL / "README.md").read_text("utf-8").split())


def test_a_table_has_a_line_a_figure_with_its_interval_and_reference(starter):
    figure = {"value": 0.5, "title": "faults", "better": "lower", "interval": [0.25, 0.75], "reference": None}
    lines = starter.table({"figures": {"x": figure, "y": {**figure, "interval": None, "reference": 2.0}}}).splitlines()
    assert lines[2:] == [
        "| faults (lower is better) (`x`) | 0.5 | 0.25 to 0.75 |  |",
        "| faults (lower is better) (`y`) | 0.5 |  | 2 |",
    ]


def test_training_time_follows_from_logged_speeds_up_to_the_step(starter):
    class Folder:
        def read_log(self):
            speeds = [(10, 1.0), (20, 0.5), (30, 0.1)]
            return [{"step": 0}, *({"step": step, "steps_per_second": speed} for step, speed in speeds)]

    assert starter.hours(Folder(), 20) * 3600 == 30


def test_pieces_stand_beside_songs_and_a_left_to_right_model(starter):
    of = {"test": [0.5, 0.75, 1.0], "drawn": [0.25, 0.5, 0.75], "between": 0.875, "windows": 40}
    told = {"spread": dict.fromkeys(starter.SPREAD, of) | {starter.ENDING: {"test": 0.8, "drawn": 0.25, "songs": 9}}}
    text = starter.beside(told)
    assert "| `key_clarity` | 0.5, 0.75, 1 | 0.25, 0.5, 0.75 | 88% |" in text
    assert "25% of the pieces end on the tonic of their key, and 80% of the 9 songs" in text
    assert "left-to-right" not in text
    other = {"value": 4.5, "interval": [4.25, 4.75], "step": 300, "hours": 0.5}
    assert "costs 4.5 bits a note (4.25 to 4.75; exact)" in starter.beside(told | {"rival": other})


def test_the_rival_has_the_network_and_the_windows_of_the_recipe(starter):
    recipe = json.loads((EXAMPLE / "recipe.json").read_text(encoding="utf-8"))
    ours, theirs = resolve(recipe), resolve(recipe | starter.LEFT_TO_RIGHT)
    assert ours.backbone == theirs.backbone
    assert ours.train == theirs.train
    assert (ours.length, ours.bars, theirs.process.name) == (theirs.length, theirs.bars, "autoregressive")
