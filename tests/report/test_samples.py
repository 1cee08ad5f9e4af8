"""The draws on the page: which are shown, what is seen and heard of a piece, and how much of it there is room for."""

import base64
import io
import re
import shutil
import wave

import numpy as np
import pytest

from diffmidi_core.show.report import write
from diffmidi_core.show.sound import resample

from .conftest import leave_draw, music, tone
from .sections import built, html, text


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


@pytest.mark.parametrize("frames", [44_100, 44_101])
def test_a_tone_at_another_rate_is_the_same_tone_however_long_it_is(frames):
    def tone_at(rate, count):
        return np.sin(2 * np.pi * 440 * np.arange(count) / rate) * np.hanning(count)

    lower = resample(tone_at(44_100, frames), 44_100, 24_000)
    assert len(lower) == round(frames * 24_000 / 44_100)
    assert lower == pytest.approx(tone_at(24_000, len(lower)), abs=1e-3)


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
