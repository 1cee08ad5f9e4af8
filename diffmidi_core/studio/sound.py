"""The sound of a piece or a take, made when somebody first wants to hear it."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from diffmidi_core.errors import RefusedError
from diffmidi_core.music.clock import SECOND, clock_of
from diffmidi_core.music.notes import Score
from diffmidi_core.music.reading import read_midi
from diffmidi_core.show.render import WAV as WAV
from diffmidi_core.show.render import write_wav

LONGEST = 3600.0
"""Seconds of music that are made sound: an hour is 700 MB."""
_one_at_a_time = threading.Lock()


def sound_of(midi: Path) -> Path:
    """The WAV file beside a MIDI file, written where it is not there. Raises DiffmidiError where that fails."""
    path = midi.with_suffix(WAV)
    with _one_at_a_time:
        if not path.is_file():
            score = read_midi(midi)
            _check(score)
            write_wav(score, path)
    return path


def _check(score: Score) -> None:
    end = np.array([score.end() / max(score.ticks_per_quarter, 1)])
    if (seconds := float(clock_of(score).elapsed(end)[0]) / SECOND) > LONGEST:
        raise RefusedError(
            "too_long",
            f"this piece lasts {seconds / 3600:,.1f} hours, and the studio plays one: listen to its MIDI file.",
        )
