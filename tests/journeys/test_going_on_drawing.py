"""A draw that was killed or stopped leaves what was drawn, and goes on to the very pieces of an unbroken one."""

import json
import shutil
from pathlib import Path

import pytest

from diffmidi_core.saved.draw import DrawFolder

from .conftest import UNHEARD

MANY = ("--samples", "40", "--steps", "5", "--seed", "3", "-o", "sample.batch_size=4", "--render", "none")


def files(draw):
    """What a draw holds, by name; of its request all but when it was asked."""
    found = {path.name: path.read_bytes() for path in draw.iterdir() if not path.name.startswith(".")}
    asked = json.loads(found.pop("request.json"))
    del asked["at"]
    return found | {"request": asked}


def drawn(draw):
    record = draw / "record.jsonl"
    return record.read_bytes().count(b"\n") if record.exists() else 0


@pytest.fixture
def model(trained, tmp_path):
    """A trained run with an unbroken draw of many pieces, named whole."""
    return Path(shutil.copytree(trained("to draw from", "--iterations", "2"), tmp_path / "model"))


@pytest.mark.parametrize("ranks", [1, 2])
def test_killed_at_two_places_it_ends_with_the_same_files(starter, model, ranks):
    starter.run("sample", "model", *MANY, "--name", "whole", folder=model.parent)
    draw = model / "draws/killed"
    for words, least in (((*MANY, "--name", "killed"), 6), (("--resume", "--render", "none"), 18)):
        assert starter.killed(
            "sample", "model", *words, folder=model.parent, when=lambda least=least: drawn(draw) >= least, within=0
        )
        there = drawn(draw)
        assert least <= there < 40
        for number in range(1, there + 1):
            assert (draw / f"{number:03d}.mid").read_bytes() == (model / f"draws/whole/{number:03d}.mid").read_bytes()
    with (draw / "record.jsonl").open("a") as file:
        file.write('{"number": 19, "notes": 9, "rec')
    (draw / ".writing-x.mid").write_bytes(b"half")
    starter.run("sample", "model", "--resume", "--render", "none", folder=model.parent, ranks=ranks)
    assert files(draw) == files(model / "draws/whole")
    assert not [*draw.glob(".writing-*")]


def test_the_newest_unfinished_draw_goes_on_as_it_was_asked(diffmidi, mine, halved):
    asked = ("--samples", "5", "--notes", "6", "--seed", "4", "--checkpoint", "2", "-o", "sample.batch_size=2")
    assert diffmidi("sample", mine, *asked, "--name", "whole", "--render", "none").code == 0
    assert halved(3, "sample", mine, *asked, "--name", "halved", "--precision", "fp32").code == 130
    assert diffmidi("sample", mine, "--samples", "1", "--name", "newer", "--render", "none").code == 0
    said = diffmidi("sample", mine, "--resume", "--render", "1", "--out", "song.mid")
    assert said.code == 0, said.err
    assert "the first 3 of them are there" in said.err
    assert "Wrote 5 pieces" in said.out
    assert files(mine / "draws/halved").keys() - files(mine / "draws/whole") == {
        "001.wav",
        "001.roll.png",
        "001.wave.png",
    }
    assert (mine / "draws/halved/record.jsonl").read_bytes() == (mine / "draws/whole/record.jsonl").read_bytes()
    assert len([*Path().glob("song-*.mid")]) == 5


def test_a_complete_draw_is_only_rendered(diffmidi, mine):
    before = files(mine / "draws/1")
    (mine / "draws/1/002.wav").unlink()
    said = diffmidi("sample", mine, "--resume")
    assert said.code == 0, said.err
    assert "reverse steps" not in said.err
    assert files(mine / "draws/1") == before


def test_a_resumed_run_finishes_its_draw(diffmidi, mine, music, halved):
    words = ("run", "--resume", mine, "--seconds", "3", *UNHEARD)
    assert halved(1, *words).code == 130
    assert len(DrawFolder(mine / "draws/2").so_far()) == 1
    said = diffmidi(*words)
    assert said.code == 0, said.err
    assert sorted(path.name for path in (mine / "draws").iterdir()) == ["1", "2"]
    assert len(DrawFolder(mine / "draws/2").pieces()) == 2
    assert (mine / "draws/2/figures.json").is_file()


def test_an_exported_models_draw_goes_on_in_the_working_folder(diffmidi, mine, halved):
    assert diffmidi("export", mine, "--to", "model").code == 0
    assert halved(1, "sample", "model", "--samples", "3", "--render", "none").code == 130
    assert diffmidi("sample", "model", "--resume", "--render", "none").code == 0
    assert len(DrawFolder(Path("draws/1")).pieces()) == 3
    other = diffmidi("sample", mine, "--samples", "1", "--checkpoint", "2", "--render", "none")
    assert other.code == 0
    shutil.move(mine / "draws/2", "draws/2")
    refused = diffmidi("sample", "model", "--resume", "--name", "2")
    assert refused.code == 1
    assert "was begun with other weights" in refused.err


def test_what_was_asked_is_not_asked_anew(diffmidi, mine):
    for words in (("--seed", "3"), ("--checkpoint", "2"), ("-o", "sample.steps=2"), ("--sampler", "ancestral")):
        said = diffmidi("sample", mine, "--resume", *words)
        assert said.code == 2
        assert "leave out --checkpoint and all that says what is drawn" in said.err


def test_a_draw_without_its_checkpoint_or_of_a_mixed_record_does_not_go_on(diffmidi, mine, halved):
    assert halved(1, "sample", mine, "--checkpoint", "2").code == 130
    record = mine / "draws/2/record.jsonl"
    whole = record.read_text()
    record.write_text(whole.replace('"number":1', '"number":2'))
    said = diffmidi("sample", mine, "--resume")
    assert said.code == 1
    assert "draw anew, without --resume" in said.err
    record.write_text(whole)
    shutil.rmtree(mine / "checkpoints/step-000002")
    said = diffmidi("sample", mine, "--resume")
    assert said.code == 1
    assert "begun with the checkpoint of iteration 2, which is not there any more: draw anew" in said.err


def test_a_draw_that_another_process_is_at_is_left_to_it(mine, starter, halved, tmp_path):
    assert halved(1, "sample", mine).code == 130
    from diffmidi_core.saved.lock import hold

    with hold(mine / "draws/2"):
        starter.start("sample", "mine", "--resume", folder=tmp_path)
        assert starter.wait() == [1]
    assert "draws/2 is in use" in starter.log.read_text()
