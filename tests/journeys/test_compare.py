"""`diffmidi compare`: finished runs side by side, on the screen."""

import csv
import json
from pathlib import Path

import pytest

from diffmidi_core.files import write_json
from diffmidi_core.judge.judged import Judged
from diffmidi_core.saved.draw import DrawFolder

from .conftest import QUIET, TINY
from .left import better, cells, figure, judged, leave_draw


def test_what_differs_what_it_took_and_what_was_measured(diffmidi, leave):
    one = leave("one", figures={"bound_bpw": figure(4.5, error=0.25), "x": figure(1.0, interval=[0.5, 1.5])})
    two = leave("two", "train.lr=0.5", backbone="electra", figures={"bound_bpw": None})
    said = diffmidi("compare", one, two)
    assert said.code == 0, said.err
    assert said.out.split()[:2] == ["one", "two"]
    assert cells(said, "backbone ") == ["modern", "electra"]
    assert cells(said, "train.lr") == ["0.002", "0.5"]
    assert cells(said, "steps/s (median)")[-1] == "2"
    assert cells(said, "peak memory, MiB")[-1] == "512"
    assert cells(said, "lowest held-out bound")[-1] == "4"
    assert cells(said, "bound_bpw, bits per token") == ["4.5 ± 0.25", "-"]
    assert cells(said, "x, bits per token") == ["1 [0.5, 1.5]", "-"]
    assert "train.clip" not in said.out, "what all runs have alike is left out"
    assert "do not compare" not in said.out


def test_figures_are_of_the_newest_checkpoint_and_of_the_newest_draw_that_were_judged(diffmidi, leave):
    one = leave("one", figures={"bound_bpw": figure(4.5)})
    write_json(one / "figures" / "step-000010.json", judged(10, {"bound_bpw": figure(1.0)}))
    write_json(one / "figures" / "step-000030.jazz.json", judged(30, {"bound_bpw": figure(2.0)}))
    leave_draw(one, "1", figures={"polyphony": figure(1.5)})
    leave_draw(one, "evening", hour=1, step=10, seed=7, figures={"polyphony": figure(2.5)}, temperature=0.9)
    leave_draw(one, "3", hour=2)
    leave_draw(one, "step-10", hour=3, figures={"polyphony": figure(3.5)})
    two = leave("two")
    said = diffmidi("compare", one, two, "--csv", "table.csv")
    assert said.code == 0, said.err
    assert cells(said, "checkpoint") == ["20", "-"]
    assert cells(said, "judged on") == ["test", "-"]
    assert cells(said, "bound_bpw, bits per token") == ["4.5", "-"]
    assert cells(said, "draw  ") == ["evening", "-"]
    assert cells(said, "draw is of checkpoint") == ["10", "-"]
    assert cells(said, "draw's seed") == ["7", "-"]
    assert cells(said, "sampler.temperature") == ["0.9", "-"]
    assert cells(said, "polyphony, bits per token") == ["2.5", "-"]
    with open("table.csv", newline="") as file:
        line = next(csv.DictReader(file))
    assert (line["checkpoint"], line["draw"], line["polyphony"]) == ("20", "evening", "2.5")


def test_segments_are_what_the_run_was_asked_in_the_end(diffmidi, leave):
    change = {"train.iterations": [300, 800]}
    segments = [{"from": 0, "to": 300, "changed": {}}, {"from": 300, "to": 800, "changed": change}]
    began = {"run": "/home/me/runs/base", "step": 20, "iterations": 20, "weights": "w"}
    said = diffmidi("compare", leave("one"), leave("two", facts={"segments": segments, "began": began}))
    assert said.code == 0, said.err
    assert cells(said, "train.iterations") == ["300", "800"]
    assert cells(said, "segments") == ["-", "to 300, to 800 with train.iterations"]
    assert cells(said, "began from") == ["-", "base at 20"]
    assert "/home" not in said.out


def test_of_places_only_as_much_is_shown_as_tells_them_apart(diffmidi, leave):
    one, two = leave("a/run", data="/home/me/one/bach"), leave("b/run", data="/home/me/two/bach")
    said = diffmidi("compare", one, two, "--html", "table.html")
    assert said.code == 0, said.err
    assert cells(said, "data") == ["one/bach", "two/bach"]
    assert "/home" not in said.out + Path("table.html").read_text()


def test_a_package_that_is_gone_is_not_needed(diffmidi, leave):
    one = leave("one", "train.lr=0.5")
    config = json.loads((one / "config.json").read_text())
    config["schedule"] = {"name": "power", "package": "acme-music", "version": "1", "options": {"exponent": 3}}
    (one / "config.json").write_text(json.dumps(config))
    said = diffmidi("compare", one, leave("two"))
    assert said.code == 0, said.err
    assert cells(said, "schedule ") == ["acme-music:power", "loglinear"]
    assert cells(said, "schedule.exponent") == ["3", "-"]


