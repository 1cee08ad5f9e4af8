"""A run folder with a little music in it, ready to be trained."""

import numpy as np
import pytest

from diffmidi.api import hookimpl
from diffmidi.api.renderer import write_midi
from diffmidi.api.tokenizer import Notes, score_of
from diffmidi_core.config import resolve
from diffmidi_core.hooks import Hooks
from diffmidi_core.machine.session import Session
from diffmidi_core.run.stages import prepare_data
from diffmidi_core.saved.folder import RunFolder
from diffmidi_core.train import loop

SMALL = (
    *("tokenizer.layout=aligned", "backbone.size=tiny", "backbone.dropout=0", "process.steps=20"),
    *("train.warmup=0", "train.draw=0"),
)


class Ears:
    """A listener that remembers the warnings."""

    def __init__(self):
        self.warnings = []

    @hookimpl
    def warned(self, message):
        self.warnings.append(message)


@pytest.fixture
def ears():
    return Ears()


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    folder = tmp_path_factory.mktemp("music")
    for seed in range(4):
        pitch, velocity = np.random.default_rng(seed).integers((40, 30), (90, 110), (40, 2)).T
        notes = Notes(np.arange(40) * 240, np.full(40, 240), pitch, velocity)
        write_midi(score_of(notes), folder / f"{seed}.mid")
    return folder


@pytest.fixture
def trainer(music, tmp_path):
    """Makes a Trainer of a new run by name, with -o assignments; `listeners` are its hooks."""

    def make(name, *assignments, listeners=()):
        flags = {
            "data": str(music),
            "process": "gaussian",
            "length": 32,
            "precision": "fp32",
            "train.batch_size": 4,
            "no_hook": ["all"],
        }
        config = resolve(None, flags, (*SMALL, *assignments))
        session = Session(RunFolder.new(tmp_path / name, config), config)
        session.hooks = Hooks(listeners)
        prepare_data(session)
        return loop.Trainer(session)

    return make
