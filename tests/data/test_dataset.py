"""Windows and batches: cut at note boundaries, padded, and a function of (seed, step) alone."""

import itertools
import shutil

import numpy as np
import pyarrow as pa
import pytest

from diffmidi.api.tokenizer import Notes, score_of
from diffmidi_core.data.dataset import TokenDataset
from diffmidi_core.data.prepare import Choices, prepare
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.hooks import Hooks
from diffmidi_core.registry import find

from .conftest import Scores, piece_of

SCORES = {f"piece {seed}": piece_of(seed, notes=5 + 7 * seed) for seed in range(12)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer):
    path = tmp_path_factory.mktemp("data") / "data"
    prepare(Scores(SCORES), tokenizer, path, Choices(heldout=0.3), hooks=Hooks())
    return path


@pytest.fixture(scope="module")
def dataset(folder, tokenizer):
    return TokenDataset(folder, tokenizer, length=64)


def test_every_window_begins_at_a_note_and_holds_whole_notes(dataset, tokenizer):
    for window in dataset.draw(200, seed=1, step=0):
        words = tokenizer.to_tokens(dataset.tokens(window))
        assert len(words) % 4 == 0
        assert 0 < len(words) <= 64
        assert [word[0] for word in words] == list("tpvd") * (len(words) // 4)


def test_windows_are_full_where_the_piece_is_long_enough(dataset):
    lengths = {window.end - window.start for window in dataset.draw(500, seed=1, step=0)}
    short = {4 * (5 + 7 * seed) for seed in range(2)}
    assert lengths <= {64} | short
    assert 64 in lengths


def test_training_windows_come_from_training_pieces_and_from_all_of_them(dataset):
    drawn = {window.piece for window in dataset.draw(3000, seed=1, step=0)}
    assert drawn == set(dataset.train_pieces)
    assert not drawn & set(dataset.heldout_pieces)
    assert len(dataset.train_pieces) + len(dataset.heldout_pieces) == len(SCORES)


def test_a_draw_is_a_function_of_seed_and_step(dataset):
    assert dataset.draw(8, seed=1, step=5) == dataset.draw(8, seed=1, step=5)
    assert dataset.draw(8, seed=1, step=5) != dataset.draw(8, seed=1, step=6)
    assert dataset.draw(8, seed=1, step=5) != dataset.draw(8, seed=2, step=5)


def test_a_draw_is_what_it_says(dataset, tokenizer):
    """The same windows, found piece by piece and boundary by boundary."""
    choices = []
    for piece in dataset.train_pieces:
        words = dataset.piece(piece)
        starts = [*tokenizer.starts(words).tolist(), len(words)]
        begins = [each for each in starts[:-1] if each + 64 <= len(words)] or [0]
        choices += [(piece, each, max(end for end in starts if end <= each + 64)) for each in begins]
    drawn = np.random.default_rng((7, 3)).integers(len(choices), size=50)
    windows = dataset.draw(50, seed=7, step=3)
    assert [(each.piece, each.start, each.end) for each in windows] == [choices[index] for index in drawn]


def test_windows_are_drawn_by_notes_not_by_pieces(dataset):
    drawn = np.bincount([window.piece for window in dataset.draw(6000, seed=3, step=0)], minlength=len(SCORES))
    notes = np.array([5 + 7 * seed for seed in range(12)])
    choices = np.maximum(1, notes - 16 + 1)[dataset.train_pieces]
    expected = 6000 * choices / choices.sum()
    assert (abs(drawn[dataset.train_pieces] - expected) < 5 * np.sqrt(expected) + 5).all()


def test_heldout_windows_tile_their_pieces(dataset):
    windows = sorted(dataset.heldout(), key=lambda each: (each.piece, each.start))
    for piece in dataset.heldout_pieces:
        mine = [window for window in windows if window.piece == piece]
        assert mine[0].start == 0
        assert mine[-1].end == 4 * (5 + 7 * int(piece))
        assert all(one.end == two.start for one, two in itertools.pairwise(mine))
    assert dataset.heldout(2) == dataset.heldout()[:2]


def test_test_windows_tile_the_test_pieces(tmp_path, tokenizer):
    prepare(Scores(SCORES), tokenizer, tmp_path / "data", Choices(heldout=0.2, test=0.3), hooks=Hooks())
    dataset = TokenDataset(tmp_path / "data", tokenizer, length=64)
    sides = [set(each.tolist()) for each in (dataset.train_pieces, dataset.heldout_pieces, dataset.test_pieces)]
    assert list(map(len, sides)) == [6, 2, 4]
    assert set.union(*sides) == set(range(len(SCORES)))
    for windows, pieces in ((dataset.heldout(), sides[1]), (dataset.test(), sides[2])):
        assert {window.piece for window in windows} == pieces
        assert sum(window.end - window.start for window in windows) == sum(len(dataset.piece(each)) for each in pieces)
    assert dataset.test(3) == dataset.test()[:3]


def test_windows_are_in_an_order_of_the_music_alone(tmp_path, tokenizer):
    """The same pieces under other names, backwards and beside others: the windows of both sets come in one order."""
    pieces = list(SCORES.values())
    more = [piece_of(seed, 60) for seed in range(50, 58)]
    orders = []
    for name, scores in (("one", pieces), ("two", [*reversed(pieces), *more])):
        named = {f"{name} {number}": score for number, score in enumerate(scores)}
        prepare(Scores(named), tokenizer, tmp_path / name, Choices(heldout=0.5), hooks=Hooks())
        dataset = TokenDataset(tmp_path / name, tokenizer, length=64)
        windows = dataset.heldout()
        assert windows != sorted(windows, key=lambda each: (each.piece, each.start))
        orders.append([bytes(dataset.tokens(window)) for window in windows])
    one, two = ([each for each in order if each in orders[0] and each in orders[1]] for order in orders)
    assert one == two
    assert len(one) > 10


def test_a_dataset_that_does_not_say_the_sides_is_refused(folder, tokenizer, tmp_path):
    shutil.copytree(folder, tmp_path / "old")
    with pa.memory_map(str(folder / "tokens.arrow")) as file, pa.ipc.open_stream(file) as stream:
        table = stream.read_all().drop_columns(["side"])
    with pa.OSFile(str(tmp_path / "old" / "tokens.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as out:
        out.write_table(table)
    with pytest.raises(DiffmidiError, match="has no 'side': prepare the data again"):
        TokenDataset(tmp_path / "old", tokenizer, length=64)


def test_the_rest_of_a_note_of_more_words_than_a_window_is_in_no_tile(tmp_path):
    tokenizer = find("tokenizer", "mmm").build({"layout": "run", "max_shift": 1})
    notes = Notes(np.arange(4) * 9600, np.full(4, 480), np.full(4, 60), np.full(4, 80))
    scores = {"one": score_of(notes), "two": piece_of(1)}
    prepare(Scores(scores, {"one": "x", "two": "y"}), tokenizer, tmp_path / "data", Choices(heldout=0.5), hooks=Hooks())
    dataset = TokenDataset(tmp_path / "data", tokenizer, length=6)
    rests = next(piece for piece in (0, 1) if dataset.name(piece) == "one")
    dataset.heldout_pieces = np.array([rests])
    windows = sorted(dataset.heldout(), key=lambda each: each.start)
    # The first note has 4 words; the others 16 of rest and 3 of note each, of which a window holds six.
    assert [(each.start, each.end) for each in windows] == [(0, 4), (4, 10), (23, 29), (42, 48)]


def test_a_batch_is_cls_words_sep_and_padding(dataset):
    short = next(w for w in dataset.heldout() + dataset.draw(500, seed=1, step=0) if w.end - w.start < 64)
    full = next(w for w in dataset.draw(50, seed=1, step=0) if w.end - w.start == 64)
    batch = dataset.batch([short, full])
    count = short.end - short.start
    assert batch.ids.shape == (2, 66)
    assert batch.ids[0, 0] == 1
    assert batch.ids[0, count + 1] == 2
    assert (batch.ids[0, count + 2 :] == 0).all()
    np.testing.assert_array_equal(batch.ids[0, 1 : count + 1], dataset.tokens(short))
    assert batch.attention_mask.sum(1).tolist() == [count + 2, 66]
    assert batch.tokens.tolist() == [count, 64]
    assert dataset.batch([full]).attention_mask is None


def test_another_tokenizer_is_refused(folder):
    with pytest.raises(DiffmidiError, match="prepared with another tokenizer"):
        TokenDataset(folder, find("tokenizer", "mmm").build({"layout": "aligned", "grid": 24}), length=64)


@pytest.mark.parametrize("layout", ["run", "paper"])
def test_other_layouts_are_cut_at_notes_too(tmp_path, layout):
    tokenizer = find("tokenizer", "mmm").build({"layout": layout})
    prepare(Scores(SCORES), tokenizer, tmp_path / "data", Choices(heldout=0.3), hooks=Hooks())
    dataset = TokenDataset(tmp_path / "data", tokenizer, length=50)
    for window in dataset.draw(100, seed=1, step=0) + dataset.heldout():
        words = dataset.tokens(window)
        assert 0 < len(words) <= 50
        assert tokenizer.faults(words) == 0
