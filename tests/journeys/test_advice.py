"""What an error tells the user to do about checkpoints, draws and data is done here, and it helps."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from .conftest import TRAINED, UNHEARD, silence

FEW = ("-o", "evaluate.windows=6", "-o", "evaluate.levels=2")
FIRST = ("--samples", "1", "--render", "none")


def advised(said):
    """The command that an error names."""
    (command,) = re.findall(r"`diffmidi ([^`]+)`", said.err)
    return shlex.split(command)


def damage(path):
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)


@pytest.fixture
def without_the_best(mine, rewrite):
    """A run whose newest checkpoint is damaged, and the one before it names a best that is not there any more."""
    damage(mine / "checkpoints/step-000006/model.safetensors")
    before = mine / "checkpoints/step-000004/manifest.json"
    training = json.loads(before.read_text())["training"]
    rewrite(before, training={**training, "best": {**training["best"], "step": 1}})
    return mine


@pytest.mark.parametrize(
    "words",
    [("sample", "mine", *FIRST), ("evaluate", "mine", *FEW), ("export", "mine"), ("run", "--resume", "mine", *UNHEARD)],
    ids=lambda words: words[0],
)
def test_a_damaged_newest_checkpoint_can_be_passed_over_or_removed(diffmidi, without_the_best, words):
    said = diffmidi(*words, *(() if words[0] == "run" else ("--checkpoint", "last")))
    assert said.code == 1
    assert "use another one of the same run (--checkpoint STEP), or remove its folder" in said.err
    if words[0] != "run":
        assert diffmidi(*words, "--checkpoint", "4").code == 0
        shutil.rmtree("mine/export", ignore_errors=True)
    shutil.rmtree(without_the_best / "checkpoints/step-000006")
    said = diffmidi(*words)
    assert said.code == 0, said.err
    remark = "the best checkpoint of mine, of step 1, is not there any more, so the newest is taken, of step 4."
    assert said.err.count(remark) == (words[0] != "run"), said.err
    if words[0] == "run":
        assert (without_the_best / "checkpoints/step-000006").is_dir(), "it was trained to its end again"


def test_a_best_checkpoint_that_is_gone_is_replaced_by_the_last(diffmidi, without_the_best):
    shutil.rmtree(without_the_best / "checkpoints/step-000006")
    said = diffmidi("sample", "mine", *FIRST, "--checkpoint", "best")
    assert said.code == 1
    assert "take the newest, by --checkpoint last" in said.err
    assert diffmidi("sample", "mine", *FIRST, "--checkpoint", "last").code == 0


def test_a_run_without_a_checkpoint_is_trained_first(diffmidi, mine):
    shutil.rmtree(mine / "checkpoints")
    said = diffmidi("sample", "mine", *FIRST)
    assert said.code == 1
    assert diffmidi(*advised(said)).code == 0
    assert diffmidi("sample", "mine", *FIRST).code == 0


def test_a_trained_run_goes_on_or_another_begins(diffmidi, mine, music):
    said = diffmidi("train", "mine")
    assert said.code == 1
    assert "go on from the newest with --resume, or begin a new run in another folder" in said.err
    assert diffmidi("train", "mine", "--resume", "--iterations", "7").code == 0
    said = diffmidi("prepare", music, "--out", "mine")
    assert said.code == 1
    assert "choose another --out, or go on with it by --resume mine" in said.err
    assert diffmidi("prepare", music, "--out", "another").code == 0
    assert diffmidi("run", "--resume", "mine", *UNHEARD).code == 0


def test_what_trained_a_run_changes_in_a_new_run_from_it(diffmidi, mine):
    said = diffmidi("run", "--resume", "mine", "--lr", "0.0001")
    assert said.code == 2
    command = advised(said)
    assert command[:3] == ["run", "--from", "mine"]
    assert diffmidi(*command, "--out", "slower", *UNHEARD).code == 0


def test_a_run_that_nothing_was_drawn_from_is_drawn_from(diffmidi, mine):
    shutil.rmtree(mine / "draws")
    said = diffmidi("render", "mine")
    assert said.code == 1
    command = advised(said)
    assert command == ["sample", "mine"]
    assert diffmidi(*command, *FIRST).code == 0
    assert diffmidi("render", "mine").code == 0


def test_a_draw_that_was_stopped_before_its_first_piece_goes_on(diffmidi, mine):
    draw = mine / "draws/1"
    (draw / "record.jsonl").write_text("")
    said = diffmidi("render", "mine")
    assert said.code == 1
    command = advised(said)
    assert command == ["sample", "mine", "--resume", "--name", "1"]
    assert diffmidi(*command, "--render", "none").code == 0
    assert diffmidi("render", "mine").code == 0


def test_a_draw_that_cannot_go_on_is_drawn_anew(diffmidi, mine):
    record = mine / "draws/1/record.jsonl"
    record.write_text(record.read_text().splitlines()[1] + "\n")
    said = diffmidi("sample", "mine", "--resume", "--render", "none")
    assert said.code == 1
    assert "draw anew, without --resume" in said.err
    assert diffmidi("sample", "mine", "--render", "none").code == 0


def test_figures_that_are_damaged_are_measured_again(diffmidi, mine):
    silence(mine)
    (mine / "draws/1/figures.json").write_text('{"figures": {"pitch_range": {"value": "high"}}}')
    said = diffmidi("report", "mine")
    if said.code == 0:  # told on the page, or beside it
        assert "diffmidi evaluate" in said.err + (mine / "report.html").read_text()
    assert diffmidi("evaluate", "mine", *FEW).code == 0
    said = diffmidi("report", "mine")
    assert said.code == 0, said.err
    assert "no figures" not in said.err


def test_an_export_is_written_elsewhere_or_again(diffmidi, mine):
    assert diffmidi("export", "mine", "--to", "model").code == 0
    damage(Path("model/model.safetensors"))
    said = diffmidi("sample", "model", *FIRST)
    assert said.code == 1
    assert "export or fetch the model again" in said.err
    said = diffmidi("export", "mine", "--to", "model")
    assert said.code == 1
    assert "choose another --to, or remove it first" in said.err
    assert diffmidi("export", "mine", "--to", "other").code == 0
    shutil.rmtree("model")
    assert diffmidi("export", "mine", "--to", "model").code == 0
    for model in ("model", "other"):
        assert diffmidi("sample", model, *FIRST).code == 0


def test_damaged_data_are_prepared_again_for_a_new_run(diffmidi, mine, music):
    damage(mine / "data/tokens.arrow")
    said = diffmidi("train", "mine", "--resume", "--iterations", "8")
    assert said.code == 1
    assert "prepare the music again, for a new run" in said.err
    assert diffmidi("prepare", music, "--out", "new").code == 0
    assert diffmidi("train", "new", *TRAINED).code == 0
