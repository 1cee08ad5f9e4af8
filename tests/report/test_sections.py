"""The built-in sections: what a finished run shows, and what a run that lacks something says instead."""

import base64
import io
import json
import re
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

from .conftest import music, tone


def built(folder, pieces=None, **options):
    """The sections of a run folder, whose training music was `pieces`."""
    report = find("hook", "report").build(options)
    config = json.loads((folder / "config.json").read_text())
    found = folder / "figures.json"
    figures = json.loads(found.read_text())["figures"] if found.exists() else {}
    names = list(pieces or {})
    training = TrainingMusic(names, lambda number: pieces[names[number]], lambda number: []) if pieces else None
    asked = {"folder": folder, "config": config, "figures": figures, "training": lambda: training}
    hooks = Hooks([("report", report)])
    answers = hooks.emit("report_sections", **asked)
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
        *("2.5 bits per word", "3.55 M parameters", "104 k notes in 409 pieces", "1,000 iterations"),
        "9.9 times through the music, transposed by up to 5 semitones",
        *("22 of them held out", "masked diffusion on bert, loglinear schedule, mmm words in windows of 128"),
        *("judged at iteration 400", "1 × cpu in fp32, 812 MB at most", "torch 2.13.0", "Seed 0"),
        *("1 option set otherwise than by default", "train.lr=0.002", "Preset best Training"),
    ):
        assert part in said


@pytest.mark.parametrize(
    ("epochs", "said"), [(0.04, "0.04 times"), (9.89, "9.9 times"), (345.2, "345 times"), (12345.6, "12,346 times")]
)
def test_the_overview_says_how_often_music_was_heard(finished, epochs, said):
    facts = json.loads((finished / "run.json").read_text())
    (finished / "run.json").write_text(json.dumps({**facts, "epochs": epochs, "transpose": 0}))
    assert f"1,000 iterations, {said} through the music, in its own keys" in text(html(finished)["Overview"])


def test_the_overview_says_where_a_run_departs_from_its_preset(finished):
    file = finished / "config.json"
    config = json.loads(file.read_text())
    config["process"]["options"]["typed"] = False
    file.write_text(json.dumps(config))
    assert "Preset best, but for process.typed" in text(html(finished)["Overview"])
    config["preset"] = None
    file.write_text(json.dumps(config))
    assert "Preset" not in text(html(finished)["Overview"])


def test_figures_stand_beside_held_out_music_with_their_intervals(finished):
    said = text(html(finished)["Figures"])
    assert "bound_bpw bits per word 2.5 2.31 to 2.69" in said
    assert "2 samples, beside held-out music" in said
    assert "1 could not be measured 3.25 ± 0.1 3.75 3.5 to 4" in said
    assert "0.000059" in said
    assert said.endswith("1 no likelihood of the music")
    assert "nothing" not in said


def test_word_types_are_sorted_by_what_they_cost(finished):
    section = html(finished)["Bits by word type"]
    assert re.findall(r"width: ([\d.]+)%", section) == ["100.0", "30.8"]
    assert text(section).index("pitch") < text(section).index("shift")


def test_the_curves_and_where_they_part(finished):
    section = html(finished)["Training"]
    assert section.count("<svg") == 2
    assert "The curves part at iteration 400" in text(section)
    assert "they part at 400" in section
    assert "#0" not in section, "a colour that the page's style does not know"
    ids = re.findall(r'\bid="([^"]*)"', section)
    assert len(ids) == len(set(ids))


def test_curves_that_stay_together_and_too_few_looks(finished):
    log = finished / "metrics.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines if line["step"] <= 300))
    assert "cannot be said of 3 looks" in text(html(finished)["Training"])
    for line in lines:
        if "heldout/bound_bpw" in line:
            line["heldout/bound_bpw"] = 5 - line["step"] / 500
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "The curves do not part" in text(html(finished)["Training"])


def test_a_sample_is_heard_and_seen_and_stands_beside_its_nearest_training_passage(finished):
    section = html(finished, {"bach <1>": music(5)})["Samples"]
    first, second = section.split('<li class="card">')[1:]
    assert "8 notes, C4 to G4, 3.9 s" in first
    assert "8 notes, C♯4 to G♯4" in second
    assert 'src="data:audio/wav;base64,' in first
    assert 'href="data:audio/midi;base64,' in first
    assert "bach &lt;1&gt;" in first
    assert "note 2 (3 notes shared)" in text(first)
    marked = re.findall(r'class="marked" d="([^"]+)"', first)
    assert [path.count("M") for path in marked] == [3, 3]
    times = [re.findall(r"M([\d.]+)", path) for path in marked]
    assert times[0] == times[1], "the passage stands right below the notes that it shares"
    assert "marked" not in second


