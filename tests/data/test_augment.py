"""Augmentation: training windows in other keys, at other velocities and tempi, and nothing else of them changed."""

import numpy as np
import pytest

from diffmidi.api.tokenizer import Notes, notes_of, score_of
from diffmidi_core.config import AugmentConfig
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.data.augment import Augmentation
from diffmidi_core.data.dataset import TokenDataset, Window
from diffmidi_core.data.prepare import Choices, prepare
from diffmidi_core.errors import UsageError
from diffmidi_core.hooks import Hooks
from diffmidi_core.registry import find

from .conftest import Scores, piece_of

LENGTH = 64
OFF = AugmentConfig(transpose=0)


def narrow_piece():
    """The lowest and the highest key of the piano, and three semitones from either: nowhere to go but a little."""
    pitch = np.array([21, 108] * 20 + [24, 105] * 40)
    return score_of(Notes(np.arange(120) * 240, np.full(120, 240), pitch, np.full(120, 64)))


SCORES = {f"piece {seed}": piece_of(seed, notes=12 + 11 * seed) for seed in range(8)} | {"narrow": narrow_piece()}


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Opens the pieces as a tokenizer's words: `opened(config, name, **options)`."""
    folders = {}

    def open_(config, name="mmm", **options):
        tokenizer = find("tokenizer", name).build(options or ({"layout": "aligned"} if name == "mmm" else {}))
        if tokenizer.fingerprint not in folders:
            folders[tokenizer.fingerprint] = folder = tmp_path_factory.mktemp("data") / "data"
            prepare(Scores(SCORES), tokenizer, folder, Choices(heldout=0.3), hooks=Hooks())
        augment = None if config is None else Augmentation(config, tokenizer)
        return tokenizer, TokenDataset(folders[tokenizer.fingerprint], tokenizer, length=LENGTH, augment=augment)

    return open_


def drawn(dataset, count=60):
    """Windows beside themselves as they stand in the file."""
    windows = dataset.draw(count, seed=5, step=2)
    plain = dataset.draw(count, seed=5, step=2, plain=True)
    assert [(each.piece, each.start, each.end) for each in windows] == [(w.piece, w.start, w.end) for w in plain]
    return list(zip(map(dataset.tokens, windows), map(dataset.tokens, plain), strict=True))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mmm", {"layout": "aligned"}),
        ("mmm", {"layout": "run"}),
        ("mmm", {"layout": "paper"}),
        ("mmm", {"layout": "aligned", "grid": "10ms"}),
        ("remi", {"lowest_pitch": 40, "highest_pitch": 90}),
        ("miditok", {"type": "MIDILike"}),
        ("miditok", {"type": "Structured"}),
    ],
    ids=lambda each: each if isinstance(each, str) else "-".join(map(str, each.values())),
)
def test_transposing_words_is_transposing_music(opened, name, options):
    tokenizer, dataset = opened(AugmentConfig(transpose=5), name, **options)
    steps = set()
    for transposed, plain in drawn(dataset):
        assert tokenizer.faults(transposed) == tokenizer.faults(plain)
        after, before = notes_of(tokenizer.decode(transposed)), notes_of(tokenizer.decode(plain))
        by = after.pitch - before.pitch
        assert len(set(by.tolist())) == 1
        for column in ("onset", "duration", "velocity"):
            np.testing.assert_array_equal(getattr(after, column), getattr(before, column))
        steps.add(int(by[0]))
    assert steps >= {-2, -1, 0, 1, 2}
    assert steps <= set(range(-5, 6))


def test_pitches_stay_on_the_piano_and_every_key_that_is_left_is_drawn(opened):
    """All semitones that keep the window on the piano are as likely, and there are no others."""
    tokenizer, dataset = opened(AugmentConfig(transpose=5))
    piece = next(number for number in range(len(SCORES)) if dataset.name(number) == "narrow")
    draws = [(each, 0.0, 0.0) for each in np.arange(0.005, 1, 0.01)]
    for start, expected in ((0, range(1)), (4 * 60, range(-3, 4))):
        words = [dataset.tokens(Window(piece, start, start + LENGTH, draw)) for draw in draws]
        plain = dataset.tokens(Window(piece, start, start + LENGTH))
        low = int(notes_of(tokenizer.decode(plain)).pitch.min())
        found = np.array([int(notes_of(tokenizer.decode(each)).pitch.min()) - low for each in words])
        assert set(found.tolist()) == set(expected)
        counts = np.unique(found, return_counts=True)[1]
        assert counts.max() - counts.min() <= 1


