"""MusPy as an oracle, where it is right; and where it is not, what it says instead."""

import numpy as np
import pytest

from diffmidi.api.metric import notes_of

muspy = pytest.importorskip("muspy", reason="muspy is not installed (the dev extra has it)")


def pieces():
    """Chords and melodies on a grid of sixteenths; no pitch is struck while it sounds, and the last note ends off a
    beat, since MusPy counts a beat, and a bar, more where it ends on one."""
    found = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        rows = [
            (float(step), float(rng.integers(1, 5)) / 4, int(pitch))
            for step in np.sort(rng.choice(60, 24, replace=False))
            for pitch in rng.choice(np.arange(40, 90), rng.integers(1, 4), replace=False)
        ]
        found.append([(0.0, 0.75, 60), *rows, (61.0, 0.75, 60)])
    return found


def in_muspy(sample, resolution):
    factor = sample.score.ticks_per_quarter // resolution
    notes = notes_of(sample.score)
    columns = zip(notes.onset // factor, notes.pitch, notes.duration // factor, notes.velocity, strict=True)
    track = muspy.Track(notes=[muspy.Note(*(int(value) for value in row)) for row in columns])
    return muspy.Music(resolution=resolution, tracks=[track])


@pytest.mark.parametrize("rows", pieces())
def test_figures_agree(figure, sample, rows):
    item = sample(rows)
    music = in_muspy(item, 4)
    expected = {
        "pitch_class_entropy": muspy.pitch_class_entropy(music),
        "pitch_range": muspy.pitch_range(music),
        "scale_consistency": muspy.scale_consistency(music),
        "polyphony": muspy.polyphony(music),
        "polyphony_rate": muspy.polyphony_rate(music, threshold=1),
        "groove_consistency": muspy.groove_consistency(music, 16),
    }
    assert {name: figure(name, [item]).value for name in expected} == pytest.approx(expected)


def test_the_number_of_ticks_changes_muspys_groove_and_not_ours(figure, sample):
    item = sample(pieces()[0])
    coarse, fine = (muspy.groove_consistency(in_muspy(item, resolution), 4 * resolution) for resolution in (4, 480))
    assert fine > coarse + 0.05
    assert figure("groove_consistency", [item]).value == pytest.approx(coarse)


def test_muspys_polyphony_rate_wants_three_and_its_beats_are_filled_by_what_ended(figure, sample):
    two = sample([(0, 1, 60), (0, 1, 64)])
    assert muspy.polyphony_rate(in_muspy(two, 4)) == 0
    assert figure("polyphony_rate", [two]).value == 1
    gap = sample([(0, 1, 60), (2, 0.75, 60)])
    assert muspy.empty_beat_rate(in_muspy(gap, 4)) == 0
    assert figure("empty_beat_rate", [gap]).value == pytest.approx(1 / 3)
