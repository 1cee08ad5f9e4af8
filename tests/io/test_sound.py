"""wav: sound that can be heard, of the right length, whole or not at all."""

from __future__ import annotations

import importlib.util
import wave
from pathlib import Path

import midirenderer
import numpy as np
import pytest
import soundfile
from symusic.core import ControlChangeTick, PitchBendTick, TempoTick, TimeSignatureTick

from diffmidi.api import DiffmidiError, RefusedError
from diffmidi_core.music.toy import from_rows, toy_scores
from diffmidi_core.registry import find
from diffmidi_io import sound, stretches, waveform
from diffmidi_io.sound import FULL_SCALE, RATE, TAIL


@pytest.fixture(autouse=True)
def _nothing_kept():
    """No test hears what another one synthesised."""
    sound._synthesised.cache_clear()


SHORT = [name for name in toy_scores() if name not in ("late_in_time", "long_gaps", "long_notes", "silence")]


def samples(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 2, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).astype(int)


def render(score, folder: Path, **options: object) -> np.ndarray:
    find("renderer", "wav").build(options).render(score, folder / "piece.wav")
    return samples(folder / "piece.wav")


def end_of(score) -> float:
    columns = [track.notes.numpy() for track in score.to("second").tracks if len(track.notes)]
    return max(float((each["time"] + each["duration"]).max()) for each in columns)


@pytest.mark.parametrize("name", SHORT)
def test_every_toy_score_sounds_until_its_last_note_has_rung(tmp_path: Path, name: str):
    score = toy_scores()[name]
    heard = render(score, tmp_path)
    end = round(end_of(score) * RATE)
    assert end <= len(heard) <= end + TAIL * RATE
    assert np.abs(heard).max() == pytest.approx(10 ** (-1 / 20) * FULL_SCALE, rel=1e-3)
    assert np.abs(heard[-1]).max() == 0


def test_rests_are_silent_and_notes_are_not(tmp_path: Path):
    heard = np.abs(render(toy_scores()["late_start"], tmp_path)).max(axis=1)
    assert heard[: round(2.5 * RATE)].max() == 0
    assert heard[round(2.5 * RATE) : round(2.6 * RATE)].max() > 1000


def test_tempo_sets_the_pace(tmp_path: Path):
    score = from_rows([(0, 4, 60, 80)])
    score.tempos[0] = TempoTick(0, qpm=60)
    score.tempos.append(TempoTick(960, qpm=240))
    assert 2.5 * RATE <= len(render(score, tmp_path)) <= (2.5 + TAIL) * RATE


