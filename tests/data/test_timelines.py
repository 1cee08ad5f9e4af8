"""A token dataset keeps each piece's timeline, and what is typical of its training pieces."""

from statistics import median

import pytest

from diffmidi.api.tokenizer import Timeline
from diffmidi_core.data.dataset import TokenDataset
from diffmidi_core.data.prepare import Choices, prepare
from diffmidi_core.draw.length import typical_of
from diffmidi_core.hooks import Hooks
from diffmidi_core.saved.typical import Typical

from .conftest import Scores, piece_of


def played(seed, qpm, metre, late=0.0):
    """A piece that begins `late` quarter notes after its first bar line; None: no tempo, or no metre, is named."""
    score = piece_of(seed)
    score.tempos[0].qpm = qpm or 120
    if qpm is None:
        score.tempos.clear()
    if metre is None:
        score.time_signatures.clear()
    else:
        score.time_signatures[0].numerator, score.time_signatures[0].denominator = metre
    return score.shift_time(int(480 * late)) if late else score


def dataset_of(scores, tokenizer, folder, **options):
    prepare(Scores(scores), tokenizer, folder, Choices(near_duplicates="ignore", **options), hooks=Hooks())
    return TokenDataset(folder, tokenizer, length=64)


def told(score):
    signs = [(each.time, each.numerator, each.denominator) for each in score.time_signatures]
    return [(each.time, each.mspq) for each in score.tempos], signs, score.tracks[0].notes.numpy()["time"].tolist()


def test_every_piece_comes_back_at_its_tempo_in_its_metre(tokenizer, tmp_path):
    scores = {"a": played(0, 82, (2, 4)), "b": played(1, 61.5, (6, 8)), "c": played(2, 200, (4, 4))}
    dataset = dataset_of(scores, tokenizer, tmp_path / "data", heldout=0.3)
    for row in range(3):
        back = tokenizer.decode(dataset.piece(row), dataset.timeline(row))
        assert told(back) == told(scores[dataset.name(row)])


def test_the_median_tempo_and_the_commonest_metre_are_those_of_the_training_pieces_that_name_one(tokenizer, tmp_path):
    named = [(60, (3, 4)), (80, (3, 4)), (100, (4, 4)), (None, None), (90, (1, 4)), (85, (3, 4)), (None, (4, 4))]
    scores = {f"{number}": played(number, *each) for number, each in enumerate(named)}
    dataset = dataset_of(scores, tokenizer, tmp_path / "data", heldout=0.15, test=0.0)
    kept = [named[int(dataset.name(row))] for row in dataset.train_pieces]
    assert len(kept) < len(named)
    assert dataset.report["typical"]["tempo"] == pytest.approx(median(qpm for qpm, _ in kept if qpm), abs=0.01)
    # A bar of one beat is no metre.
    assert dataset.report["typical"]["metre"] == [3, 4]
    assert typical_of(dataset, tokenizer).metre == (3, 4)


def test_where_no_piece_names_any_the_tokenizer_decides(tokenizer, tmp_path):
    scores = {name: played(seed, None, None) for seed, name in enumerate("ab")}
    dataset = dataset_of(scores, tokenizer, tmp_path / "data", heldout=0.5, test=0.0)
    assert dataset.report["typical"] == {}
    assert typical_of(dataset, tokenizer) == Typical()
    assert Typical().timeline() == Timeline()
    assert told(tokenizer.decode(dataset.piece(0), Typical().timeline())) == told(tokenizer.decode(dataset.piece(0)))
