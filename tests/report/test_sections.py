"""The built-in sections: what a finished run shows, and what a run that lacks something says instead."""

import base64
import io
import json
import re
import shutil
import subprocess
import sys
import wave

import numpy as np
import pytest
from markupsafe import Markup

from diffmidi.api import DiffmidiError
from diffmidi.api.metric import TrainingMusic
from diffmidi_core.hooks import Hooks
from diffmidi_core.registry import find
from diffmidi_core.saved.draw import DrawFolder
from diffmidi_core.sections import Part
from diffmidi_core.show.report import write
from diffmidi_report.words import placeless

from .conftest import FIGURE, judge, judge_draw, leave_draw, music, tone


def built(folder, pieces=None, **options):
    """The sections of a run folder, whose training music was `pieces`."""
    report = find("hook", "report").build(options)
    config = json.loads((folder / "config.json").read_text())
    names = list(pieces or {})
    training = TrainingMusic(names, lambda number: pieces[names[number]], lambda number: []) if pieces else None
    hooks = Hooks([("report", report)])
    answers = hooks.emit("report_sections", folder=folder, config=config, training=lambda: training)
    assert hooks.warnings == []
    return answers["report"]


def html(folder, pieces=None, **options) -> dict[str, str]:
    """Each section's HTML by its title."""
    return {each.title: "".join(each.content) for each in built(folder, pieces, **options)}


def text(section: str) -> str:
    """What a reader sees of it."""
    seen = re.sub(r"<style>.*?</style>|<wbr>", "", section, flags=re.DOTALL)
    return " ".join(Markup(re.sub(r"<[^>]*>", " ", seen)).unescape().split())


def test_the_overview_says_what_was_run_on_what(finished):
    said = text(html(finished)["Overview"])
    for part in (
        "2.5 bits per token, at most, on test music, at iteration 400",
        *("3.55 M parameters", "104 k notes in 409 pieces", "1,000 iterations"),
        "9.9 times through the music, transposed by up to 5 semitones",
        *("22 of them held out, 41 kept for the test", "414,060 tokens"),
        "masked diffusion on modern, loglinear schedule, mmm tokens in windows of 1,024",
        *("1 × cpu in fp32, 812 MB at most", "torch 2.13.0", "learning rate 0.002, seed 0"),
        *("1 option set otherwise than by default", "train.lr=0.002", "Preset best Training"),
    ):
        assert part in said


def facts(run, **more):
    file = run / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **more}))


def segment(begin, end, *, device="cpu", **changed):
    changed = {name.replace("__", "."): pair for name, pair in changed.items()}
    return {"from": begin, "to": end, "changed": changed, "device": device, "precision": "fp32"}


@pytest.mark.parametrize(
    ("segments", "said"),
    [
        ([segment(0, 400)], None),
        ([segment(0, 200), segment(200, 300), segment(300, 400)], "Trained to 400 (stopped and resumed 2 times)."),
        (
            [segment(0, 400), segment(400, 800, train__iterations=[400, 800], train__patience=[0, 3])],
            "then on to 800 with train.iterations 800 instead of 400 and train.patience 3 instead of 0.",
        ),
        (
            [segment(0, 400), segment(400, 800, device="cuda"), segment(800, 900, device="cuda")],
            "Trained to 400, then on to 900 on cuda (stopped and resumed once).",
        ),
        (
            [segment(0, 1), segment(1, 2, hooks=[[{"name": "console"}], [{"name": "console"}, {"name": "track"}]])],
            "then on to 2 with hooks console, track instead of console.",
        ),
        ([segment(0, 1), segment(1, 2, prepare__labels=["/home/me/a.csv", None])], "labels none instead of a.csv."),
    ],
)
def test_the_overview_tells_how_training_went_on(finished, segments, said):
    facts(finished, segments=segments)
    told = text(html(finished)["Overview"])
    if said is None:
        assert "Trained to" not in told
    else:
        assert said in told


def test_the_overview_names_the_run_that_it_began_from(finished):
    facts(finished, began={"run": "/home/me/runs/base", "step": 1200, "iterations": 2400, "weights": "abc"})
    said = text(html(finished)["Overview"])
    assert "Began from the weights of base at iteration 1,200, when they had been trained for 2,400 iterations." in said
    assert "/home" not in said


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


