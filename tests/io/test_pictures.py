"""pianoroll and waveform: every note is there, where it belongs, and the files are pictures."""

from __future__ import annotations

import struct
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from symusic.core import TempoTick, TimeSignatureTick

from diffmidi.api import DiffmidiError
from diffmidi.api.renderer import notes_of
from diffmidi_core.music.toy import from_rows, toy_scores
from diffmidi_core.registry import find
from diffmidi_io import pianoroll, picture, waveform
from diffmidi_io.declarations import PianoRollOptions, WaveformOptions
from diffmidi_io.sound import FULL_SCALE, RATE

KINDS = ("pianoroll", "waveform")
SUFFIXES = {"pianoroll": ".roll.png", "waveform": ".wave.png", "midi": ".mid", "wav": ".wav"}


def render(kind: str, score, folder: Path, title: str = "", **options: object) -> bytes:
    renderer = find("renderer", kind).build(options)
    path = folder / f"piece{renderer.suffix}"
    renderer.render(score, path, title=title)
    return path.read_bytes()


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert png.endswith(b"IEND\xaeB`\x82")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def drawn(figure: Figure) -> PolyCollection:
    (notes,) = [each for each in figure.axes[0].collections if each.get_label() == "notes"]
    assert isinstance(notes, PolyCollection)
    return notes


@pytest.mark.parametrize("kind", SUFFIXES)
def test_a_file_ends_as_its_renderer_promises(kind: str):
    assert find("renderer", kind).build().suffix == SUFFIXES[kind]


@pytest.mark.parametrize("name", list(toy_scores()))
def test_every_note_is_a_rectangle_at_its_time_and_pitch(name: str):
    score = toy_scores()[name]
    notes = notes_of(score)
    collection = drawn(pianoroll.draw(score, PianoRollOptions()))
    corners = np.array([path.vertices[:4] for path in collection.get_paths()]).reshape(-1, 4, 2)
    assert len(corners) == len(notes)
    beats = notes.onset / score.ticks_per_quarter
    np.testing.assert_allclose(corners[:, 0, 0], beats)
    assert (corners[:, 1, 0] >= beats + notes.duration / score.ticks_per_quarter).all()
    assert (corners[:, 1, 0] > corners[:, 0, 0]).all()
    np.testing.assert_allclose(corners[:, :, 1].mean(axis=1), notes.pitch)
    velocity = collection.get_array()
    assert velocity is not None
    assert velocity.tolist() == notes.velocity.tolist()


@pytest.mark.parametrize("name", list(toy_scores()))
def test_every_note_is_inside_the_picture(name: str):
    score = toy_scores()[name]
    notes = notes_of(score)
    axes = pianoroll.draw(score, PianoRollOptions()).axes[0]
    low, high = axes.get_ylim()
    assert (notes.pitch > low).all()
    assert (notes.pitch < high).all()
    assert axes.get_xlim()[1] >= (notes.onset + notes.duration).max(initial=0) / score.ticks_per_quarter
    names = {label.get_text() for label in axes.get_yticklabels()}
    assert "C4" in names or low > 59.5 or high < 60.5


def test_bar_lines_follow_the_metre_and_seconds_the_tempo():
    score = from_rows([(0, 16, 60, 80)])
    score.time_signatures = type(score.time_signatures)()
    for change in ((0, 1, 4), (480, 3, 4), (480 * 7, 6, 8)):
        score.time_signatures.append(TimeSignatureTick(*change))
    lines = pianoroll.ruling(score, 16)
    assert lines.beats.tolist() == [0, 1, 4, 7, 10, 13]
    assert lines.numbers.tolist() == [0, 1, 2, 3, 4, 5], "a first bar that is shorter is an upbeat"
    score.tempos.append(TempoTick(480 * 8, qpm=60))
    seconds = pianoroll.clock_of(score).elapsed(np.array([0, 4, 8, 16])) / 1e6
    np.testing.assert_allclose(seconds, [0, 2, 4, 12])


def test_bars_are_numbered_where_there_is_a_metre_and_beats_where_not():
    score = from_rows([(0, 16, 60, 80)])
    axes = pianoroll.draw(score, PianoRollOptions()).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "3", "4"]
    assert axes.get_xticks().tolist() == [0, 4, 8, 12]
    score.time_signatures.clear()
    axes = pianoroll.draw(score, PianoRollOptions()).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "4", "8", "12"]
    assert axes.get_xlabel() == "beats (quarter notes)"


def test_tracks_have_colours_and_names_of_their_own():
    score, other = from_rows([(0, 1, 72, 120), (1, 1, 74, 20)]), from_rows([(0, 2, 48, 80)])
    score.tracks[0].name, other.tracks[0].name = "right", "left"
    score.tracks.append(other.tracks[0])
    figure = pianoroll.draw(score, PianoRollOptions())
    right, left = (
        next(each for each in figure.axes[0].collections if each.get_label() == f"notes of {name}").get_facecolors()
        for name in ("right", "left")
    )
    assert (len(right), len(left)) == (2, 1)
    assert right[0, :3].sum() < right[1, :3].sum(), "the softer, the paler"
    assert abs(right[0] - left[0]).max() > 0.3
    assert {"right", "left"} <= {text.get_text() for text in figure.texts}


