"""What is special about the controls: they judge by the rules of the metric, and by having four voices at all."""

import sys
from pathlib import Path

import pytest

from diffmidi_core.registry import find

sys.path.insert(0, str(Path(__file__).parent))
from music import chorale, keyboard

C, G, FIFTHS = (72, 67, 64, 48), (71, 67, 62, 55), ((67, 64, 60, 45), (69, 65, 62, 41))


def control(name="voice_leading", **options):
    return find("control", f"diffmidi-voice-leading:{name}").build(options)


def test_good_writing_is_free_and_faults_cost_more_the_more_there_are():
    losses = control().score([chorale(C, G), chorale(C, G, *FIFTHS), chorale(*FIFTHS), chorale()])
    assert losses[0] == losses[3] == 0
    assert 0 < losses[1] < losses[2] < 1


def test_only_the_rules_asked_for_count():
    assert control(rules=["spacing"]).score([chorale(*FIFTHS)]) == [0]
    assert control(rules=["parallel_fifths"]).score([chorale(*FIFTHS)]) == [0.5]


def test_moments_without_four_voices_cost():
    pieces = [keyboard(C, G, (60,), (62,))]
    assert control().score(pieces) == [pytest.approx(1 / 3)]
    assert control(four=0).score(pieces) == [0]


def test_a_leading_tone_that_falls_costs_half():
    scale = [C, G, (69, 65, 60, 53), C]
    good, bad = chorale(*scale, G, C), chorale(*scale, G, (67, 64, 60, 48))
    assert control("leading_tone").score([good, bad, chorale()]) == [0, 0.5, 0]
