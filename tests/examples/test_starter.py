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
