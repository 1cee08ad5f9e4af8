"""The built-in sections: what a finished run shows, and what a run that lacks something says instead."""

import json
import re
import subprocess
import sys

import pytest

from diffmidi.api import DiffmidiError
from diffmidi_core.registry import find
from diffmidi_core.saved.draw import DrawFolder
from diffmidi_core.sections import Part
from diffmidi_report.words import placeless

from .conftest import FIGURE, judge, judge_draw, leave_draw
from .sections import facts, html, segment, text


def test_no_place_of_this_machine_is_on_the_page(finished):
    file = finished / "config.json"
    config = json.loads(file.read_text())
    config["data"], config["origin"]["data"] = "/home/me/secret/music", "flag"
    config["prepare"]["labels"] = r"C:\\Users\\me\\labels.csv"
    file.write_text(json.dumps(config))
    (finished / "figures" / "step-000500.json").write_text("{")
    (finished / "draws" / "1" / "002.mid").write_bytes(b"no music")
    (finished / "draws" / "1" / "001.wav").write_bytes(b"RIFF")
    page = html(finished)
    assert "music: 409 pieces" in text(page["Overview"])
    assert "figures/step-000500.json is not valid JSON" in text(page["Overview"])
    places = ("secret", "Users", str(finished), str(finished.parent))
    assert not [place for place in places for section in page.values() if place in section]


def test_figures_stand_beside_music_with_their_intervals(finished):
    said = text(html(finished)["Figures"])
    assert "6 windows of test music" in said
    assert "bound bpw bits per token bound_bpw 2.5 2.31 to 2.69" in said
    assert "2 pieces of draw 1, beside test music" in said
    assert "1 could not be measured 3.25 ± 0.1 3.75 3.5 to 4" in said
    assert "6.04e-06" in said
    assert "1 no likelihood of the music" in said
    assert "nothing" not in said


def test_two_checkpoints_never_share_a_table_and_the_newest_is_first(finished):
    judge(finished, {"bound_bpw": {**FIGURE, "value": 2.25}}, step=1000)
    judge(finished, {"bound_bpw": {**FIGURE, "value": 4.75}}, step=1000, other="jazz", split="all")
    found = html(finished)
    assert "2.25 bits per token, at most, on test music, at iteration 1,000" in text(found["Overview"])
    open_, folded, older = found["Figures"].split("<details>")
    assert "2.25" in open_
    assert "2.31 to 2.69" not in open_
    assert "Checkpoint of iteration 1,000 on jazz" in text(folded)
    assert "windows of jazz" in text(folded)
    assert "4.75" in folded
    assert "Checkpoint of iteration 400" in text(older)
    assert "2.31 to 2.69" in text(older)
    assert "Bits by token type" not in found, "it is of the checkpoint that was judged last, which has none"


def test_a_draw_that_is_not_judged_is_not_shown_with_another_draws_figures(finished):
    leave_draw(finished, "2", hour=1, seed=7)
    said = text(html(finished)["Figures"])
    assert "Draw 2 has not been judged yet: diffmidi evaluate RUN --draw 2 does." in said
    assert "Draw 1: 2 pieces of 8 bars, by confidence in 20 steps, seed 0, iteration 400 2 pieces of draw 1" in said


def test_token_types_are_sorted_by_what_they_cost(finished):
    section = html(finished)["Bits by token type"]
    assert re.findall(r"width: ([\d.]+)%", section) == ["100.0", "30.8"]
    assert text(section).index("pitch") < text(section).index("shift")
    assert "at iteration 400" in text(section)


def test_the_curves_and_where_the_model_overfits(finished):
    section = html(finished)["Training"]
    assert section.count("<svg") == 2
    assert "The model overfits from iteration 400 on" in text(section)
    assert "overfits from 400" in section
    assert "#0" not in section, "a colour that the page's style does not know"
    ids = re.findall(r'\bid="([^"]*)"', section)
    assert len(ids) == len(set(ids))


def test_curves_that_stay_together_and_too_few_passes(finished):
    log = finished / "metrics.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines if line["step"] <= 300))
    assert "cannot be told from 3 validation passes" in text(html(finished)["Training"])
    for line in lines:
        if "heldout/bound_bpw" in line:
            line["heldout/bound_bpw"] = 5 - line["step"] / 500
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "The model does not overfit" in text(html(finished)["Training"])


def test_the_tokens_of_a_piece_by_type(finished):
    section = html(finished)["Tokens"]
    assert "Piece 1 of draw 1 as the model wrote it." in text(section)
    assert "t 2 p 2 v 2 d 2" in text(section)
    assert section.count('<code class="t1">') == 3


