"""wav: the score as sound, offline, through a SoundFont (midirenderer, which is RustySynth)."""

from __future__ import annotations

import importlib.util
import io
import wave
from functools import lru_cache
from pathlib import Path
from typing import Any

import midirenderer
import numpy as np
import symusic
from numpy.typing import NDArray
from symusic.core import TextMetaTick

from diffmidi.api import DiffmidiError, RefusedError
from diffmidi.api.renderer import SECOND, BarLines, Renderer, Score, clock_of, whole_file
from diffmidi.api.source import printable
from diffmidi_io.declarations import SoundOptions
from diffmidi_io.stretches import STRETCH, Mixed, added_up, blocks, on_disk

Sound = NDArray[np.int16]
"""[frames, 2] PCM."""

RATE = 48_000
"""Frames per second: the one that midirenderer renders at."""
FULL_SCALE = 2**15 - 1
TAIL = 2.0
"""Most seconds that the last notes may ring on for."""
LONGEST = (2**32 - 1 - 36) / 4 / RATE
"""Seconds that a .wav file can hold: its size is a number of 32 bits."""
_FADE = 0.02
_SLACK = 1 / 8
"""Quarter notes that the last note may last beyond a bar line and be of the bar before it."""
_SILENCE = 1.0
"""Seconds of silence that a score without notes gives."""
_INAUDIBLE = 1e-3
"""Of the peak (-60 dB): where a tail is cut."""
_INT32_MAX = 2**31 - 1


class Wav(Renderer):
    """A .wav file: 16 bit, stereo, 48 kHz."""

    options: SoundOptions
    suffix = ".wav"

    def render(self, score: Score, path: Path, *, title: str = "") -> None:
        """Write the sound, whole or not at all. Raises DiffmidiError, as `synthesise` does."""
        sound = synthesise(score, self.options)
        with whole_file(path) as temporary, wave.open(str(temporary), "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(RATE)
            for block in blocks(sound):
                file.writeframes(block.astype("<i2", copy=False).data)


def synthesise(score: Score, options: SoundOptions) -> Sound:
    """The score as sound, from its tick 0 to the end of its last note, and up to TAIL seconds for that to ring.

    With the ending "bar" it is as long as the bars that hold its notes, to the frame: end on end, copies keep the beat.
    The loudest sample is brought to `options.peak` dBFS. A score without notes gives a second of silence. The last
    sound is kept, so that renderers which ask for the same piece one after the other synthesise it once: it cannot be
    written to. Raises DiffmidiError where the SoundFont cannot be used or is silent, RefusedError where the music is
    longer than a .wav file can be.
    """
    font = _soundfont(options)
    seconds, ticks = _end(score)
    if seconds + TAIL > LONGEST:
        raise RefusedError(
            "too_long",
            f"this piece lasts {seconds / 3600:,.1f} hours, and a .wav file holds {LONGEST / 3600:.1f}: no sound is "
            "made of it.",
        )
    if ticks == 0:
        return np.zeros((round(_SILENCE * RATE), 2), np.int16)
    until = bar_line(score, ticks) if options.ending == "bar" else None
    return _synthesised(font, _stamp(font), _only_music(score, ticks), seconds, ticks, options.peak, until)


def bar_line(score: Score, ticks: int) -> float:
    """When the bar ends in which the last note does, at such a tick: seconds."""
    slack = round(_SLACK * score.ticks_per_quarter)
    end = int(BarLines.of(score, max(1, ticks - slack)).at[-1])
    return float(clock_of(score).elapsed(np.array([end / max(score.ticks_per_quarter, 1)]))[0]) / SECOND


@lru_cache(maxsize=1)
def _synthesised(
    font: Path, stamp: tuple[int, int], music: bytes, seconds: float, ticks: int, peak: float, until: float | None
) -> Sound:
    """What `music` sounds like, whose last note ends after so many seconds, at such a tick.

    It ends at second `until`; None: when its last notes have rung.
    """
    rendered = _sounding(font, music, seconds, ticks)
    if not any(block.any() for block in blocks(rendered)):
        # The softest velocities vanish below 16 bits. Levelled anyway, the piece may be struck harder throughout.
        score: Any = symusic.Score.from_midi(music)
        loudest = max(int(track.notes.numpy()["velocity"].max()) for track in score.tracks if len(track.notes))
        rendered = _sounding(font, bytes(score.shift_velocity(127 - loudest).dumps_midi()), seconds, ticks)
    level = max(max(int(block.max(initial=0)), -int(block.min(initial=0))) for block in blocks(rendered))
    if level == 0:
        raise DiffmidiError(f"the SoundFont {printable(font)} has no sound for these notes; take another one.")
    gain = 10 ** (peak / 20) * FULL_SCALE / level
    # Into 16 bits at once: half an hour of float copies would be gigabytes.
    levelled = _room(rendered)
    for block, room in zip(blocks(rendered), blocks(levelled), strict=True):
        np.multiply(block, np.float32(gain), out=room, casting="unsafe")
    ended = _ended(levelled, round(seconds * RATE)) if until is None else _cut(levelled, round(until * RATE))
    ended.flags.writeable = False
    return ended


def _sounding(font: Path, music: bytes, seconds: float, ticks: int) -> Mixed:
    if seconds <= STRETCH:
        return _render(font, music)
    score: Any = symusic.Score.from_midi(music)
    frames = round((seconds + TAIL) * RATE)
    return added_up(score.clip(0, ticks + 1), frames, RATE, lambda part, end: _render(font, _only_music(part, end)))


def _room(rendered: Mixed) -> Sound:
    """As much room for 16 bits as what was rendered takes, where that is: in memory or on the disk."""
    long = isinstance(rendered, np.memmap)
    return on_disk(len(rendered), np.int16) if long else np.empty(rendered.shape, np.int16)


def _stamp(font: Path) -> tuple[int, int]:
    """Tells a file from what may stand in its place later."""
    try:
        status = font.stat()
    except OSError:
        return 0, 0  # reading it says what is wrong
    return status.st_size, status.st_mtime_ns


def _end(score: Score) -> tuple[float, int]:
    """When the last note ends, in seconds and in ticks; zeros where there is nothing to hear."""
    timed: Any = score.to("second")
    in_seconds = [track.notes.numpy() for track in timed.tracks if len(track.notes)]
    in_ticks = [track.notes.numpy() for track in score.tracks if len(track.notes)]
    seconds = max((float((each["time"] + each["duration"]).max()) for each in in_seconds), default=0.0)
    ticks = max((int((each["time"].astype(np.int64) + each["duration"]).max()) for each in in_ticks), default=0)
    return seconds, ticks


def _only_music(score: Score, end: int) -> bytes:
    """The score as MIDI that lasts TAIL seconds longer than its last note, whatever events come later in it."""
    music = score.clip(0, end + 1)
    pace = float(music.tempos[-1].qpm) if len(music.tempos) else 120.0
    tail = int(TAIL * score.ticks_per_quarter * pace / 60)
    music.markers.append(TextMetaTick(min(end + tail, _INT32_MAX), "end"))
    return bytes(music.dumps_midi())


def _render(font: Path, music: bytes) -> Sound:
    try:
        with wave.open(io.BytesIO(midirenderer.render_wave_from(_read(font), music))) as file:
            if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE, 2, 2):
                raise ValueError(f"unexpected sound: {file.getparams()}")
            return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    except (KeyboardInterrupt, SystemExit, DiffmidiError):
        raise
    except BaseException as error:  # a panic of the Rust code below is no Exception
        raise DiffmidiError(f"no sound can be made with the SoundFont {printable(font)}: {error}.") from error