def test_training_music_that_is_gone_is_said(finished):
    assert "3 notes on end stand in the training music too, which is not at hand" in text(html(finished)["Samples"])


def test_the_words_of_a_sample_by_type(finished):
    section = html(finished)["Words"]
    assert "sample-0-000 as the model wrote it (checkpoint=400 sampler=ddpm)" in text(section)
    assert "t 2 p 2 v 2 d 2 [SEP] 1" in text(section)
    assert section.count('<code class="t1">') == 3


def test_a_run_that_has_only_begun_gives_a_smaller_report(finished):
    for path in sorted(finished.rglob("*"), reverse=True):
        if path.name != "config.json":
            path.rmdir() if path.is_dir() else path.unlink()
    found = {title: text(section) for title, section in html(finished).items()}
    assert set(found) == {"Overview", "Samples", "Figures", "Training"}
    assert "the run has not been trained yet" in found["Overview"]
    assert "There is no music yet: diffmidi sample RUN" in found["Samples"]
    assert "diffmidi evaluate RUN" in found["Figures"]
    assert "There is no curve to draw" in found["Training"]


def test_missing_and_damaged_files_are_named(finished):
    samples = finished / "samples"
    (samples / "sample-0-000.wav").unlink()
    (samples / "sample-0-001.mid").unlink()
    (samples / "sample-0-000.mid").write_bytes(b"no music")
    (samples / "sample-0-000.txt").unlink()
    (finished / "run.json").write_text("{")
    with (finished / "metrics.jsonl").open("a") as log:
        log.write('{"step": 1010, "lo')
    found = {title: text(section) for title, section in html(finished).items()}
    assert "No sound: there is no sample-0-000.wav, which the renderer wav makes." in found["Samples"]
    assert "sample-0-000.mid" in found["Samples"]
    assert "No piano roll: there is no sample-0-001.mid." in found["Samples"]
    assert "run.json is not valid JSON" in found["Overview"]
    assert "Words" not in found


def test_sound_that_cannot_be_read_is_named(finished):
    (finished / "samples" / "sample-0-000.wav").write_bytes(b"RIFF")
    tone(finished / "samples" / "sample-0-001.wav", 1.0, width=1)
    said = text(html(finished)["Samples"])
    assert "sample-0-000.wav cannot be read as sound" in said
    assert "sample-0-001.wav is not 16-bit sound" in said
    assert said.count("8 notes") == 2, "the music is still seen"


def test_only_so_many_samples_are_shown(finished):
    assert html(finished, samples=1)["Samples"].count('class="card"') == 1
    assert "1 of 2 piece" in text(html(finished, samples=1)["Samples"])
    assert "asked to show none of the 2 samples" in text(html(finished, samples=0)["Samples"])


@pytest.mark.parametrize(
    ("megabytes", "rate", "seconds"), [(6, 24_000, 4.5), (0.5, 16_000, 4.5), (0.1, 12_000, 1.5625)]
)
def test_sound_that_would_take_too_much_room_is_dulled_then_cut(finished, megabytes, rate, seconds):
    section = html(finished, megabytes=megabytes)["Samples"]
    sounds = re.findall(r"data:audio/wav;base64,([^\"]+)", section)
    assert sum(map(len, sounds)) <= megabytes * 1e6 * 1.01
    with wave.open(io.BytesIO(base64.b64decode(sounds[0]))) as file:
        data = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 2**15
        assert (file.getnchannels(), file.getframerate()) == (1, rate)
    assert len(data) / rate == pytest.approx(seconds, abs=0.01)
    spectrum = abs(np.fft.rfft(data * np.hanning(len(data))))
    assert spectrum.argmax() * rate / len(data) == pytest.approx(440, abs=2), "the pitch is what it was"
    assert abs(data).max() == pytest.approx(0.5, abs=0.01), "and the loudness"
    assert ("The first 1.6 of 4.5 seconds" in text(section)) == (seconds < 4.5)


def test_names_and_words_are_escaped(finished):
    evil = "<img src=x onerror=alert(1)>"
    (finished / "samples" / "sample-0-000.txt").write_text(f"# {evil}\n{evil} p1\n")
    figures = json.loads((finished / "figures.json").read_text())
    figures["figures"] = {evil: {**figures["figures"]["bound_bpw"], "unit": evil, "note": evil}}
    (finished / "figures.json").write_text(json.dumps(figures))
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
