"""A source of scores made on the spot, and the tokenizer that reads them."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from diffmidi import read_midi
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


@pytest.fixture(scope="session", params=[4, pytest.param(1, marks=pytest.mark.slow)], ids="one in {}".format)
def corpus(request):
    """Real music, every so many-th piece in all its versions: rows of the manifest, each with the score it names."""
    data = os.environ.get("DIFFMIDI_TEST_DATA")
    if not data:
        pytest.skip("set DIFFMIDI_TEST_DATA to a folder that holds corpus/manifest.csv")
    folder = Path(data) / "corpus"
    with open(folder / "manifest.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    chosen = {*sorted({row["piece"] for row in rows})[:: request.param]}
    return [(row, read_midi(folder / row["path"])) for row in rows if row["piece"] in chosen]