@pytest.mark.parametrize(
    ("epochs", "said"), [(0.04, "0.04 times"), (9.89, "9.9 times"), (345.2, "345 times"), (12345.6, "12,346 times")]
)
def test_the_overview_says_how_often_music_was_heard(finished, epochs, said):
    facts(finished, epochs=epochs, transpose=0)
    assert f"1,000 iterations, {said} through the music, not transposed" in text(html(finished)["Overview"])


def test_the_overview_says_where_a_run_departs_from_its_preset(finished):
    file = finished / "config.json"
    config = json.loads(file.read_text())
    config["process"]["options"]["typed"] = False
    file.write_text(json.dumps(config))
    assert "Preset best, but for process.typed" in text(html(finished)["Overview"])
    config["preset"] = None
    file.write_text(json.dumps(config))
    assert "Preset" not in text(html(finished)["Overview"])


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


def test_a_piece_is_heard_and_seen_and_stands_beside_its_nearest_training_passage(finished):
    section = html(finished, {"bach <1>": music(5)})["Samples"]
    first, second = section.split('<li class="card">')[1:]
    assert "8 notes, C4 to G4, 3.9 s" in first
    assert "8 notes, C♯4 to G♯4" in second
    assert 'src="data:audio/wav;base64,' in first
    assert 'href="data:audio/midi;base64,' in first
    assert 'download="1-001.mid"' in first
    assert "bach &lt;1&gt;" in first
    assert "note 2 (3 notes shared)" in text(first)
    marked = re.findall(r'class="marked" d="([^"]+)"', first)
    assert [path.count("M") for path in marked] == [3, 3]
    times = [re.findall(r"M([\d.]+)", path) for path in marked]
    assert times[0] == times[1], "the passage stands right below the notes that it shares"
    assert "marked" not in second


def test_training_music_that_is_gone_is_said(finished):
    assert "3 notes on end stand in the training music too, which is not at hand" in text(html(finished)["Samples"])


def options_of(section: str) -> list[str]:
    """The draws that can be chosen."""
    return [text(each) for each in re.findall(r"<option.*?</option>", section)]


def test_the_newest_draw_is_first_with_what_was_asked_and_the_others_can_be_chosen(finished):
    leave_draw(finished, "night", hour=2, step=1000, count=1, seed=7, steps=50, length="windows")
    leave_draw(finished, "step-200", hour=9, step=200, count=1)
    above, *draws = html(finished)["Samples"].split('<div class="draw">')
    assert text(draws[0]).startswith(
        "Draw night Pieces 1 piece, as long as training windows Sampler confidence (temperature 0.9) Steps 50 Seed 7 "
        "Checkpoint iteration 1,000 Drawn 2026-07-01 02:00 UTC"
    )
    assert options_of(above) == [
        "night, the newest: 1 piece, as long as training windows, by confidence in 50 steps, seed 7, iteration 1,000",
        "1: 2 pieces of 8 bars, by confidence in 20 steps, seed 0, iteration 400",
        "step-200, made while training: 1 piece of 8 bars, by confidence in 20 steps, seed 0, iteration 200",
    ]
    assert [each.count('class="card"') for each in draws] == [1, 2, 1]
    assert "polyphony" in draws[1], "its own figures are with it"


def test_a_single_draw_leaves_no_choice(finished):
    assert "<select" not in html(finished)["Samples"]


def test_only_so_many_draws_can_be_chosen_and_the_others_are_named(finished):
    for number in range(2, 6):
        leave_draw(finished, str(number), hour=number, count=1)
    section = html(finished, draws=2)["Samples"]
    assert [each.partition(":")[0] for each in options_of(section)] == ["5, the newest", "4"]
    assert section.count('<div class="draw">') == 2
    assert "3 more draws in the run's folder" in text(section)
    assert all(f"Draw {number}: " in text(section) for number in (3, 2, 1))


def test_what_training_drew_is_never_the_first(finished):
    shutil.rmtree(finished / "draws" / "1")
    leave_draw(finished, "step-200", hour=9, step=200)
    found = html(finished)
    assert text(found["Samples"]).startswith(
        "There is no music yet: diffmidi sample RUN draws some. Draw step-200, made"
    )
    assert "Tokens" not in found


