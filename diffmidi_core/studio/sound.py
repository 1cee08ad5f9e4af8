"""The sound of a piece or a take, made when somebody first wants to hear it."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from diffmidi_core.config import default_parts, filled
from diffmidi_core.contracts.renderer import Renderer
from diffmidi_core.errors import DiffmidiError, RefusedError
from diffmidi_core.machine.build import blamed, build
from diffmidi_core.music.clock import SECOND, clock_of
from diffmidi_core.music.notes import Score
from diffmidi_core.music.reading import read_midi

WAV = ".wav"
LONGEST = 3600.0
"""Seconds of music that are made sound: an hour is 700 MB."""
_one_at_a_time = threading.Lock()


def sound_of(midi: Path) -> Path:
    """The WAV file beside a MIDI file, written where it is not there. Raises DiffmidiError where that fails."""
    path = midi.with_suffix(WAV)
    with _one_at_a_time:
        if not path.is_file():
            score = read_midi(midi)
            for part in default_parts("renderer"):
                renderer: Renderer = build("renderer", filled("renderer", part))
                if renderer.suffix == WAV:
                    _check(score)
                    with blamed("renderer", part, "making sound"):
                        renderer.render(score, path)
                    return path
            raise DiffmidiError("no installed renderer of the default ones writes WAV files, so nothing can be heard.")
    return path


def _check(score: Score) -> None:
    end = np.array([score.end() / max(score.ticks_per_quarter, 1)])
    if (seconds := float(clock_of(score).elapsed(end)[0]) / SECOND) > LONGEST:
        raise RefusedError(
            "too_long",
            f"this piece lasts {seconds / 3600:,.1f} hours, and the studio plays one: listen to its MIDI file.",
        )
