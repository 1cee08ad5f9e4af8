"""Labels of windows: measured on their tokens, in bins of the training music, and told at random."""

import json
from collections import Counter

import numpy as np
import pytest

from diffmidi.api import UsageError
from diffmidi_core.config import AugmentConfig
from diffmidi_core.data.augment import Augmentation
from diffmidi_core.data.dataset import TokenDataset
from diffmidi_core.data.measures import measurable, measured, of_scores
from diffmidi_core.data.prepare import Choices, prepare
from diffmidi_core.data.told import Told, obtained
from diffmidi_core.hooks import Hooks
from diffmidi_core.music.key import KEYS
from diffmidi_core.music.toy import from_rows, toy_scores
from diffmidi_core.registry import find
from diffmidi_core.train.feed import Feed
from tests.data.conftest import Scores, piece_of

LENGTH = 32


@pytest.fixture(scope="module")
def dataset(tokenizer, tmp_path_factory):
    """Nine pieces of two folders."""
    folder = tmp_path_factory.mktemp("data")
    prepare(
        Scores({f"{'ab'[n % 2]}/{n}": piece_of(n) for n in range(9)}),
        tokenizer,
        folder,
        Choices(heldout=0.2),
        hooks=Hooks(),
    )
    return TokenDataset(folder, tokenizer, length=LENGTH)


def told_of(dataset, tokenizer, *names, dropped=0.1):
    """Labels of these names."""
    return Told.of(names, dataset, tokenizer, dropped=dropped)


def test_measures_are_what_they_say():
    rows = [(0, 2, 60, 40), (0, 1, 64, 60), (1, 1, 67, 80), (6, 2, 60, 60)]
    chord, nothing = from_rows(rows), from_rows([])
    found = {name: values.tolist() for name, values in of_scores([nothing, chord, nothing]).items()}
    assert found["density"][1] == 4 / 8
    assert found["register"][1] == (60 + 64 + 67 + 60) / 4
    assert found["polyphony"][1] == 6 / 4  # two quarter notes of silence after four with six sounding
    assert found["velocity"][1] == 60
    assert KEYS[int(found["key"][1])] == "C major"
    assert found["tempo"][1] == pytest.approx(120)
    assert all(np.isnan(values[0]) for values in found.values())


def test_scores_are_measured_together_as_each_by_itself():
    scores = list(toy_scores().values())
    together = of_scores(scores)
    for number, score in enumerate(scores):
        for name, values in of_scores([score]).items():
            assert np.array_equal(together[name][number], values[0], equal_nan=True), (name, number)


@pytest.mark.parametrize("layout", ["aligned", "run", "cells", "paper"])
def test_a_transposed_window_is_in_another_key(layout):
    tokenizer = find("tokenizer", "mmm").build({"layout": layout})
    ids = tokenizer.encode(toy_scores()["tune"])
    higher = tokenizer.transposition(2)[ids]
    keys = measured([ids, higher], tokenizer, ["key"])["key"].astype(int)
    assert [KEYS[key] for key in keys] == ["C major", "D major"]


def test_only_what_tokens_tell_is_measured():
    cells = find("tokenizer", "mmm").build({"layout": "cells"})
    aligned = find("tokenizer", "mmm").build({"layout": "aligned"})
    assert set(measurable(cells)) - set(measurable(aligned)) == {"tempo"}


def test_bins_hold_as_many_training_windows_each(dataset, tokenizer):
    told = told_of(dataset, tokenizer, "window")
    by_name = {label.name: label for label in told.known}
    assert set(by_name) == {"key", "density", "register", "polyphony", "velocity"}
    assert min(by_name["register"].counts) > 0.1 * sum(by_name["register"].counts)
    assert sum(by_name["key"].counts) == 1024
    assert by_name["velocity"].seen == ("medium",)  # every note is as loud


def test_an_unknown_label_is_refused(dataset, tokenizer):
    with pytest.raises(UsageError, match=r"neither windows nor pieces .* There are key, .*folder"):
        told_of(dataset, tokenizer, "mood")
    with pytest.raises(UsageError, match="tell no tempo"):
        told_of(dataset, tokenizer, "tempo")


def test_labels_of_pieces_are_told_by_their_windows(dataset, tokenizer):
    told = told_of(dataset, tokenizer, "folder")
    windows = dataset.draw(20, seed=1, step=0)
    pieces = np.array([window.piece for window in windows])
    numbers = told.numbers([dataset.tokens(window) for window in windows], pieces)[:, 0]
    expected = [dataset.name(window.piece)[0] for window in windows]
    assert [told.known[0].values[number - 1] for number in numbers] == expected
    assert json.loads(told.known[0].model_dump_json())["of"] == "pieces"


def test_augmented_windows_have_the_labels_of_what_they_become(dataset, tokenizer):
    told = told_of(dataset, tokenizer, "register", dropped=0.0)
    dataset.augment = Augmentation(AugmentConfig(transpose=5), tokenizer)
    try:
        windows = dataset.draw(30, seed=1, step=0)
        batch = dataset.batch(windows)
        found = told.condition(batch, windows, np.zeros((30, 2)))["register"].tolist()
        scores = [tokenizer.decode(dataset.tokens(window)) for window in windows]
        assert [told.known[0].values[number - 1] for number in found] == [
            obtained(told.known, score)["register"] for score in scores
        ]
    finally:
        dataset.augment = None


def test_any_number_of_labels_is_told_as_often_and_none_in_a_tenth(dataset, tokenizer):
    told = told_of(dataset, tokenizer, "key", "density", "register", dropped=0.1)
    counts = Counter(told.told(told.draws(20_000, seed=3, step=0)).sum(-1).tolist())
    assert counts[0] / 20_000 == pytest.approx(0.1, abs=0.01)
    assert [counts[number] / 20_000 for number in (1, 2, 3)] == pytest.approx([0.3] * 3, abs=0.02)
    each = told.told(told.draws(20_000, seed=4, step=0)).mean(0)
    assert each == pytest.approx([0.6] * 3, abs=0.02)


def test_ranks_are_told_what_one_process_would_be(dataset, tokenizer):
    told = told_of(dataset, tokenizer, "key", "register")
    whole = Feed(dataset, seed=5, rows=6, told=told).batch(3)
    parts = [Feed(dataset, seed=5, rows=3, rank=rank, ranks=2, told=told).batch(3) for rank in (0, 1)]
    for name in ("key", "register"):
        assert [*parts[0].condition[name].tolist(), *parts[1].condition[name].tolist()] == whole.condition[
            name
        ].tolist()
    again = Feed(dataset, seed=5, rows=6, told=told).batch(3)
    assert again.condition["key"].tolist() == whole.condition["key"].tolist()
    later = Feed(dataset, seed=5, rows=6, told=told).batch(4)
    assert any(later.condition[name].tolist() != whole.condition[name].tolist() for name in ("key", "register"))


def test_without_labels_batches_have_none(dataset):
    assert Feed(dataset, seed=5, rows=6).batch(0).condition == {}
