"""Windows of whole bars, where tokens are laid out in bars."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from diffmidi_core.data.cutting import width_of
from diffmidi_core.data.dataset import TokenDataset
from diffmidi_core.data.prepare import Choices, prepare
from diffmidi_core.draw.length import lengths_of, typical_of
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.hooks import Hooks
from diffmidi_core.music.notes import Notes, score_of
from diffmidi_core.registry import find

from .conftest import Scores


def piece_of(seed: int, bars: int = 12, most: int = 6):
    """Bars of 4/4 with 1 to `most` notes each."""
    random = np.random.default_rng(seed)
    onset = np.concatenate([1920 * bar + 240 * np.arange(random.integers(1, most + 1)) for bar in range(bars)])
    pitch = random.integers(40, 90, len(onset))
    return score_of(Notes(onset, np.full(len(onset), 240), pitch, np.full(len(onset), 80)))


SCORES = {f"piece {seed}": piece_of(seed, bars=3 + 3 * seed) for seed in range(8)}


@pytest.fixture(scope="module")
def tokenizer():
    return find("tokenizer", "mmm").build({"layout": "cells"})


def prepared(folder, tokenizer, scores=SCORES):
    prepare(Scores(scores), tokenizer, folder, Choices(heldout=0.3), hooks=Hooks())
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tokenizer):
    return prepared(tmp_path_factory.mktemp("data") / "data", tokenizer)


def bars_of(dataset, tokenizer, window):
    return len(tokenizer.starts(dataset.tokens(window)))


def test_windows_are_whole_bars_at_most_so_many_and_as_many_as_there_are(folder, tokenizer):
    dataset = TokenDataset(folder, tokenizer, length=1024, bars=4)
    for window in dataset.draw(200, seed=1, step=0):
        starts = tokenizer.starts(dataset.piece(window.piece))
        edges = [*starts.tolist(), len(dataset.piece(window.piece))]
        assert window.start in starts
        assert window.end in edges
        assert bars_of(dataset, tokenizer, window) == min(4, len(starts))
        assert tokenizer.faults(dataset.tokens(window)) == 0


def test_every_start_with_enough_bars_behind_it_is_as_likely(folder, tokenizer):
    dataset = TokenDataset(folder, tokenizer, length=1024, bars=4)
    drawn = {(window.piece, window.start) for window in dataset.draw(3000, seed=1, step=0)}
    expected = {
        (int(piece), int(start))
        for piece in dataset.train_pieces
        for start in tokenizer.starts(dataset.piece(piece))[: max(1, len(tokenizer.starts(dataset.piece(piece))) - 3)]
    }
    assert drawn == expected


def test_a_window_has_no_more_tokens_than_its_length(folder, tokenizer):
    dataset = TokenDataset(folder, tokenizer, length=40, bars=8)
    windows = dataset.draw(200, seed=1, step=0)
    assert max(window.end - window.start for window in windows) <= 40
    assert min(bars_of(dataset, tokenizer, window) for window in windows) >= 1


def test_tiles_hold_every_bar_once_but_those_that_are_too_long(folder, tokenizer):
    dataset = TokenDataset(folder, tokenizer, length=24, bars=8)
    for pieces, tiles in ((dataset.heldout_pieces, dataset.heldout()), (dataset.test_pieces, dataset.test())):
        held = sorted((tile.piece, start) for tile in tiles for start in inside(dataset, tokenizer, tile))
        expected = []
        for piece in pieces.tolist():
            edges = np.append(tokenizer.starts(dataset.piece(piece)), len(dataset.piece(piece)))
            expected += [(piece, int(start)) for start, end in itertools.pairwise(edges) if end - start <= 24]
        assert held == expected


def inside(dataset, tokenizer, window):
    starts = tokenizer.starts(dataset.piece(window.piece))
    return starts[(starts >= window.start) & (starts < window.end)].tolist()


def test_bars_that_are_too_long_are_in_no_window_and_are_counted(tmp_path, tokenizer):
    scores = {"short": piece_of(1, most=2), "mixed": piece_of(2, most=8), "other": piece_of(3, most=2)}
    dataset = TokenDataset(prepared(tmp_path / "data", tokenizer, scores), tokenizer, length=16, bars=2)
    long = 0
    for piece in dataset.train_pieces:
        edges = np.append(tokenizer.starts(dataset.piece(piece)), len(dataset.piece(piece)))
        long += int((np.diff(edges) > 16).sum())
    assert dataset.bars_left_out == long
    assert all(0 < window.end - window.start <= 16 for window in dataset.draw(200, seed=0, step=0))
    none = TokenDataset(tmp_path / "data", tokenizer, length=4)
    with pytest.raises(DiffmidiError, match="more than 4 tokens, so no window holds one: choose a larger --length"):
        none.draw(4, seed=0, step=0)


def test_a_draw_is_a_function_of_seed_and_step_though_some_are_drawn_again(folder, tokenizer):
    dataset = TokenDataset(folder, tokenizer, length=20, bars=8)
    assert dataset.draw(16, seed=1, step=5) == dataset.draw(16, seed=1, step=5)
    assert dataset.draw(16, seed=1, step=5) != dataset.draw(16, seed=1, step=6)


def test_rows_are_as_wide_as_the_longest_of_the_step(folder, tokenizer):
    dataset = TokenDataset(folder, tokenizer, length=1024, bars=4)
    windows = sorted(dataset.draw(16, seed=0, step=0), key=lambda window: window.end - window.start)
    longest = windows[-1].end - windows[-1].start
    whole = dataset.batch(windows)
    assert whole.ids.shape[1] == width_of(longest, group=4, length=1024) + 2
    part = dataset.batch(windows[:4], longest=longest)
    assert part.ids.equal(whole.ids[:4])
    assert part.attention_mask.equal(whole.attention_mask[:4])


@pytest.mark.parametrize(
    ("longest", "group", "length", "width"),
    [(1, 4, 1024, 32), (32, 4, 1024, 32), (33, 4, 1024, 64), (126, 1, 126, 126), (100, 4, 100, 100), (7, 1, 128, 8)],
)
def test_widths_are_eight_groups_at_a_time(longest, group, length, width):
    assert width_of(longest, group=group, length=length) == width


def test_a_model_knows_the_tracks_that_most_pieces_have_and_how_many_bars(folder, tokenizer):
    dataset = TokenDataset(folder, tokenizer, length=1024)
    assert typical_of(dataset, tokenizer).tracks == ("piano",)
    bars = sorted(len(tokenizer.starts(dataset.piece(piece))) for piece in dataset.train_pieces)
    assert set(lengths_of(dataset).bars) == set(bars)
