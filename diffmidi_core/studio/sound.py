"""The sound of a piece or a take, made when somebody first wants to hear it."""

from __future__ import annotations

import threading
from pathlib import Path

from diffmidi_core.config import default_parts, filled
from diffmidi_core.contracts.renderer import Renderer
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.machine.build import blamed, build
from diffmidi_core.music.reading import read_midi

WAV = ".wav"
_one_at_a_time = threading.Lock()


def sound_of(midi: Path) -> Path:
    """The WAV file beside a MIDI file, written where it is not there. Raises DiffmidiError where that fails."""
    path = midi.with_suffix(WAV)
    with _one_at_a_time:
        if not path.is_file():
            for part in default_parts("renderer"):
                renderer: Renderer = build("renderer", filled("renderer", part))
                if renderer.suffix == WAV:
                    with blamed("renderer", part, "making sound"):
                        renderer.render(read_midi(midi), path)
                    return path
            raise DiffmidiError("no installed renderer of the default ones writes WAV files, so nothing can be heard.")
    return path
