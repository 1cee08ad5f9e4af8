"""A sample's sound, small enough to travel inside the page, and its outline."""

from __future__ import annotations

import io
import math
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.wording import printable

RATES = (24_000, 16_000, 12_000)
"""Frames per second to choose from: a piano has little above half of the first, and still sounds like one at the last.
"""
_FULL_SCALE = 2**15 - 1
_OUTLINE = 240
"""Stretches that the outline shows."""


@dataclass(frozen=True)
class Sound:
    """One channel of 16 bits as the bytes of a .wav file.

    Attributes:
        seconds: how long it plays.
        whole: how long the file that it was made from plays.
        outline: [n, 2] lowest and highest level in each of n equal stretches; full scale is 1.
    """

    data: bytes
    seconds: float
    whole: float
    outline: NDArray[np.float64]


def small(path: Path, most_bytes: int) -> Sound:
    """The .wav at `path` with its channels averaged, at the highest of RATES that fits into `most_bytes`.

    What does not fit even at the lowest is cut off at the end. Raises DiffmidiError where it is not 16-bit PCM.
    """
    mono, rate, whole = _read(path, most_bytes / 2 / RATES[-1])
    fitting = (each for each in RATES if 2 * len(mono) / rate * each <= most_bytes)
    target = min(next(fitting, RATES[-1]), rate)
    return Sound(wav_bytes(resample(mono, rate, target), target), len(mono) / rate, whole, outline(mono))


def _read(path: Path, longest: float | None = None) -> tuple[NDArray[np.float64], int, float]:
    """[frames] of the first `longest` seconds, frames per second, and the seconds of the whole file."""
    try:
        with wave.open(str(path), "rb") as file:
            rate, channels, frames = file.getframerate(), file.getnchannels(), file.getnframes()
            if file.getsampwidth() != 2:
                raise DiffmidiError(f"{printable(path.name)} is not 16-bit sound.")
            whole = frames / rate
            data = file.readframes(frames if longest is None else min(frames, int(longest * rate)))
    except (OSError, EOFError, wave.Error) as error:
        raise DiffmidiError(f"{printable(path.name)} cannot be read as sound: {error}.") from error
    mono = np.frombuffer(data[: len(data) // (2 * channels) * 2 * channels], "<i2").reshape(-1, channels).mean(axis=1)
    if not len(mono):
        raise DiffmidiError(f"{printable(path.name)} holds no sound.")
    return mono, rate, whole


def read_mono(path: Path) -> tuple[NDArray[np.float64], int]:
    """[frames] of a whole .wav with its channels averaged, in steps of 16 bits, and frames per second.

    Raises DiffmidiError where it is not 16-bit PCM.
    """
    mono, rate, _ = _read(path)
    return mono, rate


def resample(mono: NDArray[np.float64], rate: int, target: int) -> NDArray[np.float64]:
    """[frames] at another, lower or equal rate: what lies above half of it is cut from the spectrum."""
    shared = math.gcd(rate, target)
    blocks = _quick(-(-len(mono) * shared // rate))  # each of so many frames that it has a whole number of them later
    spectrum = np.fft.rfft(mono, blocks * (rate // shared))
    frames = blocks * (target // shared)
    whole = np.fft.irfft(spectrum[: frames // 2 + 1], frames) * (target / rate)
    return whole[: max(1, round(len(mono) * target / rate))]


def _quick(count: int) -> int:
    """So many or up to a sixteenth more, without large prime factors, of which a Fourier transform is slow."""
    step = 1 << max(0, count.bit_length() - 5)
    return -(-count // step) * step


def outline(mono: NDArray[np.float64]) -> NDArray[np.float64]:
    """[n, 2] the extremes of at most _OUTLINE equal stretches."""
    starts = np.unique(np.linspace(0, len(mono), _OUTLINE, endpoint=False).astype(np.int64))
    extremes = np.minimum.reduceat(mono, starts), np.maximum.reduceat(mono, starts)
    return np.stack(extremes, axis=1) / _FULL_SCALE


def wav_bytes(mono: NDArray[np.float64], rate: int) -> bytes:
    """[frames] in steps of 16 bits as a .wav of one channel, with nothing else in it."""
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.clip(np.rint(mono), -_FULL_SCALE, _FULL_SCALE).astype("<i2").tobytes())
    return written.getvalue()
