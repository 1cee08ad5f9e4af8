"""A source of scores made on the spot, and the tokenizer that reads them."""

import numpy as np
import pytest

from diffmidi.api import Options, RefusedError
from diffmidi.api.source import Piece, Source
from diffmidi.api.tokenizer import Notes, score_of
from diffmidi_core.registry import find


def piece_of(seed, notes=40):
    """A score of `notes` random notes on an eighth grid, one after another: four words each."""
    rng = np.random.default_rng(seed)
    onset = np.arange(notes) * 240
    return score_of(Notes(onset, np.full(notes, 240), rng.integers(40, 90, notes), np.full(notes, 80)))


class Scores(Source):
    """Scores from a dict; None stands for a file that cannot be read."""

    def __init__(self, scores, groups=None):
        super().__init__(Options(), data=None)
        self.scores, self.groups = scores, groups or {}

    def pieces(self):
        return (Piece(name, self.groups.get(name, "")) for name in self.scores)

    def read(self, piece):
        score = self.scores[piece.id]
        if score is None:
            raise RefusedError("corrupt", f"{piece.id} is damaged.")
        return score


@pytest.fixture(scope="session")
def tokenizer():
    return find("tokenizer", "mmm").build({"layout": "aligned"})
