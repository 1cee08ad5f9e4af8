"""What is special about the metric: figures by rule, each over what was judged."""

import sys
from pathlib import Path

import pytest

from diffmidi.api.metric import Sample
from diffmidi_core.registry import find

sys.path.insert(0, str(Path(__file__).parent))
from music import chorale, keyboard

C, G, FIFTHS = (72, 67, 64, 48), (71, 67, 62, 55), ((67, 64, 60, 45), (69, 65, 62, 41))


def figures(*scores, reference=()):
    metric = find("metric", "diffmidi-voice-leading:voice_leading").build()
    rows, beside = ([metric.measure(Sample.of_music(score)) for score in some] for some in (scores, reference))
    return metric.summarise(rows, beside)


def test_faults_are_counted_over_all_changes_beside_the_reference():
    found = figures(chorale(C, G, C, G), chorale(*FIFTHS), chorale(), reference=[chorale(C, G)])
    fifths = found["parallel_fifths"]
    assert (fifths.value, fifths.reference, fifths.count, fifths.skipped) == (25, 0, 2, 1)
    assert "over 4 changes" in fifths.note
    assert found["all"].value == pytest.approx(25)


def test_who_sings_what_is_not_known_of_one_track_and_then_nobody_crosses():
    assert "crossing" in figures(chorale(C, G))
    assert "crossing" not in figures(keyboard(C, G))


def test_what_is_not_judged_is_told():
    found = figures(keyboard(C, G, (60, 64, 67), (60, 64)))
    assert found["four_voices"].value == 50
    assert "leading_tone" not in found