@pytest.mark.parametrize(
    ("quarters", "metre", "bars"), [(4, (4, 4), 1), (4.1, (4, 4), 1), (5, (4, 4), 2), (2, (3, 4), 1)]
)
def test_a_clip_that_ends_at_the_bar_line_loops(tmp_path: Path, quarters: float, metre: tuple[int, int], bars: int):
    score = from_rows([(0, 0.5, 60, 80), (1, quarters - 1, 64, 80)])
    score.tempos[0] = TempoTick(0, qpm=100)
    score.time_signatures[0] = TimeSignatureTick(0, *metre)
    heard = render(score, tmp_path, ending="bar")
    assert len(heard) == round(bars * metre[0] * 0.6 * RATE)
    assert np.abs(heard[-1]).max() == 0
    sounding = np.abs(heard[: round(quarters * 0.6 * RATE)])
    assert sounding[-RATE // 10 : -RATE // 20].max() > 0
    whole = render(score, tmp_path)
    assert np.array_equal(heard[: RATE // 2], whole[: RATE // 2])


def test_flac_holds_the_samples_of_wav_in_less_room(tmp_path: Path):
    heard = render(toy_scores()["tune"], tmp_path)
    find("renderer", "flac").build().render(toy_scores()["tune"], tmp_path / "piece.flac")
    found, rate = soundfile.read(tmp_path / "piece.flac", dtype="int16")
    assert rate == RATE
    assert np.array_equal(found, heard)
    assert (tmp_path / "piece.flac").stat().st_size < 0.7 * (tmp_path / "piece.wav").stat().st_size


def test_the_peak_is_what_the_option_says(tmp_path: Path):
    heard = render(toy_scores()["scale"], tmp_path, peak=-20)
    assert np.abs(heard).max() == pytest.approx(FULL_SCALE / 10, rel=1e-3)


def test_events_long_after_the_last_note_add_no_silence(tmp_path: Path):
    score = toy_scores()["one_note"]
    score.tracks[0].controls.append(ControlChangeTick(2**30, 64, 0))
    assert len(render(score, tmp_path)) <= (0.5 + TAIL) * RATE


def test_a_score_without_notes_is_a_second_of_silence(tmp_path: Path):
    heard = render(toy_scores()["silence"], tmp_path)
    assert heard.shape == (RATE, 2)
    assert not heard.any()


def test_the_same_score_gives_the_same_bytes(tmp_path: Path):
    render(toy_scores()["tune"], tmp_path)
    first = (tmp_path / "piece.wav").read_bytes()
    render(toy_scores()["tune"], tmp_path)
    assert (tmp_path / "piece.wav").read_bytes() == first


def test_music_that_is_too_long_for_a_file_is_refused_before_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(midirenderer, "render_wave_from", lambda *_: pytest.fail("rendered"))
    with pytest.raises(RefusedError, match=r"lasts 621.4 hours, and a \.wav file holds 6\.2"):
        render(toy_scores()["late_in_time"], tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "font.sf2 cannot be read: No such file"),
        (b"no font", "font.sf2 is not a SoundFont"),
        (b"RIFF\0\0\0\0sfbk" + bytes(100), "no sound can be made with the SoundFont .*font.sf2: "),
    ],
)
def test_a_soundfont_that_is_none_is_named(tmp_path: Path, data: bytes | None, said: str):
    font = tmp_path / "font.sf2"
    if data is not None:
        font.write_bytes(data)
    with pytest.raises(DiffmidiError, match=said):
        render(toy_scores()["one_note"], tmp_path, soundfont=str(font))
    assert not (tmp_path / "piece.wav").exists()


def test_a_soundfont_of_ones_own_is_used(tmp_path: Path):
    ours = sound._soundfont(find("renderer", "wav").build().options)
    (tmp_path / "own.sf2").write_bytes(ours.read_bytes())
    default = render(toy_scores()["one_note"], tmp_path)
    assert np.array_equal(render(toy_scores()["one_note"], tmp_path, soundfont=str(tmp_path / "own.sf2")), default)


def test_without_the_default_soundfont_a_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DiffmidiError, match=r"pip install pretty_midi, or name a \.sf2 file"):
        render(toy_scores()["one_note"], tmp_path)


class Panic(BaseException):
    """As a panic in Rust arrives: no Exception."""


