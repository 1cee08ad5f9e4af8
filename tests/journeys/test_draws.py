"""A draw is a folder of its own, and what is judged and shown is that draw."""

import json
import shutil
from pathlib import Path

from diffmidi import Pipeline, read_midi
from diffmidi.api.tokenizer import notes_of
from diffmidi_core.registry import Offer

from .conftest import QUIET, TRAINED


def lines(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_what_was_asked_and_what_came_lie_together(diffmidi, mine):
    said = diffmidi(
        "sample", mine, "--seed", "9", "--samples", "3", "--notes", "5", "--checkpoint", "2", "--render", "1"
    )
    assert said.code == 0, said.err
    draw = mine / "draws/2"
    asked = json.loads((draw / "request.json").read_text())
    assert asked["model"]["step"] == 2
    request = asked["request"]
    assert (request["seed"], request["count"], request["length"], request["steps"]) == (9, 3, "5 notes", 3)
    assert (request["sampler"]["package"], request["sampler"]["name"]) == ("diffmidi", "confidence")
    pieces = lines(draw / "record.jsonl")
    assert [piece["number"] for piece in pieces] == [1, 2, 3]
    for piece in pieces:
        score = read_midi(draw / f"{piece['number']:03d}.mid")
        assert piece["notes"] == len(notes_of(score)) >= 5, "whole bars"
    assert (draw / "001.wav").is_file()
    assert not (draw / "002.wav").exists()
    for shown in ("mine/draws/2/001{.mid,.roll.png,.wav,.wave.png}", "mine/draws/2/003.mid", "diffmidi report mine"):
        assert shown in said.out, said.out


def test_the_program_and_the_pipeline_draw_alike(diffmidi, mine):
    assert diffmidi("sample", mine, "--seed", "5", "--samples", "3", "--render", "none").code == 0
    tokens = [piece["tokens"] for piece in lines(mine / "draws/2/record.jsonl")]
    pipeline = Pipeline.from_pretrained(mine)
    assert [pipeline.tokenizer.to_tokens(ids) for ids in pipeline.draw(pipeline.request(3, seed=5))] == tokens
    assert pipeline.sample(3, seed=5)[0] == pipeline.tokenizer.decode(pipeline.tokenizer.to_ids(tokens[0]))


def test_without_rendering_no_renderer_is_loaded(diffmidi, mine, monkeypatch):
    loaded, load = [], Offer.implementation
    monkeypatch.setattr(Offer, "implementation", lambda offer: loaded.append(offer.kind) or load(offer))
    assert diffmidi("sample", mine, "--samples", "1", "--render", "none").code == 0
    assert "sampler" in loaded
    assert "renderer" not in loaded


def test_a_length_that_was_asked_once_is_not_the_next_draws(diffmidi, mine):
    assert diffmidi("sample", mine, "--bars", "1", "--render", "none").code == 0
    assert diffmidi("sample", mine, "--render", "none").code == 0
    lengths = [json.loads((mine / f"draws/{n}/request.json").read_text())["request"]["length"] for n in (2, 3)]
    assert lengths == ["1 bars", "windows"]
    assert Pipeline.from_pretrained(mine).defaults.length == "windows"


def test_figures_are_of_one_checkpoint_and_of_one_draw(diffmidi, mine):
    assert (
        diffmidi("sample", mine, "--seed", "9", "--sampler", "ancestral", "--checkpoint", "2", "--render", "none").code
        == 0
    )
    said = diffmidi("evaluate", mine, "--checkpoint", "6", "-o", "evaluate.levels=2")
    assert said.code == 0, said.err
    drawn = json.loads((mine / "draws/2/figures.json").read_text())
    assert (drawn["request"]["model"]["step"], drawn["request"]["request"]["sampler"]["name"]) == (2, "ancestral")
    assert set(drawn["pieces"]) == {"001", "002"}
    assert json.loads((mine / "figures/step-000006.json").read_text())["checkpoint"] == 6
    assert "checkpoint 6 and draw 2" in said.err
    first = (mine / "draws/1/figures.json").read_bytes()
    assert diffmidi("evaluate", mine, "--draw", "1", "-o", "evaluate.levels=2").code == 0
    assert json.loads((mine / "draws/1/figures.json").read_text())["figures"] == json.loads(first)["figures"]


def test_what_a_killed_draw_left_is_no_music(diffmidi, mine):
    draw = mine / "draws/1"
    before = lines(draw / "record.jsonl")
    with (draw / "record.jsonl").open("a") as file:
        file.write('{"number": 3, "notes": 9, "record": {}, "tok')
    (draw / ".writing-x.mid").write_bytes(b"half")
    (draw / "003.mid").write_bytes(b"half")
    assert diffmidi("evaluate", mine, "-o", "evaluate.levels=2").code == 0
    assert set(json.loads((draw / "figures.json").read_text())["pieces"]) == {"001", "002"}
    assert diffmidi("render", mine).code == 0
    assert not (draw / "003.wav").exists()
    assert len(before) == 2


def test_other_music_is_measured_and_the_run_goes_on_naming_its_own(diffmidi, mine, tmp_path, music):
    other = tmp_path / "other"
    other.mkdir()
    for piece in list(music.iterdir())[:3]:
        (other / piece.name).write_bytes(piece.read_bytes())
    before = {path: path.read_bytes() for path in (mine / "config.json", mine / "figures/step-000006.json")}
    said = diffmidi("evaluate", mine, "--data", other, "-o", "evaluate.levels=2", "-o", "evaluate.windows=4")
    assert said.code == 0, said.err
    found = json.loads((mine / "figures/step-000006.other.json").read_text())
    assert found["split"] == "all"
    assert found["figures"]["bound_bpw"]["count"] == 4
    assert {path: path.read_bytes() for path in before} == before


def test_any_midi_files_can_be_judged_beside_a_run_or_a_folder(diffmidi, mine, music):
    said = diffmidi("evaluate", "--samples", music, "--against", mine, "--out", "figures.json")
    assert said.code == 0, said.err
    found = json.loads(Path("figures.json").read_text())
    assert found["figures"]["pitch_range"]["interval"] is not None
    assert "bound_bpw" not in found["figures"]
    assert diffmidi("evaluate", "--samples", mine / "draws/1", "--against", music).code == 0
    missing = diffmidi("evaluate", "--samples", music)
    assert missing.code == 2
    assert "--samples FOLDER needs something to compare with" in missing.err


def test_names_are_chosen_once_and_tell_what_they_may_not_be(diffmidi, mine):
    assert diffmidi("sample", mine, "--name", "slow", "--render", "none", "--samples", "1").code == 0
    assert (mine / "draws/slow/001.mid").is_file()
    for name, text in (
        ("slow", "already"),
        ("7", "is no number"),
        ("step-5", "does not begin with step-"),
        ("a/b", "letters"),
    ):
        said = diffmidi("sample", mine, "--name", name, "--render", "none")
        assert said.code == 2
        assert text in said.err
    assert diffmidi("render", mine, "--draw", "slow").code == 0


def test_an_exported_model_draws_into_the_working_folder(diffmidi, mine):
    assert diffmidi("export", mine, "--to", "model").code == 0
    said = diffmidi("sample", "model", "--samples", "1", "--out", "new/song.mid", "--render", "none")
    assert said.code == 0, said.err
    assert Path("draws/1/001.mid").read_bytes() == Path("new/song.mid").read_bytes()
    assert not Path("model/draws").exists()


def test_music_of_ones_own_runs_is_not_learned_from(diffmidi, music, tmp_path, monkeypatch):
    home = tmp_path / "music"
    home.mkdir()
    for piece in music.iterdir():
        (home / piece.name).write_bytes(piece.read_bytes())
    monkeypatch.chdir(home)
    for number in (1, 2):
        said = diffmidi("run", "--data", ".", *TRAINED, *QUIET, "--steps", "3", "--samples", "2")
        assert said.code == 0, said.err
        assert json.loads(Path(f"runs/mmm-modern-{number}/data/data.json").read_text())["found"] == 12
        # An exported model has a sample beside it, and draws into ./draws; a killed draw has a piece without record.
        assert diffmidi("export", f"runs/mmm-modern-{number}", "--to", f"model {number}").code == 0
        assert Path(f"model {number}/sample.mid").is_file()
        assert diffmidi("sample", f"model {number}", "--samples", "2", "--render", "none").code == 0
        Path(f"draws/{number}/record.jsonl").write_text("")
    shutil.copytree("runs/mmm-modern-1", "of another name")
    assert diffmidi("prepare", ".", "--out", "last").code == 0
    assert json.loads(Path("last/data/data.json").read_text())["found"] == 12


def test_new_pieces_are_on_the_page(diffmidi, mine):
    assert diffmidi("sample", mine, "--seed", "9", "--samples", "1", "--checkpoint", "2", "--bars", "1").code == 0
    assert diffmidi("evaluate", mine, "--checkpoint", "2", "-o", "evaluate.levels=2").code == 0
    before = (mine / "config.json").read_bytes()
    said = diffmidi("report", mine)
    assert said.code == 0, said.err
    assert "mine/report.html" in said.out
    page = (mine / "report.html").read_text()
    newest, others = page.split("<h3>Draw 2</h3>")[1].split("<h3>Draw 1</h3>", 1)
    assert "<dt>Seed</dt><dd>9</dd><dt>Checkpoint</dt><dd>iteration 2</dd>" in newest
    assert newest.count('class="card"') == newest.count("<audio") == 1
    assert "Draw 1: 2 pieces, as long as training windows, by confidence in 3 steps, seed 0, iteration 6" in others
    assert others.count('class="card"') == 2
    assert others.index("Checkpoint of iteration 6") < others.index("Checkpoint of iteration 2")
    assert "1 piece of draw 2" in others
    assert str(mine.resolve().parent) not in page
    assert (mine / "config.json").read_bytes() == before


def test_a_piece_that_is_too_long_for_sound_costs_nothing_else(diffmidi, mine, monkeypatch):
    monkeypatch.setattr("diffmidi_io.sound.LONGEST", 0.1)
    said = diffmidi("render", mine)
    assert said.code == 0, said.err
    assert "wav leaves out piece 2: this piece lasts" in " ".join(said.err.split())
    assert "waveform leaves out piece 1" in " ".join(said.err.split())
    assert "mine/draws/1/002{.mid,.roll.png" in said.out
