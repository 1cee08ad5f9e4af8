"""Recorded performances: milliseconds for beats, and notes that the pedal holds."""

import json

import numpy as np
import pytest
from symusic.core import ControlChangeTick

from diffmidi.api.renderer import write_midi
from diffmidi.api.tokenizer import Notes, score_of

from .conftest import QUIET, TINY


@pytest.fixture(scope="module")
def performances(tmp_path_factory):
    """Twelve pieces of short notes a few milliseconds off any beat, the pedal down for all of the first half."""
    folder = tmp_path_factory.mktemp("performances")
    for seed in range(12):
        random = np.random.default_rng(seed)
        onset = np.arange(60) * 150 + random.integers(0, 40, 60)
        score = score_of(Notes(onset, np.full(60, 50), 40 + random.permutation(60) % 48, random.integers(30, 120, 60)))
        for time, value in [(0, 127), (4500, 0)]:
            score.tracks[0].controls.append(ControlChangeTick(time, 64, value))
        write_midi(score, folder / f"piece {seed}.mid")
    return folder


def longest(run):
    words = [word for piece in texts(run) for word in piece.split() if word[0] == "d"]
    return max(int(word[1:].removesuffix("ms")) for word in words)


def texts(run):
    from diffmidi_core.data.dataset import TokenDataset
    from diffmidi_core.registry import find

    part = json.loads((run / "config.json").read_text())["tokenizer"]
    tokenizer = find("tokenizer", part["name"]).build(part["options"])
    dataset = TokenDataset(run / "data", tokenizer, length=32)
    pieces = [*dataset.train_pieces, *dataset.heldout_pieces]
    return [" ".join(tokenizer.to_tokens(dataset.piece(piece))) for piece in pieces]


def test_notes_are_as_long_as_the_pedal_holds_them_where_that_is_asked_for(diffmidi, performances, tmp_path):
    for name, sustain in (("held", "true"), ("let go", "false")):
        said = diffmidi(
            *("prepare", "--data", performances, "-o", "tokenizer.grid=10ms", "-o", f"prepare.sustain={sustain}"),
            *("--out", name),
        )
        assert said.code == 0, said.err
    # The first note is struck within 40 ticks of the beginning, and 4500 ticks are 4.7 seconds.
    assert 4000 < longest(tmp_path / "held") <= 4700
    assert longest(tmp_path / "let go") <= 60


def test_a_model_learns_and_plays_milliseconds(diffmidi, performances, tmp_path):
    said = diffmidi(
        *("run", "--data", performances, "-o", "tokenizer.grid=10ms", "-o", "prepare.sustain=true", "--out", "mine"),
        *(*TINY, *QUIET),
    )
    assert said.code == 0, said.err
    assert len(list((tmp_path / "mine" / "draws" / "1").glob("*.mid"))) == 2


def test_a_grid_that_is_none_is_one_sentence(diffmidi):
    said = diffmidi("run", "-o", "tokenizer.grid=10s")
    assert said.code == 2
    assert said.err.strip().count("\n") == 0
    assert "milliseconds, 1ms to 100ms, such as 10ms (given: '10s')" in said.err