def test_a_panic_below_is_an_error_like_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def panic(*_):
        raise Panic("index out of bounds")

    monkeypatch.setattr(midirenderer, "render_wave_from", panic)
    with pytest.raises(DiffmidiError, match=r"no sound can be made .* index out of bounds"):
        render(toy_scores()["one_note"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_is_not_taken_for_a_panic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(midirenderer, "render_wave_from", interrupt)
    with pytest.raises(KeyboardInterrupt):
        render(toy_scores()["one_note"], tmp_path)


def test_the_softest_music_is_heard_too(tmp_path: Path):
    score = from_rows([(0, 0.25, 60, 1), (1, 0.25, 64, 3)])
    heard = render(score, tmp_path)
    assert np.abs(heard).max() == pytest.approx(10 ** (-1 / 20) * FULL_SCALE, rel=1e-3)
    assert score.tracks[0].notes.numpy()["velocity"].tolist() == [1, 3], "the score itself stays as it was"


def test_a_soundfont_without_a_sound_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sound, "_render", lambda font, music: np.zeros((RATE, 2), np.int16))
    with pytest.raises(DiffmidiError, match="has no sound for these notes"):
        render(toy_scores()["one_note"], tmp_path)


def test_nothing_is_left_where_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    (tmp_path / "piece.wav").write_text("what stood there")
    monkeypatch.setattr(wave.Wave_write, "writeframes", full)
    with pytest.raises(DiffmidiError, match="cannot be written: No space left on device"):
        render(toy_scores()["one_note"], tmp_path)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["what stood there"]


def long_scores():
    """Music of 24 seconds with what may reach from one stretch into the next: notes, the pedal, a bend, loudness."""
    rows = [(beat, 1.0, 50 + 7 * beat % 24, 60 + beat) for beat in range(48)]
    plain = from_rows(rows)
    long_notes = from_rows([*rows, (3, 20, 40, 90), (7, 30, 43, 90)])
    pedal = from_rows(rows)
    pedal.tracks[0].controls.extend([ControlChangeTick(4 * 480, 64, 127), ControlChangeTick(21 * 480, 64, 0)])
    set_before = from_rows(rows)
    set_before.tempos.append(TempoTick(10 * 480, qpm=97.0))
    set_before.tracks[0].program = 40
    set_before.tracks[0].controls.append(ControlChangeTick(2 * 480, 7, 50))
    set_before.tracks[0].pitch_bends.append(PitchBendTick(3 * 480, 4000))
    return {"plain": plain, "long notes": long_notes, "pedal": pedal, "set before": set_before}


@pytest.mark.parametrize("name", long_scores())
def test_long_music_sounds_as_if_it_was_made_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    score = long_scores()[name]
    assert score.ticks_per_quarter == 480
    whole = render(score, tmp_path)
    sound._synthesised.cache_clear()
    made = []
    once = sound._render
    monkeypatch.setattr(sound, "_render", lambda font, music: made.append(1) or once(font, music))
    for module in (sound, stretches):
        monkeypatch.setattr(module, "STRETCH", 5.0)
    parts = render(score, tmp_path)
    assert len(made) >= 4
    assert abs(len(parts) - len(whole)) <= RATE // 5, "where a tail fades below hearing"
    frames = min(len(parts), len(whole))
    # A second at a time: how a synthesiser cuts time into blocks shifts each note by up to a millisecond.
    seconds = [np.sqrt((each[: frames // RATE * RATE] ** 2).reshape(-1, RATE * 2).mean(1)) for each in (parts, whole)]
    assert np.allclose(*seconds, rtol=0.05, atol=20)


def test_renderers_of_one_piece_synthesise_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = []
    once = sound._render
    monkeypatch.setattr(sound, "_render", lambda font, music: made.append(1) or once(font, music))
    score = toy_scores()["tune"]
    wave_alone = find("renderer", "waveform").build()
    wave_alone.render(score, tmp_path / "alone.wave.png")
    find("renderer", "wav").build().render(score, tmp_path / "piece.wav")
    wave_alone.render(score, tmp_path / "piece.wave.png")
    assert len(made) == 1
    assert (tmp_path / "piece.wave.png").read_bytes() == (tmp_path / "alone.wave.png").read_bytes()
    find("renderer", "wav").build({"peak": -20}).render(score, tmp_path / "soft.wav")
    render(toy_scores()["scale"], tmp_path)
    assert len(made) == 3, "another level or another piece is another sound"


def test_music_of_an_hour_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where it was refused after half an hour. Each stretch is a second of a constant here."""
    made = []

    def second(font, music):
        made.append(music)
        return np.full((RATE, 2), 1000, np.int16)

    monkeypatch.setattr(sound, "_render", second)
    minutes = range(0, 60, 2)
    score = from_rows([(120 * minute, 1, 60, 80) for minute in minutes])
    heard = sound.synthesise(score, find("renderer", "wav").build().options)
    assert len(heard) >= 58 * 60 * RATE
    assert len(made) >= 58 / 4
    for minute in minutes[::2]:
        assert heard[minute * 60 * RATE + 100].tolist() != [0, 0]
    low, high, power = waveform.envelope(heard, 100)
    assert len(low) == len(high) == len(power) == 100
    assert high.max() == pytest.approx(10 ** (-1 / 20), rel=1e-3)
