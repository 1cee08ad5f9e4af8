"""Music enough for a run that is tracked."""

from pathlib import Path

import numpy as np
import pytest

from diffmidi.api.renderer import write_midi
from diffmidi.api.tokenizer import Notes, score_of


@pytest.fixture
def music(tmp_path) -> Path:
    for seed in range(3):
        pitch = np.random.default_rng(seed).integers(40, 90, 24)
        notes = Notes(np.arange(24) * 240, np.full(24, 240), pitch, np.full(24, 80))
        write_midi(score_of(notes), tmp_path / "music" / f"{seed}.mid")
    return tmp_path / "music"
