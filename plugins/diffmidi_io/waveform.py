"""waveform: the sound of the score as a picture, level over seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from diffmidi.api.renderer import Renderer, Score
from diffmidi_io.declarations import WaveformOptions
from diffmidi_io.picture import FAINT, QUIET, heading, label_seconds, new_picture, said_length, save
from diffmidi_io.sound import FULL_SCALE, RATE, Sound, synthesise
from diffmidi_io.stretches import AT_ONCE

Floats = NDArray[np.float64]

_PEAK, _POWER = "#a9c9e4", "#3b6fb6"


class Waveform(Renderer):
    """A .wave.png: for each pixel the extremes of the sound (both channels) and, darker, its root mean square."""

    options: WaveformOptions
    suffix = ".wave.png"

    def render(self, score: Score, path: Path, *, title: str = "") -> None:
        """Write the picture, whole or not at all. Raises DiffmidiError, as `wav` does."""
        save(draw(synthesise(score, self.options), self.options, title), path)


def draw(sound: Sound, options: WaveformOptions, title: str = "") -> Figure:
    """The picture as a figure."""
    figure, axes = new_picture(options.width, options.height, options.dpi, top=0.5)
    seconds = len(sound) / RATE
    low, high, power = envelope(sound, int(axes.bbox.width))
    time = np.linspace(0, seconds, len(low))
    axes.set_xlim(0, seconds)
    axes.set_ylim(-1, 1)
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.axhline(0, color=FAINT, linewidth=0.8)
    axes.fill_between(time, low, high, color=_PEAK, linewidth=0.4, label="extremes")
    axes.fill_between(time, -power, power, color=_POWER, linewidth=0, label="root mean square")
    axes.set_yticks([-1, -0.5, 0, 0.5, 1])
    axes.set_ylabel("level", size=8.5, color=QUIET)
    axes.set_xlabel("light: extremes, dark: root mean square", size=8.5, color=QUIET, labelpad=6)
    label_seconds(axes.xaxis, seconds, axes)
    heading(figure, title, [*_levels(low, high, power), said_length(seconds)])
    return figure


def envelope(sound: Sound, columns: int) -> tuple[Floats, Floats, Floats]:
    """Lowest and highest sample and root mean square of both channels, for each of at most `columns` equal stretches.

    Full scale is 1.
    """
    starts = np.unique(np.linspace(0, len(sound), columns, endpoint=False).astype(np.int64))
    groups = np.array_split(starts, max(1, -(-len(sound) // AT_ONCE)))
    ends = [*(int(group[0]) for group in groups[1:] if len(group)), len(sound)]
    stretches = zip((group for group in groups if len(group)), ends, strict=True)
    found = [_extremes(sound[group[0] : end], group - group[0]) for group, end in stretches]
    low, high, power = (np.concatenate(each) for each in zip(*found, strict=True))
    return low / FULL_SCALE, high / FULL_SCALE, np.sqrt(power) / FULL_SCALE


def _extremes(sound: Sound, starts: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    counts = np.diff(np.append(starts, len(sound)))
    low = np.minimum.reduceat(sound.min(axis=1), starts).astype(np.float64)
    high = np.maximum.reduceat(sound.max(axis=1), starts).astype(np.float64)
    squares = np.einsum("ij,ij->i", sound, sound, dtype=np.float32, casting="same_kind")
    return low, high, np.add.reduceat(squares, starts, dtype=np.float64) / (counts * sound.shape[1])


def _levels(low: Floats, high: Floats, power: Floats) -> list[str]:
    peak = max(-float(low.min()), float(high.max()))
    if peak == 0:
        return ["silent"]
    # The stretches are equally long, to a frame, so that their powers may be averaged.
    mean = float(np.sqrt((power**2).mean()))
    return [f"peak {_decibels(peak)} dBFS", f"RMS {_decibels(mean)} dBFS"]


def _decibels(level: float) -> str:
    return f"{20 * np.log10(level):.1f}".replace("-", "\N{MINUS SIGN}")