def _ended(sound: Sound, end: int) -> Sound:
    """Cut after frame `end` where nothing more is heard, and fade out, so that what is cut does not click."""
    if len(sound) < end:
        sound = np.pad(sound, ((0, end - len(sound)), (0, 0)))
    audible = np.flatnonzero((np.abs(sound[end:], dtype=np.int32) > _INAUDIBLE * FULL_SCALE).any(axis=1))
    return _faded(sound[: end + round(_FADE * RATE) + (int(audible[-1]) if len(audible) else 0)])


def _cut(sound: Sound, end: int) -> Sound:
    """Exactly `end` frames, faded out at once: what is cut does not click when it begins again."""
    return _faded(np.pad(sound[:end], ((0, max(0, end - len(sound))), (0, 0))))


def _faded(sound: Sound) -> Sound:
    ramp = np.linspace(1, 0, min(round(_FADE * RATE), len(sound)), dtype=np.float32)[:, None]
    sound[-len(ramp) :] = (sound[-len(ramp) :] * ramp).astype(np.int16)
    return sound


def _soundfont(options: SoundOptions) -> Path:
    if options.soundfont is not None:
        return options.soundfont
    spec = importlib.util.find_spec("pretty_midi")
    if spec is None or not spec.submodule_search_locations:
        raise DiffmidiError(
            "the SoundFont comes with pretty_midi, which is not installed: pip install pretty_midi, or name a .sf2 "
            "file with the renderer's option soundfont."
        )
    return Path(spec.submodule_search_locations[0]) / "TimGM6mb.sf2"


def _read(font: Path) -> bytes:
    try:
        data = font.read_bytes()
    except OSError as error:
        raise DiffmidiError(f"the SoundFont {printable(font)} cannot be read: {error.strerror or error}.") from error
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise DiffmidiError(
            f"{printable(font)} is not a SoundFont: name a .sf2 file with the renderer's option soundfont."
        )
    return data
