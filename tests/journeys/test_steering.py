"""`diffmidi infill` and its like as a person uses them: takes in order, stopped and gone on with, on many ranks."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from diffmidi.api.tokenizer import Notes, score_of
from diffmidi_core.saved.draw import DrawFolder

from .conftest import TRAINED, UNHEARD
from .test_going_on_drawing import drawn, files

ASKED = ("--model", "mine", "--bars", "5-6", "--steps", "4", "--seed", "3", "--candidates", "6", "--only-new")
RESUMED = ("infill", "song.mid", "--model", "mine", "--resume")


@pytest.fixture(scope="module")
def by_twos(starter, music, tmp_path_factory):
    """A trained run that draws two takes at a time."""
    folder = tmp_path_factory.mktemp("by twos")
    words = (
        "run",
        "--data",
        music,
        "--out",
        "mine",
        *TRAINED,
        "--steps",
        "3",
        "--samples",
        "1",
        "--no-renderer",
        "all",
    )
    starter.run(*words, "-o", "sample.batch_size=2", folder=folder)
    return folder / "mine"


@pytest.fixture
def mine(by_twos, diffmidi):
    """A copy of it in the folder where `diffmidi` is called."""
    return Path(shutil.copytree(by_twos, "mine"))


@pytest.fixture
def song():
    """A piece of twelve bars in the working folder."""
    onset = 480 * np.arange(48)
    Path("song.mid").write_bytes(
        score_of(Notes(onset, np.full(48, 400), 60 + np.arange(48) % 12, np.full(48, 70))).dumps_midi()
    )


def records(name):
    return [json.loads(line) for line in (Path("draws") / name / "record.jsonl").read_text().splitlines()]


def test_takes_are_numbered_best_first_and_say_why(diffmidi, mine, song):
    said = diffmidi("infill", "song.mid", *ASKED)
    assert said.code == 0, said.err
    ranks = [record["rank"] for record in records("1")]
    assert [record["number"] for record in records("1")] == [1, 2, 3, 4, 5, 6]
    assert sorted(rank["drawn"] for rank in ranks) == [1, 2, 3, 4, 5, 6]
    values = [rank["value"] for rank in ranks if rank["value"] is not None]
    assert values == sorted(values)
    assert said.out.count("bits per new note (take ") == len(values)
    for number in range(1, 7):
        suffixes = sorted(path.name.split(".", 1)[1] for path in Path("draws/1").glob(f"00{number}.*"))
        assert suffixes == ["mid", "new.mid", "roll.png"]
    assert not [*Path("draws/1").glob(".as-drawn*")]


def test_the_order_is_another_by_a_metric_and_the_takes_are_the_same(diffmidi, mine, song):
    for more in ((), ("--rank-by", "note_density")):
        assert diffmidi("infill", "song.mid", *ASKED, *more, "--no-renderer", "all").code == 0
    one, other = records("1"), records("2")
    assert {tuple(record["tokens"]) for record in one} == {tuple(record["tokens"]) for record in other}
    assert other[0]["rank"]["by"] == "note_density"
    refused = diffmidi("infill", "song.mid", *ASKED, "--rank-by", "bound_bpw")
    assert refused.code == 2
    assert "choose another metric" in refused.err
    assert len([*Path("draws").iterdir()]) == 2


@pytest.mark.parametrize("after", [1, 4, 5])
def test_an_interrupted_infill_goes_on_to_the_same_files(diffmidi, mine, song, halved, after):
    assert diffmidi("infill", "song.mid", *ASKED, *UNHEARD, "--name", "whole").code == 0
    assert halved(after, "infill", "song.mid", *ASKED, *UNHEARD, "--name", "halved").code == 130
    assert drawn(Path("draws/halved")) == after
    refused = diffmidi(*RESUMED, "--bars", "5")
    assert refused.code == 2
    assert "leave out all that says what is drawn" in refused.err
    said = diffmidi(*RESUMED, *UNHEARD)
    assert said.code == 0, said.err
    assert f"the first {after} of them are there" in said.err
    assert files(Path("draws/halved")) == files(Path("draws/whole"))


@pytest.mark.parametrize("where", ["rename", "replace"])
def test_stopped_while_takes_are_numbered_it_goes_on(diffmidi, mine, song, monkeypatch, where):
    assert diffmidi("infill", "song.mid", *ASKED, *UNHEARD, "--name", "whole").code == 0

    def stop(self, *rest):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path if where == "rename" else DrawFolder, where, stop)
        assert diffmidi("infill", "song.mid", *ASKED, *UNHEARD, "--name", "halved").code == 130
    said = diffmidi(*RESUMED, *UNHEARD, "--name", "halved")
    assert said.code == 0, said.err
    assert files(Path("draws/halved")) == files(Path("draws/whole"))


@pytest.mark.parametrize(
    ("command", "more"), [("vary", ("--strength", "0.5", "--bars", "5-6")), ("continue", ("--bars", "2"))]
)
def test_vary_and_continue_go_on_as_well(diffmidi, mine, song, monkeypatch, command, more):
    shown = ("--no-renderer", "all")
    words = (command, "song.mid", "--model", "mine", *more, "--steps", "4", "--candidates", "3", *shown)
    assert diffmidi(*words, "--name", "whole").code == 0
    add = DrawFolder.add

    def interrupted(self, piece):
        if piece.number > 1:
            raise KeyboardInterrupt
        add(self, piece)

    with monkeypatch.context() as patch:
        patch.setattr(DrawFolder, "add", interrupted)
        assert diffmidi(*words, "--name", "halved").code == 130
    other = diffmidi("infill", "song.mid", "--model", "mine", "--resume", "--name", "halved")
    assert other.code == 1
    assert f"was drawn by `diffmidi {command}`" in other.err
    shutil.copy("song.mid", "kept.mid")
    Path("song.mid").write_bytes(Path("draws/halved/001.mid").read_bytes())
    changed = diffmidi(command, "song.mid", "--model", "mine", "--resume", "--no-renderer", "all")
    assert changed.code == 1
    assert "was begun with another file" in changed.err
    shutil.copy("kept.mid", "song.mid")
    assert diffmidi(command, "song.mid", "--model", "mine", "--resume", "--no-renderer", "all").code == 0
    assert files(Path("draws/halved")) == files(Path("draws/whole"))


def test_two_ranks_write_what_one_does_and_go_on(diffmidi, mine, song, starter, tmp_path):
    for name, ranks in (("one", 1), ("two", 2)):
        starter.run("infill", "song.mid", *ASKED, "--name", name, folder=tmp_path, ranks=ranks)
    assert files(Path("draws/one")) == files(Path("draws/two"))
    draw = Path("draws/killed")
    words = ("infill", "song.mid", *ASKED, "--name", "killed")
    assert starter.killed(*words, folder=tmp_path, when=lambda: drawn(draw) >= 3, within=0)
    starter.run("infill", "song.mid", "--model", "mine", "--resume", folder=tmp_path, ranks=2)
    assert files(draw) == files(Path("draws/one"))
