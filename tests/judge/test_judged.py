"""Figures are read back as they were written, and what holds none is refused."""

import json
from dataclasses import fields

import pytest

from diffmidi.api import DiffmidiError
from diffmidi.api.hook import Judged, StoredFigure
from diffmidi.api.metric import Figure


def leave(run, name, content):
    file = run / "figures" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


FIGURE = {"value": 2.5, "unit": "bits", "count": 6, "of": "windows", "interval": [2, 3]}
JUDGED = {"checkpoint": 400, "weights": "w", "split": "test", "windows": 6, "figures": {"x": FIGURE, "y": None}}


def test_what_is_stored_of_a_figure_is_the_figure():
    own = {"title", "better", "music"}  # of its metric, and of the music it was measured on
    assert {field.name for field in fields(Figure)} | own == set(StoredFigure.model_fields)


def test_checkpoints_are_read_the_newest_first_and_own_music_before_other(tmp_path):
    for name in (
        "step-000400.json",
        "step-001000.json",
        "step-000400.a.b.json",
        "step-1000000.json",
        ".writing-1.json",
    ):
        leave(tmp_path, name, JUDGED)
    files = Judged.files(tmp_path)
    assert [file.name for file in files] == [
        *("step-1000000.json", "step-001000.json", "step-000400.json", "step-000400.a.b.json"),
    ]
    assert [Judged.of_checkpoint(file).other for file in files] == ["", "", "", "a.b"]
    assert Judged.files(tmp_path / "nothing") == []


def test_only_figures_that_there_are_are_known(tmp_path):
    judged = Judged.of_checkpoint(leave(tmp_path, "step-000400.json", JUDGED))
    assert list(judged.figures) == ["x", "y"]
    assert judged.known["x"].interval == (2.0, 3.0)
    assert list(judged.known) == ["x"]


def test_the_draw_among_figures_on_other_music_is_named(tmp_path):
    file = leave(tmp_path, "step-000400.jazz.json", {**JUDGED, "split": "all", "draw": {"name": "evening"}})
    assert Judged.of_checkpoint(file).drawn == "evening"


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[1]",
        {**JUDGED, "figures": [1]},
        {**JUDGED, "figures": {"x": 3}},
        {**JUDGED, "checkpoint": "many"},
        json.dumps({**JUDGED, "figures": {"x": {**FIGURE, "value": float("nan")}}}),
    ],
)
def test_what_holds_no_figures_is_one_sentence(tmp_path, content):
    file = leave(tmp_path, "step-000400.json", content)
    with pytest.raises(DiffmidiError, match=r"step-000400\.json") as refused:
        Judged.of_checkpoint(file)
    assert "\n" not in str(refused.value)
