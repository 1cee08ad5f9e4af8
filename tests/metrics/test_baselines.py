"""Baselines: n-grams that sum to one, with values worked out by hand, and copies of what stood one bar before."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from diffmidi.api.metric import Grammar, Sample, WindowBits
from diffmidi_core.music.toy import from_rows
from diffmidi_core.registry import find
from diffmidi_metrics.baselines import bar_before
from diffmidi_metrics.ngrams import KneserNey, TypedUnigram, _discounts

V = 7
MUSIC = np.arange(V) >= 4


@pytest.fixture(scope="module")
def pieces():
    rng = np.random.default_rng(0)
    return [rng.choice([4, 4, 4, 5, 6], size=length) for length in (40, 1, 25, 0)]


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_the_tokens_that_may_follow_have_probability_one_together(pieces, order):
    model = KneserNey(pieces, order, size=V, tokens=MUSIC)
    for length in (0, 1, 2, 4):
        for before in itertools.product((4, 5, 6), repeat=length):
            following = [model.probabilities(np.array([*before, word]))[-1] for word in range(V)]
            assert sum(following) == pytest.approx(1)
            assert following[:4] == [0] * 4
            assert min(following[4:]) > 0


def test_a_bigram_by_hand():
    """a b a b a c: few counts, so that the discounts are 1/2, 1 and 3/2.

    c(ab) = 2, c(ba) = 2, c(ac) = 1, and a begins. Preceded by different tokens (what stands before the piece is one):
    a by 2, b by 1, c by 1.
    """
    a, b, c = 4, 5, 6
    model = KneserNey([np.array([a, b, a, b, a, c])], 2, size=V, tokens=MUSIC)
    left = (1 + 0.5 + 0.5) / 4 / 3  # of 2, 1, 1 the discounts 1, 1/2, 1/2 go to the three tokens evenly
    one = {a: (2 - 1) / 4 + left, b: 0.5 / 4 + left, c: 0.5 / 4 + left}
    after_a = {a: 0, b: (2 - 1) / 3, c: 0.5 / 3}
    for word in (a, b, c):
        found = model.probabilities(np.array([a, word]))
        assert found[0] == pytest.approx(one[a])
        assert found[1] == pytest.approx(after_a[word] + (1 + 0.5) / 3 * one[word])
    # After b stood a alone, twice; after c nothing, which leaves all to the unigram.
    assert model.probabilities(np.array([b, a]))[1] == pytest.approx((2 - 1) / 2 + 1 / 2 * one[a])
    assert model.probabilities(np.array([c, b]))[1] == pytest.approx(one[b])


def test_discounts_are_chen_and_goodmans():
    y = 100 / (100 + 2 * 40)
    expected = [0, 1 - 2 * y * 40 / 100, 2 - 3 * y * 20 / 40, 3 - 4 * y * 10 / 20]
    np.testing.assert_allclose(_discounts(np.array([100, 40, 20, 10])), expected)
    np.testing.assert_allclose(_discounts(np.array([5, 0, 0, 0])), [0, 0.5, 1, 1.5])


def test_no_context_reaches_from_one_piece_into_the_next():
    apart = KneserNey([np.array([4, 5]), np.array([6, 4])], 2, size=V, tokens=MUSIC)
    alone = apart.probabilities(np.array([6]))[0]
    assert apart.probabilities(np.array([5, 6]))[1] == pytest.approx(alone)  # 5 ends a piece: nothing follows it
    joined = KneserNey([np.array([4, 5, 6, 4])], 2, size=V, tokens=MUSIC)
    assert joined.probabilities(np.array([5, 6]))[1] > 2 * alone


def test_more_context_tells_more_of_music_that_repeats():
    piece = np.tile([4, 4, 5, 6], 60)
    bits = [-np.log2(KneserNey([piece], n, size=V, tokens=MUSIC).probabilities(piece)).mean() for n in (1, 2, 3)]
    assert bits[0] == pytest.approx(1.5, abs=0.02)
    assert bits[1] == pytest.approx(0.5, abs=0.03)
    assert bits[2] < 0.1


def test_a_typed_unigram_knows_the_type_and_no_more():
    grammar = Grammar(("special", "x", "y"), np.array([0] * 4 + [1, 1, 2]), np.array([[-1, 1, -1], [-1, -1, 0]]))
    pieces = [np.array([4, 6] * 30 + [5, 6] * 10)]
    model = TypedUnigram(pieces, grammar, size=V, tokens=MUSIC)
    np.testing.assert_allclose(model.probabilities(np.array([4, 6, 5, 6])), [0.75, 1, 0.25, 1], atol=0.03)
    for before in ([], [4]):
        assert sum(model.probabilities(np.array([*before, word]))[-1] for word in range(V)) == pytest.approx(1)


BAR = [(0, 1, 60), (0, 1, 64), (1, 1, 62), (2, 2, 67)]


def rows(bars):
    return [(onset + 4 * bar, length, pitch) for bar in range(bars) for onset, length, pitch in BAR]


@pytest.mark.parametrize("layout", ["aligned", "run"])
def test_the_word_of_a_bar_before_is_found_in_music_that_repeats(layout):
    tokenizer = find("tokenizer", "mmm").build({"layout": layout})
    score = from_rows([(*row, 80) for row in rows(4)])
    ids = tokenizer.encode(score)
    source = bar_before(ids, tokenizer.decode(ids), tokenizer, 4)
    assert (source < np.arange(len(ids))).all()
    told = source >= 0
    assert told.mean() > 0.6
    assert not told[: len(ids) // 4].any()
    assert (ids[source[told]] == ids[told]).all()


@pytest.mark.parametrize(("name", "options"), [("mmm", {"layout": "aligned"}), ("remi", {})])
def test_a_copy_is_told_from_the_past_alone(name, options):
    tokenizer = find("tokenizer", name).build(options)
    rng = np.random.default_rng(0)
    same = [(*row, 80) for row in rows(2)]
    one, two = (
        tokenizer.encode(from_rows(same + [(8 + i / 2, 1, int(p), 80) for i, p in enumerate(rng.integers(50, 80, n))]))
        for n in (12, 7)
    )
    found = [bar_before(ids, tokenizer.decode(ids), tokenizer, 4) for ids in (one, two)]
    shared = int(np.argmin(np.append(one[: min(len(one), len(two))] == two[: min(len(one), len(two))], False)))
    assert shared > 16
    assert found[0][: shared + 1].tolist() == found[1][: shared + 1].tolist()


def window(tokenizer, training, bars):
    ids = tokenizer.encode(from_rows([(*row, 80) for row in rows(bars)]))
    return WindowBits({"tokens": np.zeros(len(ids) + 2)}, Sample(ids, tokenizer.decode(ids), tokenizer, training))


def test_figures_are_bits_per_token_of_the_same_tokens(figure, tokenizer, training):
    music = training(rows(6), rows(3))
    found = figure("baselines", [window(tokenizer, music, 2), window(tokenizer, music, 4)])
    assert list(found) == ["unigram", "typed_unigram", "trigram", "5-gram", "copy_last_bar"]
    assert all((each.unit, each.count) == ("bits per token", 2) for each in found.values())
    bits = {name: each.value for name, each in found.items()}
    assert bits["unigram"] > bits["typed_unigram"] > bits["copy_last_bar"]
    assert bits["trigram"] > bits["5-gram"]
    assert "144 tokens, all of the training music" in found["5-gram"].note
    ids = tokenizer.encode(from_rows([(*row, 80) for row in [*rows(6), *rows(3)]]))
    assert bits["unigram"] < math.log2(len(set(ids.tolist()))) + 0.5


def test_fewer_tokens_of_training_music_are_told(figure, tokenizer, training):
    found = figure("baselines", [window(tokenizer, training(rows(6), rows(3)), 2)], most_tokens=50)
    assert "trained on 50 tokens, as many as most_tokens allows" in found["unigram"].note


def test_without_training_music_there_is_no_figure(figure, tokenizer):
    assert figure("baselines", [window(tokenizer, None, 2)]) is None
