"""Sound that is small enough to travel inside a notebook: MP3 of one channel, which every browser plays."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.notes import Score
from diffmidi_core.show.render import write_wav
from diffmidi_core.show.sound import read_mono, resample

RATE = 24_000
"""Frames per second: a piano has little above half of it."""
LEVELS = {40_000: 0.8, 32_000: 0.85, 24_000: 0.9, 16_000: 0.95}
"""Bits per second to choose from, and what libsndfile calls them."""
_FULL_SCALE = 2**15


class Mp3(bytes):
    """The bytes of an MP3 file.

    Attributes:
        seconds: how long it plays.
        whole: how long all of the music does.
    """

    seconds: float
    whole: float


def mp3(score: Score, most_bytes: int) -> Mp3:
    """What the default renderer of WAV makes of a score, at the highest of LEVELS that fits into `most_bytes`.

    What does not fit even at the lowest is cut off at the end. Raises DiffmidiError where no sound can be made.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "piece.wav"
        write_wav(score, path)
        mono, rate = read_mono(path)
    whole = len(mono) / rate
    mono = mono[: int(most_bytes * 8 / min(LEVELS) * rate)]
    seconds = len(mono) / rate
    level = next((level for bits, level in LEVELS.items() if seconds * bits / 8 <= most_bytes), LEVELS[min(LEVELS)])
    found = Mp3(_encoded(resample(mono / _FULL_SCALE, rate, RATE), level))
    found.seconds, found.whole = seconds, whole
    return found


def _encoded(mono: NDArray[np.float64], level: float) -> bytes:
    written = io.BytesIO()
    try:
        import soundfile

        how = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "CONSTANT", "compression_level": level}
        soundfile.write(written, mono.clip(-1, 1), RATE, **how)
    except (OSError, RuntimeError, ValueError) as error:  # a libsndfile of the system's own may be too old
        raise DiffmidiError(f"no MP3 can be written ({error}): pip install --upgrade soundfile.") from error
    return written.getvalue()
