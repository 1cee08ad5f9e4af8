"""Overlap area and divergence: densities that are known, and music that is or is not like other music."""

import math

import numpy as np
import pytest

from diffmidi.api import Options
from diffmidi_metrics.densities import Grid, bandwidth, distances
from diffmidi_metrics.distribution import MOST, KlDivergence, OverlapArea, features

OVERLAP, KL = OverlapArea(Options()), KlDivergence(Options())


def random_piece(rng, middle=60, spread=8.0, length=0.5):
    pitch = np.clip(np.rint(rng.normal(middle, spread, 32)), 21, 108)
    return [(i * length, length, int(p)) for i, p in enumerate(pitch)]


def test_densities_are_gaussian_kernels_by_scotts_rule():
    values = np.random.default_rng(0).normal(5, 2, 60)
    grid = Grid(values, values + 30)
    density = grid.density(values)
    points = grid.low + grid.step * np.arange(len(density))
    h = values.std(ddof=1) * 60**-0.2
    assert bandwidth(values) == pytest.approx(h)
    exact = np.exp(-(((points[:, None] - values) / h) ** 2) / 2).sum(1) / (60 * h * math.sqrt(2 * math.pi)) * grid.step
    assert density.sum() == pytest.approx(1)
    assert np.abs(density - exact).max() < 0.02 * exact.max()


def test_two_normals_overlap_and_diverge_as_the_formulas_say():
    rng = np.random.default_rng(0)
    p, q = rng.normal(0, 1, 40_000), rng.normal(1, 1, 40_000)
    grid = Grid(p, q)
    p, q = grid.density(p), grid.density(q)
    assert OVERLAP.compare(p, q) == pytest.approx(math.erfc(1 / (2 * math.sqrt(2))), abs=0.01)
    assert KL.compare(p, q) == pytest.approx(0.5, abs=0.03)
    assert OVERLAP.compare(p, p) == pytest.approx(1)
    assert KL.compare(p, p) == 0


def test_sets_with_nothing_in_common_have_no_overlap_and_a_finite_divergence():
    p, q = np.full(10, 1.0), np.full(10, 900.0)  # without any spread: no bandwidth
    grid = Grid(p, q)
    assert OVERLAP.compare(grid.density(p), grid.density(q)) == pytest.approx(0, abs=1e-4)
    assert 5 < KL.compare(grid.density(p), grid.density(q)) < 50
    same = Grid(p, p)
    assert OVERLAP.compare(same.density(p), same.density(p)) == pytest.approx(1)


def test_distances_are_euclidean():
    found = distances(np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[0.0, 0.0]]))
    assert found.tolist() == [[0.0], [5.0]]


def test_features_known_by_hand(sample):
    found = features(sample([(0, 1, 60), (0, 1, 64), (1, 2, 72), (3, 1, 60)]))
    assert {name: vector.tolist() for name, vector in found.items() if len(vector) == 1} == {
        "pitch_count": [3],
        "pitch_range": [12],
        "pitch_interval": [(4 + 8 + 12) / 3],
        "note_density": [1.0],
        "inter_onset": [1.5],
    }
    assert found["pitch_classes"][[0, 4]].tolist() == [0.75, 0.25]
    assert found["note_lengths"].sum() == 1
    assert sorted(found["note_lengths"])[-2:] == [0.25, 0.75]
    assert features(sample([(0, 1, 60)])) == {}


@pytest.mark.parametrize("name", ["overlap_area", "kl_divergence"])
def test_music_of_the_same_kind_is_nearer_than_of_another(figure, sample, name):
    rng = np.random.default_rng(0)
    heldout = [sample(random_piece(rng)) for _ in range(30)]
    like = figure(name, [sample(random_piece(rng)) for _ in range(12)], heldout)
    unlike = figure(name, [sample(random_piece(rng, 40, 1.0, 2.0)) for _ in range(12)], heldout)
    sign = 1 if name == "overlap_area" else -1
    for each in ("mean", "pitch_range", "note_density", "pitch_classes"):
        assert sign * like[each].value > sign * unlike[each].value
        low, high = unlike[each].interval
        assert sign * like[each].value > sign * (high if sign > 0 else low)
    assert sign * like["mean"].reference > sign * unlike["mean"].interval[1 if sign > 0 else 0]
    values = [each.value for part, each in like.items() if part != "mean"]
    assert like["mean"].value == pytest.approx(np.mean(values))


def test_too_little_to_compare_gives_no_figure(figure, sample):
    piece = sample(random_piece(np.random.default_rng(0)))
    assert figure("overlap_area", [piece]) is None
    assert figure("overlap_area", [piece], [piece] * 3) is None
    assert figure("overlap_area", [sample([])], [piece] * 9) is None
    assert figure("overlap_area", [piece, sample([])], [piece] * 9)["mean"].skipped == 1


def pair_by_pair(metric, ours, theirs):
    """Value, reference and error of a figure by the definition: every bootstrap sample's distances written out."""
    rng = np.random.default_rng(0)
    drawn = [(np.arange(len(ours)), np.arange(len(theirs)))]
    while len(drawn) < 201:
        mine, other = rng.integers(len(ours), size=len(ours)), rng.integers(len(theirs), size=len(theirs))
        while len(np.unique(other)) < 3:
            other = rng.integers(len(theirs), size=len(theirs))
        drawn.append((mine, other))
    first, second = np.triu_indices(len(theirs), 1)
    within, across = distances(theirs, theirs), distances(ours, theirs)
    grid = Grid(within[first, second], across.ravel())
    scores = []
    for mine, other in drawn:
        one, two = other[first], other[second]
        apart = one != two
        p, q = grid.density(within[one[apart], two[apart]]), grid.density(across[np.ix_(mine, other)].ravel())
        scores.append(metric.compare(p, q))
    return scores[0], np.std(scores[1:], ddof=1)


@pytest.mark.parametrize("metric", [OVERLAP, KL])
def test_weights_say_what_every_pair_says(sample, metric):
    rng = np.random.default_rng(3)
    rows = [metric.measure(sample(random_piece(rng, spread=rng.uniform(3, 9)))) for _ in range(20)]
    found = metric.summarise(rows[:8], rows[8:])
    for name in ("pitch_count", "pitch_classes"):
        ours, theirs = (
            np.array(sorted(list(row.values()) for row in some))[:, [name in key for key in rows[0]]]
            for some in (rows[:8], rows[8:])
        )
        value, error = pair_by_pair(metric, ours, theirs)
        assert found[name].value == pytest.approx(value, rel=1e-9)
        assert found[name].error == pytest.approx(error, rel=1e-6)
        assert found[name].note == ""


def test_of_many_pieces_some_are_drawn_and_the_figure_says_how_many(sample):
    rng = np.random.default_rng(0)
    rows = [OVERLAP.measure(sample(random_piece(rng))) for _ in range(2 * MOST)]
    found = OVERLAP.summarise([*rows[:20], {}], rows)["mean"]
    assert (found.count, found.skipped) == (20, 1)
    assert found.note == "on 256 of the 512 pieces of the reference, drawn at random with seed 0"
    assert OVERLAP.summarise([*rows[:20], {}], rows[::-1])["mean"] == found, "whatever their order"
    both = OVERLAP.summarise([*rows, {}], rows)["mean"]
    assert (both.count, both.skipped) == (MOST, 1)
    assert both.note.startswith("on 256 of the 512 samples and 256 of the 512 pieces of the reference, drawn")
    assert OVERLAP.summarise(rows[:MOST], rows[:MOST])["mean"].note == ""
