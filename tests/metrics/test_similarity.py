"""Framewise self-similarity: areas known by formula, and what fools it."""

import math

import numpy as np
import pytest

from diffmidi_metrics.similarity import normal_overlap, overlaps


@pytest.mark.parametrize(
    ("one", "other", "area"),
    [
        ((60.0, 2.0), (60.0, 2.0), 1.0),
        ((60.0, 2.0), (64.0, 2.0), math.erfc(1 / math.sqrt(2))),
        ((60.0, 1e-3), (61.0, 1e-3), 0.0),
        ((0.0, 1.0), (0.0, 2.0), 0.6772),  # crossing at ±√(8 ln 2 / 3) = ±1.3596
        ((60.0, 1e-3), (60.0, 5.0), 0.0007),
    ],
)
def test_the_area_that_two_normals_share(one, other, area):
    assert normal_overlap(*one, *other) == pytest.approx(area, abs=3e-4)
    assert normal_overlap(*other, *one) == pytest.approx(normal_overlap(*one, *other))


def test_the_area_is_the_integral_of_the_lower_density():
    x = np.linspace(-60, 60, 200_001)
    for one, other in [((0, 1), (2, 3)), ((-5, 4), (5, 0.5)), ((1, 2), (1.5, 2.2))]:
        lower = np.minimum(*(np.exp(-(((x - m) / s) ** 2) / 2) / (s * math.sqrt(2 * math.pi)) for m, s in (one, other)))
        assert normal_overlap(*one, *other) == pytest.approx(float(lower.sum() * (x[1] - x[0])), abs=1e-5)


def test_frames_are_four_bars_two_apart():
    onset = np.arange(32.0)  # eight bars: frames at bars 0, 2 and 4
    pitch = np.repeat([60.0, 60.0, 72.0, 72.0], 8) + np.tile([0.0, 4.0], 16)
    found = overlaps(onset, pitch)
    halves = 62, math.sqrt(2**2)
    mixed = 68, math.sqrt(2**2 + 6**2)
    assert len(found) == 2
    assert found[0] == pytest.approx(normal_overlap(*halves, *mixed))
    assert len(overlaps(onset[:24], pitch[:24])) == 1
    assert len(overlaps(onset[:20], pitch[:20])) == 0
    assert overlaps(np.concatenate([onset, onset + 1e6]), np.tile(pitch, 2)).size == 6  # a rest of hours is no frames


def walk(seed, bars=16):
    """A melody that wanders: neighbouring frames are alike, distant ones are not."""
    rng = np.random.default_rng(seed)
    pitch = np.clip(60 + rng.normal(0, 2.5, 4 * bars).cumsum(), 21, 108)
    return [(float(i), 0.5, round(p)) for i, p in enumerate(pitch)]


def test_held_out_music_is_like_held_out_music_and_both_cheats_are_printed(figure, sample):
    heldout = [sample(walk(seed)) for seed in range(20)]
    same = figure("self_similarity", heldout, heldout)
    assert same["pitch_consistency"].value == same["pitch_variance"].value == 1
    assert same["pitch_consistency"].reference == 1
    assert same["pitch_consistency_shuffled"].value < 0.95
    mean = np.mean(np.concatenate([overlaps(*np.array(walk(seed))[:, [0, 2]].T) for seed in range(20)]))
    assert same["pitch_consistency_constant"].value == pytest.approx(max(0, 1 - (1 - mean) / mean))
    assert same["pitch_variance_constant"].value == 0
    low, high = same["pitch_consistency"].interval
    assert 0 < low < high <= 1


def test_one_pattern_for_ever_scores_what_is_printed_for_it(figure, sample):
    heldout = [sample(walk(seed)) for seed in range(8)]
    pattern = sample([(float(i), 0.5, 60 + i % 4) for i in range(64)])
    found = figure("self_similarity", [pattern], heldout)
    assert found["pitch_consistency"].value == pytest.approx(found["pitch_consistency_constant"].value)


def test_short_music_and_no_held_out_music_give_no_figure(figure, sample):
    long, short = sample(walk(0)), sample(walk(0, bars=5))
    assert figure("self_similarity", [short], [long]) is None
    assert figure("self_similarity", [long]) is None
    assert figure("self_similarity", [long, short], [long, sample(walk(1))])["pitch_consistency"].skipped == 1