def test_hours_of_music_do_not_draw_millions_of_bars():
    assert len(pianoroll.ruling(toy_scores()["late_in_time"], 2.0**31 / 480).beats) < 5000


def test_the_picture_grows_with_the_music_up_to_a_limit(tmp_path: Path):
    def width(beats: int) -> float:
        return pianoroll.draw(from_rows([(0, beats, 60, 80)]), PianoRollOptions()).get_size_inches()[0]

    assert width(4) == width(8) < width(40) < width(80) < width(800) == width(8000) == 24


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["tune", "silence", "one_note"])
def test_a_png_is_written_with_the_size_that_was_asked_for(tmp_path: Path, kind: str, name: str):
    assert size(render(kind, toy_scores()[name], tmp_path, dpi=50, height=3))[1] == 150
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_score_gives_the_same_bytes_without_a_date(tmp_path: Path, kind: str):
    first = render(kind, toy_scores()["tune"], tmp_path, title="tune")
    assert render(kind, toy_scores()["tune"], tmp_path, title="tune") == first
    assert b"tEXt" not in first
    assert b"tIME" not in first
    assert render(kind, toy_scores()["tune"], tmp_path, title="tone") != first


@pytest.mark.parametrize(
    "title", ["", "a $x^2$ and $", "two\nlines", "月光", "bad \udcff byte", "long " * 200, "\\frac{"]
)
def test_any_title_can_be_drawn_without_a_warning(tmp_path: Path, title: str):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert size(render("pianoroll", toy_scores()["one_note"], tmp_path, title=title, dpi=50))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left_where_drawing_fails(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch):
    def full(figure: Figure, path: Path, **_: object):
        path.write_bytes(b"half a picture")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(picture.Figure, "savefig", full)
    with pytest.raises(DiffmidiError, match="cannot be written: No space left on device"):
        render(kind, toy_scores()["one_note"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_pictures_are_drawn_in_threads(tmp_path: Path):
    alone = render("pianoroll", toy_scores()["tune"], tmp_path, dpi=50)
    together: dict[int, bytes] = {}

    def work(index: int) -> None:
        folder = tmp_path / str(index)
        folder.mkdir()
        together[index] = render("pianoroll", toy_scores()["tune"], folder, dpi=50)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[index] == alone for index in range(4)] == [True] * 4


def test_pyplot_with_its_global_state_is_not_imported():
    code = (
        "import sys; from diffmidi_core.registry import find; from diffmidi_core.music.toy import tune;"
        "from diffmidi_io.pianoroll import draw; draw(tune(), find('renderer', 'pianoroll').build().options);"
        "print('matplotlib.figure' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert out.split() == ["True", "False"]


def test_the_envelope_holds_every_extreme_and_the_power():
    sound = np.zeros((RATE, 2), np.int16)
    sound[1000] = (FULL_SCALE, -FULL_SCALE // 2)
    sound[RATE // 2 :] = 1000
    low, high, power = waveform.envelope(sound, 100)
    assert len(low) == len(high) == len(power) == 100
    assert high.argmax() == low.argmin() == 1000 * 100 // RATE
    assert high.max() == 1
    assert power[60:] == pytest.approx(1000 / FULL_SCALE)
    assert power[30:50].max() == 0


def test_a_sound_shorter_than_the_picture_is_wide_is_drawn_frame_by_frame():
    low, high, _ = waveform.envelope(np.arange(20, dtype=np.int16).reshape(10, 2), 100)
    assert len(low) == 10
    assert (high >= low).all()


def test_the_waveform_says_how_loud_and_how_long():
    tone = np.zeros((3 * RATE, 2), np.int16)
    tone[::2], tone[1::2] = FULL_SCALE // 2, -(FULL_SCALE // 2)
    minus = "\N{MINUS SIGN}"
    assert texts(waveform.draw(tone, WaveformOptions())) == [f"peak {minus}6.0 dBFS · RMS {minus}6.0 dBFS · 3 s"]
    assert texts(waveform.draw(np.zeros((RATE, 2), np.int16), WaveformOptions())) == ["silent · 1 s"]


def test_the_roll_says_how_much_it_shows():
    assert texts(pianoroll.draw(toy_scores()["tune"], PianoRollOptions())) == ["54 notes · 32 beats · 16 s"]
    assert texts(pianoroll.draw(toy_scores()["one_note"], PianoRollOptions())) == ["1 note · 1 beat · 0.5 s"]
    assert texts(pianoroll.draw(toy_scores()["long_gaps"], PianoRollOptions())) == ["4 notes · 3,002 beats · 25:01 min"]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts if text.get_text()]
