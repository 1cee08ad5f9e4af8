"""A function of a score that was there already, measured of a run's pieces and of the music it was not trained on."""

import sys

import numpy as np

import diffmidi
from diffmidi.api.metric import MeanOfSamples, notes_of


def leap(score):
    pitch = notes_of(score).pitch
    return float(np.abs(np.diff(pitch)).mean()) if len(pitch) > 1 else None


class Leap(MeanOfSamples):
    unit = "semitones"

    def value(self, sample):
        return leap(sample.score)


figure = diffmidi.evaluate(sys.argv[1], metric=Leap)[Leap]
print(f"{figure.value:.1f} {figure.unit}, and {figure.reference:.1f} in {figure.music}")
