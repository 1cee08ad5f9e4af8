"""Which checkpoint sampling and evaluating take."""

import json
from pathlib import Path

import pytest

from .conftest import TINY


def measured(run):
    return json.loads(Path(run, "figures.json").read_text())["checkpoint"]


@pytest.fixture
def mark_as_best(rewrite):
    """Lets the newest manifest say so."""

    def mark(run, step):
        newest = sorted(Path(run, "checkpoints").iterdir())[-1] / "manifest.json"
        training = json.loads(newest.read_text())["training"]
        rewrite(newest, training={**training, "best": {**training["best"], "step": step}})

    return mark


def test_the_best_is_taken_unless_another_is_asked_for(diffmidi, music, mark_as_best):
    diffmidi("run", "--data", music, "--out", "mine", *TINY)
    mark_as_best("mine", 4)
    for words, taken in ([(), 4], [("best",), 4], [("last",), 6], [("2",), 2]):
        asked = ("--checkpoint", *words) if words else ()
        said = diffmidi("evaluate", "mine", *asked)
        assert said.code == 0, said.err
        assert measured("mine") == taken
        assert diffmidi("sample", "mine", *asked).code == 0
        assert f"checkpoint={taken} " in Path("mine/samples/sample-0-000.txt").read_text()


@pytest.mark.parametrize("stage", ["sample", "evaluate"])
@pytest.mark.parametrize("word", ["newest", "-1", "1.5", ""])
def test_what_is_no_checkpoint_is_said_to_be(diffmidi, stage, word):
    said = diffmidi(stage, "mine", "--checkpoint", word)
    assert said.code == 2
    assert "a checkpoint is a step, such as 500, or last, or best" in said.err
