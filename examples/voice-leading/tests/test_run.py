"""A whole run with what this package offers, of toy sizes (tiny.json): seconds, and what it draws is no music yet."""

from pathlib import Path

import numpy as np

import diffmidi
from diffmidi.api.tokenizer import Notes, score_of


def music(folder):
    """Write twelve short melodies into a folder, as MIDI files; return what --data is to be."""
    folder.mkdir()
    for start in range(60, 72):
        pitch = start + np.arange(24) * (start % 5 + 1) % 11
        columns = (480 * np.arange(24), np.full(24, 480), pitch, np.full(24, 64))
        score_of(Notes(*columns)).dump_midi(folder / f"{start}.mid")
    return folder


def test_a_run_of_seconds(tmp_path):
    config = Path(__file__).parents[1] / "tiny.json"
    run = diffmidi.run(music(tmp_path / "music"), tmp_path / "run", config=config, beside="none")
    assert (run / "report.html").is_file()
    assert len(list((run / "draws" / "1").glob("*.mid"))) == 2
    assert diffmidi.Pipeline.from_pretrained(run).sample(1, controls=["diffmidi-voice-leading:voice_leading"])
