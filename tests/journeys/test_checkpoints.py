"""Which checkpoint sampling and evaluating take."""

import json
import shutil
from pathlib import Path

import pytest

FEW = ("-o", "evaluate.windows=6", "-o", "evaluate.levels=2")


@pytest.fixture
def mark_as_best(rewrite):
    """Lets the newest manifest say so."""

    def mark(run, step):
        newest = sorted(Path(run, "checkpoints").iterdir())[-1] / "manifest.json"
        training = json.loads(newest.read_text())["training"]
        rewrite(newest, training={**training, "best": {**training["best"], "step": step}})

    return mark


def test_the_best_is_taken_unless_another_is_asked_for(diffmidi, mine, mark_as_best):
    mark_as_best("mine", 4)
    for number, (words, taken) in enumerate(([(), 4], [("best",), 4], [("last",), 6], [("2",), 2])):
        asked = ("--checkpoint", *words) if words else ()
        shutil.rmtree("mine/figures")
        said = diffmidi("evaluate", "mine", *FEW, *asked)
        assert said.code == 0, said.err
        (judged,) = Path("mine/figures").iterdir()
        assert (judged.name, json.loads(judged.read_text())["checkpoint"]) == (f"step-{taken:06d}.json", taken)
        name = f"draw-{number}"
        assert diffmidi("sample", "mine", "--name", name, "--render", "none", *asked).code == 0
        assert json.loads(Path(f"mine/draws/{name}/request.json").read_text())["model"]["step"] == taken


@pytest.mark.parametrize("stage", ["sample", "evaluate"])
@pytest.mark.parametrize("word", ["newest", "-1", "1.5", ""])
def test_what_is_no_checkpoint_is_said_to_be(diffmidi, stage, word):
    said = diffmidi(stage, "mine", "--checkpoint", word)
    assert said.code == 2
    assert "a checkpoint is a step, such as 500, or last, or best" in said.err