def test_runs_on_other_music_or_tokens_are_told_apart(diffmidi, leave):
    said = diffmidi("compare", leave("one"), leave("two", found=11, tokens="v"))
    assert "did not have the same music" in said.out
    assert "bits per note do" in said.out


def test_runs_that_were_judged_on_other_shares_are_told_apart(diffmidi, leave):
    one, two = leave("one", figures={"x": figure(1)}), leave("two", figures={"x": figure(1)})
    assert "same share" not in diffmidi("compare", one, two).out
    write_json(two / "figures" / "step-000020.json", judged(20, {"x": figure(1)}, split="heldout"))
    assert "not all judged on the same share of their music: heldout and test" in diffmidi("compare", one, two).out


def test_runs_of_one_name_are_told_apart_by_their_paths(diffmidi, leave):
    leave("a/run"), leave("b/run")
    assert diffmidi("compare", "a/run", "b/run").out.split()[:2] == ["a/run", "b/run"]


def test_a_run_that_has_only_begun_is_shown_with_what_it_has(diffmidi, music, leave):
    assert diffmidi("prepare", music, "--out", "begun").code == 0
    said = diffmidi("compare", leave("one"), "begun")
    assert said.code == 0, said.err
    assert cells(said, "parameters") == ["1,000", "-"]


def test_a_real_run_is_read(diffmidi, music):
    diffmidi("run", "--data", music, "--out", "mine", *TINY, *QUIET)
    said = diffmidi("compare", "mine", "--csv", "mine.csv")
    assert said.code == 0, said.err
    with open("mine.csv", newline="") as file:
        (line,) = csv.DictReader(file)
    found = Judged.of_checkpoint(Path("mine/figures/step-000006.json"))
    music = Judged.of_draw(DrawFolder(Path("mine/draws/1")))
    assert float(line["bound_bpw"]) == found.known["bound_bpw"].value
    assert float(line["polyphony"]) == music.known["polyphony"].value
    assert line["iterations"] == line["checkpoint"] == line["draw is of checkpoint"] == "6"
    assert line["draw"] == "1"
    assert float(line["peak memory, MiB"]) > 0


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        ("config.json", None, "there is no run in"),
        ("config.json", "{", "is not valid JSON"),
        ("config.json", "[]", "does not hold one JSON object"),
        ("run.json", "3", "does not hold one JSON object"),
        ("figures/step-000006.json", '{"figures": {"x": 3}}', "holds no figures"),
        ("figures/step-000006.json", '{"figures": [3]}', "holds no figures"),
        ("figures/step-000006.json", "[3]", "does not hold one JSON object"),
    ],
)
def test_a_bad_run_folder_is_one_sentence(diffmidi, leave, file, text, sentence):
    bad = leave("bad") / file
    bad.unlink(missing_ok=True)
    bad.parent.mkdir(exist_ok=True)
    if text is not None:
        bad.write_text(text)
    said = diffmidi("compare", leave("good"), "bad")
    assert said.code == 1
    assert sentence in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert said.out == ""


def test_no_runs_is_a_mistake(diffmidi):
    said = diffmidi("compare")
    assert said.code == 2
    assert "RUN" in said.err


ODD = "\x1b[2J\x07odd"


def test_what_others_named_cannot_move_the_cursor(diffmidi, leave):
    odd = leave(
        ODD,
        facts={"device": ODD},
        figures={f"x/{ODD}": figure(1, unit=ODD, title=ODD, reference=2, music=ODD)},
        data=f"/home/{ODD}",
    )
    write_json(odd / "figures" / "step-000020.json", judged(20, {ODD: figure(1, title=ODD)}, split=ODD))
    said = diffmidi("compare", odd, leave("two", figures={"x": figure(1)}), "--csv", "t.csv", "--html", "t.html")
    assert said.code == 0, said.err
    for text in (said.out, said.err, Path("t.csv").read_text(), Path("t.html").read_text()):
        assert "\x1b" not in text
        assert "\x07" not in text
    assert "\\x1b[2J\\x07odd" in said.out


@pytest.mark.parametrize("count", [2, 7])
def test_a_narrow_screen_has_blocks_with_every_figure(diffmidi, leave, monkeypatch, count):
    runs = [
        leave(f"a quite long name {n}", f"train.lr=0.{n}", figures={"bound_bpw": better(n + 0.25, n, n + 0.5)})
        for n in range(1, count + 1)
    ]
    monkeypatch.setenv("COLUMNS", "80")
    said = diffmidi("compare", *runs)
    assert said.code == 0, said.err
    assert max(map(len, said.out.splitlines())) <= 80
    for number in range(1, count + 1):
        assert f"{number}.25 [{number}, {number}.5]" in said.out


def test_a_figure_that_no_run_has_is_one_sentence(diffmidi, leave):
    said = diffmidi("compare", leave("one", figures={"bound_bpw": figure(1)}), "--figure", "bound_bpv")
    assert said.code == 2
    assert "no run has such a figure. Did you mean 'bound_bpw'?" in said.err
