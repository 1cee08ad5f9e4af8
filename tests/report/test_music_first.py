"""The page of a run begins with music, says in a sentence what the model is worth, and folds the figures."""

import json
import shutil

import pytest

from diffmidi.api.renderer import TRACKS, VELOCITIES, write_midi
from diffmidi_core.files import write_json
from diffmidi_core.saved.draw import DrawFolder
from diffmidi_core.show.report import write

from .conftest import FIGURE, fill, judge, judge_draw, music, tone
from .sections import built, html, text


def bits(value, low, high):
    return {**FIGURE, "value": value, "interval": [low, high]}


@pytest.mark.parametrize(
    ("counting", "said"),
    [
        (bits(3.0, 2.9, 3.1), "Better than counting (5-gram: 3): the model needs 2.5 bits per token"),
        (bits(2.0, 1.9, 2.1), "Worse than counting (5-gram: 2): the model"),
        (bits(2.6, 2.45, 2.7), "About as good as counting (5-gram: 2.6): the model"),
    ],
)
def test_a_sentence_says_whether_the_model_beats_counting(finished, counting, said):
    judge(
        finished,
        {"bound_bpw": bits(2.5, 2.4, 2.6), "baselines/5-gram": counting, "baselines/unigram": bits(9, 8, 10)},
    )
    assert said in text(html(finished)["Overview"])


def leave_autoregressive(run, name, figures, *, fingerprint="same", split="test"):
    other = fill(run.parent / name)
    config = json.loads((other / "config.json").read_text())
    config["process"]["name"] = "autoregressive"
    write_json(other / "config.json", config)
    for folder, known in ((run, "same"), (other, fingerprint)):
        told = json.loads((folder / "run.json").read_text())
        write_json(folder / "run.json", {**told, "data_fingerprint": known})
    judge(other, figures, split=split)
    return other


def test_an_autoregressive_run_beside_it_is_compared_with_where_it_heard_the_same(finished):
    judge(finished, {"bound_bpw": bits(2.5, 2.4, 2.6)})
    leave_autoregressive(finished, "<ar>", {"bound_bpw": bits(2.0, 1.9, 2.1)})
    leave_autoregressive(finished, "other music", {"bound_bpw": bits(1.0, 0.9, 1.1)}, fingerprint="other")
    leave_autoregressive(finished, "other split", {"bound_bpw": bits(1.0, 0.9, 1.1)}, split="heldout")
    overview = html(finished)["Overview"]
    assert "Worse than the autoregressive model of run <ar> (2): the model needs 2.5" in text(overview)
    assert "<ar>" not in overview


def test_nothing_is_said_where_there_is_nothing_to_compare_with(finished):
    assert 'class="verdict"' not in html(finished)["Overview"]


def test_music_is_first_and_figures_are_folded(finished):
    found = built(finished)
    assert [section.title for section in found][:3] == ["Samples", "Overview", "Figures"]
    figures = "".join(found[2].content)
    assert figures.index("<details") < figures.index("<table")


@pytest.mark.parametrize(("copied", "shown"), [(0.0, ()), (50.0, ("001",)), (100.0, ("001", "002"))])
def test_a_match_is_shown_only_where_it_is_longer_than_any_of_held_out_music(finished, copied, shown):
    pieces = {
        stem: {"originality": {"match": match, "start": 2, "piece": 0, "note": 1}}
        for stem, match in (("001", 4), ("002", 3))
    }
    figure = {**FIGURE, "value": copied, "unit": "% of samples", "count": 2, "of": "samples"}
    judge_draw(DrawFolder(finished / "draws" / "1"), {"originality/copied": figure}, pieces)
    cards = html(finished, {"bach": music(5)})["Samples"].split('<li class="card">')[1:]
    assert [stem for stem, card in zip(("001", "002"), cards, strict=True) if "Nearest training" in card] == [*shown]


def test_the_files_of_a_piece_are_linked_beside_the_page(finished):
    shutil.move(finished / "draws" / "1", finished / "draws" / 'a"<b>')
    draw = finished / "draws" / 'a"<b>'
    (draw / "001.wave.png").write_bytes(b"1")
    (draw / "001.roll.png").write_bytes(b"2")
    first, second = html(finished)["Samples"].split('<li class="card">')[1:]
    assert 'href="draws/a%22%3Cb%3E/001.roll.png" download' in first
    assert 'href="draws/a%22%3Cb%3E/001.wav" download' in first
    assert "wave.png" not in first
    assert ".png" not in second


def test_a_long_piece_has_a_wide_card(finished):
    assert 'class="drawn long"' not in html(finished)["Samples"]
    tone(finished / "draws" / "1" / "001.wav", 20.0)
    first, second = html(finished)["Samples"].split('<li class="card">')[1:]
    assert 'class="drawn long"' in first
    assert 'data-seconds="20.0" data-left="26.0" data-width="880.0"' in first
    assert 'class="drawn"' in second


def test_notes_have_the_colours_of_the_pictures(finished):
    style = html(finished)["Samples"]
    assert all(f"fill: {colour};" in style for colour in (*TRACKS, *VELOCITIES[1:4], VELOCITIES[-1]))


def test_the_playhead_follows_the_sound_and_a_click_moves_it(chromium, tmp_path):
    folder = fill(tmp_path / "run")
    write_midi(music(), folder / "draws" / "1" / "001.mid")
    write(folder / "report.html", "run", built(folder))
    chromium.open((folder / "report.html").as_uri())
    seen = chromium.ask(
        """(async () => {
          const [one, other] = document.querySelectorAll("audio"), roll = document.querySelector("svg[data-seconds]");
          const head = roll.querySelector(".playhead"), hidden = getComputedStyle(head).visibility;
          await other.play();
          const box = roll.getBoundingClientRect(), moved = new Promise(done => one.ontimeupdate = done);
          roll.dispatchEvent(new MouseEvent("click", {clientX: box.left + box.width / 2, clientY: box.top + 9}));
          await moved;
          one.pause();
          await new Promise(done => setTimeout(done, 300));
          const at = Number(head.getAttribute("transform").match(/[\\d.]+/)[0]);
          const left = Number(roll.dataset.left), width = Number(roll.dataset.width);
          return {hidden, shown: getComputedStyle(head).visibility, stopped: other.paused, time: one.currentTime,
                  told: (at - left) / (width - left) * Number(roll.dataset.seconds)};
        })()"""
    )
    assert (seen["hidden"], seen["shown"], seen["stopped"]) == ("hidden", "visible", True)
    assert seen["time"] == pytest.approx(seen["told"], abs=0.05)
    assert seen["time"] > 2
    assert chromium.complaints() == []
