"""Metrics that ask a model: the judge with what is to be read beside it, and the Fréchet distance."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from diffmidi.api.metric import Sample
from diffmidi_core.judge.by_model import ModelMetric
from diffmidi_core.judge.score import score
from diffmidi_core.registry import find
from diffmidi_core.sections import Part
from diffmidi_metrics.frechet import distance
from diffmidi_metrics.judge import entropy

from .test_distribution import random_piece


@pytest.fixture
def model(tokenizer):
    """A small model that was never trained."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        process = find("process", "masked").build(
            {},
            tokenizer=tokenizer,
            backbone=find("backbone", "bert").build({"size": "tiny"}, length=34),
            schedule=find("schedule", "loglinear").build(),
        )
    parts = {"process": Part(name="masked")}
    return SimpleNamespace(process=process.eval(), tokenizer=tokenizer, length=64, bars=8, parts=parts)


@pytest.fixture
def asking(model):
    """Builds a metric that asks the small model."""

    def make(name, **options):
        metric = find("metric", name).build({"model": "runs/other", **options})
        assert isinstance(metric, ModelMetric)
        assert metric.needs_model
        metric.model = model
        return metric

    return make


def pieces(sample, count, seed=0, **how):
    rng = np.random.default_rng(seed)
    return [sample(random_piece(rng, **how)) for _ in range(count)]


def test_the_judge_gives_its_own_bits_per_note_beside_those_of_held_out_music(asking, model, sample):
    judge, ours, theirs = asking("judge"), pieces(sample, 9), pieces(sample, 10, seed=1)
    rows, beside = ([judge.measure(each) for each in some] for some in (ours, theirs))
    found = judge.summarise(rows, beside)
    assert list(found) == ["bits", "entropy", "overlap"]
    scores = [[score(model, each.score, levels=4) for each in some] for some in (ours, theirs)]
    bits, held_out = (sum(each.bits for each in some) / sum(each.notes for each in some) for some in scores)
    assert (found["bits"].value, found["bits"].reference) == pytest.approx((bits, held_out))
    assert found["bits"].interval[0] < bits < found["bits"].interval[1]
    assert all("together" in figure.note for figure in found.values())
    assert "runs/other (a bound)" in found["bits"].note
    assert 0 < found["overlap"].value <= 1


def test_the_judge_needs_no_tokens_but_the_music(asking, sample):
    judge, piece = asking("judge"), pieces(sample, 1)[0]
    assert judge.measure(Sample.of_music(piece.score)) == judge.measure(piece)


def test_music_that_repeats_itself_has_less_entropy(asking, sample):
    judge = asking("judge")
    rows = [judge.measure(sample([(i / 2, 0.5, 60 + i % 2) for i in range(32)])) for _ in range(8)]
    beside = [judge.measure(each) for each in pieces(sample, 8)]
    found = judge.summarise(rows, beside)["entropy"]
    assert found.value < found.reference - 0.2
    assert found.interval[0] <= found.value <= found.interval[1]


def test_entropy_is_that_of_tokens_within_their_types():
    # Type 0 always says the same; type 1, half of all tokens, two tokens equally often: half a bit.
    many = entropy(np.array([2000.0, 0, 1000, 1000, 0]), np.array([0, 0, 1, 1, 1]))
    assert many == pytest.approx(0.5, abs=1e-3)
    # Few tokens of a uniform type have too little by themselves.
    draws = np.random.default_rng(0).multinomial(60, np.full(8, 1 / 8), size=2000).astype(float)
    assert entropy(draws, np.zeros(8, int)).mean() == pytest.approx(3, abs=0.03)


def test_exact_is_the_likelihood_of_the_judge(asking, model, sample):
    piece = pieces(sample, 1)[0]
    row = asking("judge", exact=True).measure(piece)
    assert row["above"] == pytest.approx(score(model, piece.score, exact=True).bits)


def test_silence_is_skipped(asking, sample):
    for name in ("judge", "frechet"):
        metric = asking(name)
        empty = metric.measure(sample([]))
        assert empty == {}
        rows = [empty, *(metric.measure(each) for each in pieces(sample, 4))]
        found = metric.summarise(rows, rows)
        figure = found["bits"] if name == "judge" else found
        assert (figure.count, figure.skipped) == (4, 1)
        assert metric.summarise([empty], rows) is None


def test_the_distance_is_that_of_normal_distributions():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 3)), rng.normal(1, 2, size=(300, 3))
    s, t = np.cov(x.T), np.cov(y.T)
    root = np.linalg.eigvals(s @ t).real.clip(min=0) ** 0.5
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s) + np.trace(t) - 2 * root.sum()
    assert distance(x, y) == pytest.approx(expected)
    assert distance(x, x) == pytest.approx(0, abs=1e-9)
    assert distance(x, x + 2) == pytest.approx(12)


def test_the_distance_is_finite_for_fewer_pieces_than_features():
    x = np.random.default_rng(0).normal(size=(5, 64))
    assert distance(x, x[::-1]) == pytest.approx(0, abs=1e-9)
    assert math.isfinite(distance(x, x[:2]))


def test_other_music_is_farther_than_held_out_music(asking, sample):
    metric = asking("frechet")
    theirs = [metric.measure(each) for each in pieces(sample, 24, seed=1)]
    alike, other = (
        metric.summarise([metric.measure(each) for each in some], theirs)
        for some in (pieces(sample, 12), pieces(sample, 12, middle=90, spread=2, length=2))
    )
    assert other.value > 2 * alike.value
    assert other.interval[0] > alike.interval[1]
    assert alike.reference == pytest.approx(alike.value, rel=1)
    assert "12 samples" in alike.note


def test_features_of_a_piece_are_averaged_over_its_windows(asking, model, sample):
    metric = asking("frechet")
    rng = np.random.default_rng(0)
    one, two = random_piece(rng)[:16], random_piece(rng)[:16]
    row = metric.features(sample([*one, *((8 + onset, length, pitch) for onset, length, pitch in two)]))
    assert row.shape == (model.process.backbone.width,)
    parts = [metric.features(sample(each)) for each in (one, two)]
    np.testing.assert_allclose(row, np.mean(parts, 0), rtol=0.05, atol=0.05)