def test_of_a_long_piece_only_the_first_tokens_are_shown(finished):
    record = finished / "draws" / "1" / "record.jsonl"
    first, second = map(json.loads, record.read_text().splitlines())
    record.write_text("".join(json.dumps(each) + "\n" for each in ({**first, "tokens": ["p60"] * 2500}, second)))
    section = html(finished)["Tokens"]
    assert "the first 2,000 tokens, of 2,500" in text(section)
    assert section.count("<code") == 2001


def test_a_run_that_has_only_begun_gives_a_smaller_report(finished):
    for path in sorted(finished.rglob("*"), reverse=True):
        if path.name != "config.json":
            path.rmdir() if path.is_dir() else path.unlink()
    found = {title: text(section) for title, section in html(finished).items()}
    assert list(found) == ["Samples", "Overview", "Figures", "Training"]
    assert "the run has not been trained yet" in found["Overview"]
    assert "There is no music yet: diffmidi sample RUN" in found["Samples"]
    assert "diffmidi evaluate RUN" in found["Figures"]
    assert "There is no curve to draw" in found["Training"]


def test_missing_and_damaged_files_are_named(finished):
    draw = finished / "draws" / "1"
    (draw / "001.wav").unlink()
    (draw / "002.mid").unlink()
    (draw / "001.mid").write_bytes(b"no music")
    (draw / "figures.json").write_text('{"figures": {"x": {"value": "many"}}}')
    (finished / "run.json").write_text("{")
    with (finished / "metrics.jsonl").open("a") as log:
        log.write('{"step": 1010, "lo')
    found = {title: text(section) for title, section in html(finished).items()}
    assert "No sound: there is no 001.wav, which the renderer wav makes." in found["Samples"]
    assert "001.mid" in found["Samples"]
    assert "No piano roll: there is no 002.mid." in found["Samples"]
    assert "Draws/1/figures.json holds no figures" in found["Samples"]
    assert "run.json is not valid JSON" in found["Overview"]


@pytest.mark.parametrize("value", [3, [3], "x", {"segments": 3, "began": 3, "data": 3}])
def test_facts_of_another_shape_do_no_harm(finished, value):
    (finished / "run.json").write_text(json.dumps(value))
    assert "bits per token" in text(html(finished)["Overview"])


def test_names_and_tokens_are_escaped(finished):
    evil = "<img src=x onerror=alert(1)>"
    record = finished / "draws" / "1" / "record.jsonl"
    first, second = map(json.loads, record.read_text().splitlines())
    record.write_text("".join(json.dumps(each) + "\n" for each in ({**first, "tokens": [evil, "p1"]}, second)))
    figure = {**FIGURE, "unit": evil, "note": evil}
    judge(finished, {evil: figure}, other="<img src=x>")
    judge_draw(DrawFolder(finished / "draws" / "1"), {evil: {**figure, "of": evil}})
    leave_draw(finished, "<img src=x>", hour=5, sampler=Part(name=evil, options={evil: evil}), length="30 seconds")
    facts(finished, began={"run": evil, "step": evil}, segments=[segment(0, 1), segment(1, 2, **{evil: [evil, evil]})])
    assert all("<img" not in section for section in html(finished).values())


def test_the_same_run_gives_the_same_bytes(finished):
    assert html(finished) == html(finished)


def test_building_the_listener_imports_nothing_heavy():
    asked = "from diffmidi_core.registry import find; find('hook', 'report').build(); import sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "symusic", "matplotlib", "jinja2"} & set(loaded)


def test_no_room_for_sound_is_refused():
    with pytest.raises(DiffmidiError, match="megabytes"):
        find("hook", "report").build({"megabytes": 0})


def test_no_absolute_path_stands_on_the_page(finished):
    config = json.loads((finished / "config.json").read_text())
    config["data"] = "hub:/home/ann/secret music"
    config["prepare"] |= {"labels": "/home/ann/labels.csv", "tracks": "file:///home/ann/x, C:\\\\Users\\\\ann\\\\y"}
    (finished / "config.json").write_text(json.dumps(config))
    facts = json.loads((finished / "run.json").read_text())
    facts["began"] = {"run": "/home/ann/first", "step": 3, "iterations": 3}
    (finished / "run.json").write_text(json.dumps(facts))
    (finished / "draws" / "9").mkdir()
    (finished / "draws" / "9" / "request.json").write_text("{")
    page = "".join(html(finished).values())
    for place in ("/home", "Users", str(finished), str(finished.parent)):
        assert place not in page, place
    assert "4/4" not in config["data"]


def test_addresses_and_metres_are_no_paths():
    for each in ("in 4/4 and 3/8", "see https://example.org/a/b", "and/or", "12 / 3"):
        assert placeless(each) == each