def test_velocities_are_scaled_and_nothing_else(opened):
    tokenizer, dataset = opened(AugmentConfig(transpose=0, velocity=0.5))
    ratios = set()
    for scaled, plain in drawn(dataset):
        after, before = notes_of(tokenizer.decode(scaled)), notes_of(tokenizer.decode(plain))
        for column in ("onset", "duration", "pitch"):
            np.testing.assert_array_equal(getattr(after, column), getattr(before, column))
        ratios.add(float(np.round((after.velocity / before.velocity).mean(), 1)))
    assert min(ratios) < 0.8
    assert max(ratios) > 1.3


@pytest.mark.parametrize("layout", ["aligned", "run", "paper"])
def test_tempo_stretches_time_on_a_grid_of_milliseconds(opened, layout):
    tokenizer, dataset = opened(AugmentConfig(transpose=0, tempo=0.25), grid="10ms", layout=layout)
    ratios = []
    for stretched, plain in drawn(dataset):
        after, before = notes_of(tokenizer.decode(stretched)), notes_of(tokenizer.decode(plain))
        assert tokenizer.faults(stretched) == 0
        np.testing.assert_array_equal(after.pitch, before.pitch)
        ratios.append(after.onset[-1] / before.onset[-1])
    assert min(ratios) == pytest.approx(1 / 1.25, abs=0.03)
    assert max(ratios) == pytest.approx(1.25, abs=0.03)


def test_nothing_asked_is_nothing_done(opened):
    """The same windows and the same bytes as without."""
    _, plain = opened(None)
    _, off = opened(OFF)
    for step in range(5):
        windows = plain.draw(16, seed=1, step=step)
        assert off.draw(16, seed=1, step=step) == windows
        assert off.batch(windows).ids.equal(plain.batch(windows).ids)


def test_a_batch_is_a_function_of_seed_and_step(opened):
    _, one = opened(AugmentConfig(transpose=5, velocity=0.3))
    _, other = opened(AugmentConfig(transpose=5, velocity=0.3))
    first = one.batch(one.draw(16, seed=3, step=9))
    other.batch(other.draw(16, seed=3, step=8))
    assert other.batch(other.draw(16, seed=3, step=9)).ids.equal(first.ids)
    assert not other.batch(other.draw(16, seed=3, step=9, plain=True)).ids.equal(first.ids)


def test_rows_do_not_depend_on_how_a_step_is_shared_out(opened):
    _, dataset = opened(AugmentConfig(transpose=5, velocity=0.3))
    windows = dataset.draw(16, seed=3, step=9)
    whole, halves = dataset.batch(windows), [dataset.batch(windows[:8]), dataset.batch(windows[8:])]
    for row in range(16):
        assert halves[row // 8].ids[row % 8].equal(whole.ids[row])
        words = dataset.tokens(windows[row])
        assert whole.ids[row, 1 : len(words) + 1].tolist() == words.tolist()


def test_heldout_music_is_never_augmented(opened):
    _, plain = opened(None)
    _, dataset = opened(AugmentConfig(transpose=5, velocity=0.3, offset=7))
    windows = dataset.heldout()
    assert windows == plain.heldout()
    assert dataset.batch(windows).ids.equal(plain.batch(windows).ids)


def test_offset_says_at_which_notes_windows_begin(opened):
    _, dataset = opened(AugmentConfig(transpose=0, offset=8))
    starts = {window.start for window in dataset.draw(300, seed=1, step=0)}
    assert starts == set(range(0, max(starts) + 1, 8 * 4))


class Wordless(Tokenizer):
    """Says nothing about its words."""

    vocab = grammar = encode_counted = decode = starts = count_notes = None


Wordless.__abstractmethods__ = frozenset()


def test_what_words_cannot_do_is_said():
    tokenizer = Wordless(options=None)
    said = []
    augment = Augmentation(AugmentConfig(transpose=5), tokenizer, said.append)
    assert augment.draws == 0
    assert len(said) == 1
    assert "cannot be transposed" in said[0]
    with pytest.raises(UsageError, match=r"augment\.velocity=0\.2: .*louder or softer"):
        Augmentation(AugmentConfig(transpose=0, velocity=0.2), tokenizer)
    with pytest.raises(UsageError, match=r"augment\.tempo=0\.1: .*count in beats.*tokenizer\.grid=10ms"):
        Augmentation(AugmentConfig(transpose=0, tempo=0.1), find("tokenizer", "mmm").build({"layout": "aligned"}))
    Augmentation(OFF, tokenizer, pytest.fail)