def test_draws_that_were_stopped_or_damaged_are_told(finished):
    leave_draw(finished, "2", hour=1, count=1, length="30 seconds")
    (finished / "draws" / "2" / "record.jsonl").write_text("{")
    leave_draw(finished, "3", hour=2)
    (finished / "draws" / "3" / "request.json").write_text("[]")
    short = leave_draw(finished, "4", hour=3, count=1)
    piece = short.pieces()[0].model_copy(update={"record": {"short": 1}})
    short.record_file.write_text(piece.model_dump_json() + "\n" + '{"number": 2, "no')
    (short.path / ".writing-abc.mid").write_bytes(b"left behind")
    found = {title: text(section) for title, section in html(finished).items()}
    assert "draws/3/request.json is not the request of a draw" in found["Overview"]
    assert "There is no piece in draws/2: its drawing was stopped before the first was done." in found["Samples"]
    assert "It got stuck before it was 8 bars long" in found["Samples"].split("Draw 1")[0]
    assert "writing" not in "".join(found.values())


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


def test_sound_that_cannot_be_read_is_named(finished):
    (finished / "draws" / "1" / "001.wav").write_bytes(b"RIFF")
    tone(finished / "draws" / "1" / "002.wav", 1.0, width=1)
    said = text(html(finished)["Samples"])
    assert "001.wav cannot be read as sound" in said
    assert "002.wav is not 16-bit sound" in said
    assert said.count("8 notes") == 2, "the music is still seen"


def test_only_so_many_pieces_are_shown(finished):
    assert html(finished, samples=1)["Samples"].count('class="card"') == 1
    assert "1 of 2 pieces." in text(html(finished, samples=1)["Samples"])
    assert "asked to show none of the 2 pieces" in text(html(finished, samples=0)["Samples"])


def sounds(section):
    return re.findall(r"data:audio/wav;base64,([^\"]+)", section)


def page_size(folder, megabytes):
    write(folder / "report.html", "run", built(folder, megabytes=megabytes))
    return (folder / "report.html").stat().st_size


@pytest.mark.parametrize(
    ("megabytes", "rate", "seconds"), [(6, 24_000, 4.5), (0.6, 16_000, 4.5), (0.25, 12_000, None), (0.15, None, None)]
)
def test_sound_that_would_take_too_much_room_is_dulled_then_cut_then_left_out(finished, megabytes, rate, seconds):
    assert page_size(finished, megabytes) <= megabytes * 1e6
    section = html(finished, megabytes=megabytes)["Samples"]
    if rate is None:
        assert sounds(section) == []
        assert "There is no room for its sound on this page (report.megabytes): it is in draws/1/001.wav." in text(
            section
        )
        return
    with wave.open(io.BytesIO(base64.b64decode(sounds(section)[0]))) as file:
        data = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 2**15
        assert (file.getnchannels(), file.getframerate()) == (1, rate)
    assert ("of 4.5 seconds" in text(section)) == (seconds is None)
    if seconds is not None:
        assert len(data) / rate == pytest.approx(seconds, abs=0.01)
    spectrum = abs(np.fft.rfft(data * np.hanning(len(data))))
    assert spectrum.argmax() * rate / len(data) == pytest.approx(440, abs=2), "the pitch is what it was"
    middle = data[len(data) // 4 : -len(data) // 4]  # a tone that is cut within a wave rings at its ends
    assert abs(middle).max() == pytest.approx(0.5, abs=0.01), "and the loudness"


@pytest.mark.parametrize("megabytes", [0.3, 1, 3])
def test_many_draws_stay_below_the_limit_and_the_newest_is_whole(finished, megabytes):
    for number in range(2, 40):
        leave_draw(finished, str(number), hour=number % 24, seed=number, count=3 if number == 23 else 1)
    assert page_size(finished, megabytes) <= megabytes * 1e6
    _, open_, *folded = html(finished, draws=99, megabytes=megabytes)["Samples"].split('<div class="draw">')
    assert text(open_).startswith("Draw 23 ")
    assert open_.count('class="card"') == 3
    heard = [len(sounds(each)) for each in (open_, *folded)]
    assert heard[0] == (3 if megabytes > 0.3 else heard[0])
    assert sum(heard[1:]) == 0 or heard[0] == 3, "the newest is heard first"
    shown = sum('class="card"' in each for each in folded)
    left = text(folded[-1].partition("<details>")[2]) if "more draw" in folded[-1] else ""
    assert shown + (int(left.split()[0]) if left else 0) == 38
    assert ("Draw 1: " in left) == (megabytes == 0.3)


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
    for text in ("in 4/4 and 3/8", "see https://example.org/a/b", "and/or", "12 / 3"):
        assert placeless(text) == text
