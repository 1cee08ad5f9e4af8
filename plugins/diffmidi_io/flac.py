"""flac: the sound of wav without loss, in about half the room (libsndfile, by soundfile)."""

from __future__ import annotations

from pathlib import Path

import soundfile

from diffmidi.api.renderer import Renderer, Score, whole_file
from diffmidi_io.declarations import SoundOptions
from diffmidi_io.sound import RATE, synthesise
from diffmidi_io.stretches import blocks


class Flac(Renderer):
    """A .flac file: 16 bit, stereo, 48 kHz, the very samples of the .wav."""

    options: SoundOptions
    suffix = ".flac"

    def render(self, score: Score, path: Path, *, title: str = "") -> None:
        """Write the sound, whole or not at all. Raises DiffmidiError, as `wav` does."""
        sound = synthesise(score, self.options)
        with (
            whole_file(path) as temporary,
            soundfile.SoundFile(temporary, "w", RATE, 2, "PCM_16", format="FLAC") as file,
        ):
            for block in blocks(sound):
                file.write(block)
