"""A rule of one's own, which music comes near to, beside a built-in one, which it obeys."""

import sys

import numpy as np

import diffmidi
from diffmidi.api import Options
from diffmidi.api.control import Control, notes_of


class Choices(Options):
    largest: int = 12


class SmallLeaps(Control):
    options: Choices

    def score(self, pieces):
        return [self.loss(notes_of(piece).pitch) for piece in pieces]

    def loss(self, pitch):
        return float((np.abs(np.diff(pitch)) > self.options.largest).mean()) if len(pitch) > 1 else 0.0


pipeline = diffmidi.Pipeline.from_pretrained(sys.argv[1])
rules = {"key": {"key": "D minor"}, SmallLeaps: {"largest": 7}}
for number, piece in enumerate(pipeline.sample(2, seed=4, controls=rules), start=1):
    piece.save(f"ruled {number}.mid")
