"""Stretches of a user's file drawn anew in tokens without a plan, by whom they are filled deciding nothing."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.diffusion.support import Support
from diffmidi_core.diffusion.time_support import TimeSupport
from diffmidi_core.draw.bars import drawn_together
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.notes import Notes, notes_of, score_of
from diffmidi_core.registry import find
from diffmidi_core.steer.asked import Asked
from diffmidi_core.steer.patching import patched
from diffmidi_core.steer.regions import regions
from diffmidi_core.steer.spans import lay_out_spans
from diffmidi_core.steer.user_file import UserFile

QUARTER = 480
TOLD = "DIFFMIDI_TEST_DATA"
TOKENS = [
    {"layout": "aligned"},
    {"layout": "run"},
    {"layout": "aligned", "grid": "10ms"},
    {"layout": "paper"},
    {"beat_res": {"0_4": 8}},
]


def tokenizer_of(options):
    """`remi` where no layout is named."""
    return find("tokenizer", "mmm" if "layout" in options else "remi").build(options)


def piece(bars: int = 16, seed: int = 0) -> UserFile:
    """Two hands in 3/4, eighths and chords, a little off the grid."""
    random = np.random.default_rng(seed)
    onset = np.sort(random.integers(0, bars * 6, bars * 10)) * (QUARTER // 2) + 7
    pitch = 60 + random.integers(0, 20, len(onset))
    score = score_of(Notes(onset, np.full(len(onset), 200), pitch, np.full(len(onset), 70)), metre=(3, 4), tempo=93.0)
    score.tracks[0].name = "Right hand"
    beats = QUARTER * np.arange(3 * bars)
    low = score_of(Notes(beats, np.full(3 * bars, 300), 40 + np.arange(3 * bars) % 5, np.full(3 * bars, 50)))
    low.tracks[0].name = "Left hand"
    score.tracks.append(low.tracks[0])
    return UserFile(score.dumps_midi(), "piece")


class Hand:
    """Draws from a network that knows nothing but types, as samplers do; remembers what it was shown."""

    def __init__(self, tokenizer, seed: int = 0):
        self.tokenizer, self.seed, self.canvases = tokenizer, seed, []

    def __call__(self, canvas, rows, portions):
        self.canvases.append(canvas)
        support = TimeSupport(self.tokenizer)
        support.check_canvas(canvas)
        seeds = [int(np.random.SeedSequence([self.seed, *key]).generate_state(1)[0]) for key in rows]
        draws = RowDraws([torch.Generator().manual_seed(seed) for seed in seeds])
        logits = torch.randn(*canvas.ids.shape, len(self.tokenizer.vocab), generator=torch.Generator().manual_seed(0))
        typed = Support(self.tokenizer.grammar, canvas.ids.shape[1]).allowed(canvas.ids.shape[1])
        logits = logits.masked_fill(~(canvas.admitted() & typed), -torch.inf)
        return support.draw(logits, canvas.ids, canvas.fixed, draws, bounds=canvas.bounds).numpy(), {}


def filled(asked: Asked, options, length: int = 256):
    tokens = tokenizer_of(options)
    how = {"length": length, "masking": asked.masking, "notes": asked.notes}
    laid = lay_out_spans(asked.file, asked.selection, tokens, **how)
    hand = Hand(tokens)
    (drawn,) = drawn_together([laid.hole.work()], hand, laid.hole)
    return laid, drawn.done, hand


@pytest.mark.parametrize("options", TOKENS)
@pytest.mark.parametrize("asked", ["bars 5-6", "bars 1", "bars 16", "seconds 4.3-7.1"])
def test_new_notes_begin_in_the_time_asked_for_and_nothing_else_changes(asked: str, options) -> None:
    wanted = Asked.region(piece(), regions([asked]))
    laid, texts, hand = filled(wanted, options)
    new = laid.notes(texts, hand.tokenizer)
    assert len(new)
    assert wanted.selection.holds(new.part, new.onset, new.pitch).all()
    again = UserFile(patched(wanted.file, wanted.removed, new).data, "again").notes
    outside = ~wanted.selection.holds(again.part, again.onset, again.pitch)
    for name in ("part", "onset", "duration", "pitch", "velocity"):
        assert np.array_equal(getattr(again, name)[outside], getattr(wanted.file.notes, name)[~wanted.removed]), name


@pytest.mark.skipif(TOLD not in os.environ, reason=f"the collections of files are found through {TOLD}")
@pytest.mark.parametrize("options", [TOKENS[-2], TOKENS[-1]])
@pytest.mark.parametrize("how", [{}, {"strength": 0.4}])
def test_in_files_of_the_corpus_nothing_else_changes(options, how) -> None:
    files = sorted((Path(os.environ[TOLD]) / "corpus").rglob("*.mid"))[50::700]
    assert len(files) > 2
    for path in files:
        wanted = Asked.region(UserFile.read(path), regions(["bars 5-6"]), **how)
        laid, texts, hand = filled(wanted, options, 126)
        assert not any(hand.tokenizer.faults(window.ids) for window in laid.windows(texts)), path
        new, rows = laid.changed(texts, hand.tokenizer) if how else (laid.notes(texts, hand.tokenizer), None)
        assert wanted.selection.holds(new.part, new.onset, new.pitch).all(), path
        removed = wanted.removed if rows is None else np.isin(np.arange(len(wanted.removed)), rows)
        again = UserFile(patched(wanted.file, removed, new).data, "again").notes
        outside = ~wanted.selection.holds(again.part, again.onset, again.pitch)
        for name in ("part", "onset", "duration", "pitch", "velocity"):
            stood = getattr(wanted.file.notes, name)[~wanted.removed]
            assert np.array_equal(getattr(again, name)[outside], stood), (path, name)


@pytest.mark.parametrize("options", TOKENS)
@pytest.mark.parametrize("length", [512, 64])
def test_what_follows_begins_when_it_did(options, length: int) -> None:
    """As the model is shown it, too: the notes behind the hole are as far from those before it as they were."""
    file = piece()
    laid, _, hand = filled(Asked.region(file, regions(["bars 5-8"])), options, length)
    tokens, (span,) = hand.tokenizer, laid.hole.spans
    assert len(hand.canvases) == len(span.stretches)
    assert (len(span.stretches) > 1) == (length == 64)
    canvas = hand.canvases[-1]
    kept = ~Asked.region(file, regions(["bars 5-8"])).removed
    begin, end = 12 * QUARTER, 24 * QUARTER
    onset = file.notes.onset
    behind = onset[kept & (onset >= end)].min() - begin
    if options.get("layout") == "paper":
        # Notes follow one another, so the hole ends with the last of its own.
        assert span.then == 12 * 12
    elif "layout" in options:
        step = QUARTER / 12 if options.get("grid") is None else QUARTER * 93 / 60 / 100
        assert abs(span.then - behind / step) <= 0.5 + 1e-6
    else:
        assert abs(laid.rulers[0].ticks(span.then) - begin - behind) <= QUARTER / 16
    low, high = canvas.bounds.steps[0].T
    (bound,) = (low == high).nonzero()[:, 0].tolist()
    after = canvas.ids[0, int((~canvas.fixed[0]).nonzero()[-1]) + 1 : bound + 1]
    assert tokens.moves_time()[after.numpy()].tolist() == [True] * (len(after) - 1) + [False]
    text = canvas.ids[0][canvas.ids[0] >= 4].numpy()
    assert len(text) <= length
    assert len(notes_of(tokens.decode(text)))


@pytest.mark.parametrize("options", TOKENS[:2])
def test_bars_without_notes_are_filled_as_densely_as_what_is_around(options) -> None:
    file = piece()
    keep = (file.notes.onset < 12 * QUARTER) | (file.notes.onset >= 24 * QUARTER)
    score = file.as_score()
    for track in score.tracks:
        for note in [each for each in track.notes if 12 * QUARTER <= each.time < 24 * QUARTER]:
            track.notes.remove(note)
    empty = UserFile(score.dumps_midi(), "empty")
    assert len(empty.notes) == int(keep.sum())
    laid, texts, hand = filled(Asked.region(empty, regions(["bars 5-8"])), options, 512)
    around = int(keep.sum()) / 3  # 12 bars
    assert 0.5 * around < len(laid.notes(texts, hand.tokenizer)) < 2 * around


@pytest.mark.parametrize("options", TOKENS)
def test_a_piece_goes_on_behind_its_end_and_several_holes_are_filled(options) -> None:
    file = piece()
    for wanted in (Asked.behind(file, 3), Asked.region(file, regions(["bars 3", "bars 9-10"]))):
        laid, texts, hand = filled(wanted, options)
        new = laid.notes(texts, hand.tokenizer)
        assert wanted.selection.holds(new.part, new.onset, new.pitch).all()
        begun = {int(np.searchsorted(wanted.bars.at, onset, side="right")) for onset in new.onset.tolist()}
        assert begun <= set(wanted.touched)
        assert all(min(span) in begun or max(span) in begun for span in ([3], [9, 10]) if not wanted.asking.behind)


@pytest.mark.parametrize("options", TOKENS)
@pytest.mark.parametrize("length", [64])
def test_as_many_notes_are_drawn_as_are_asked_for_or_about_so_many(options, length: int) -> None:
    """Exactly, where every note has as many tokens."""
    for asked in (["bars 5-8"], ["bars 3", "bars 9-10"]):
        _, done, hand = filled(Asked.region(piece(), regions(asked), notes=30), options, length)
        drawn = sum(hand.tokenizer.count_notes(text) for text in done)
        if hand.tokenizer.group > 1:
            assert drawn == 30
        else:
            whole = np.concatenate([hand.tokenizer.encode(piece().score), *done])
            assert 0.6 * 30 < hand.tokenizer.count_notes(whole) - len(piece().notes) < 1.5 * 30


@pytest.mark.parametrize(
    ("options", "notes", "told"),
    [({"layout": "paper"}, 500, "fit at most"), ({"layout": "paper", "max_duration": 1}, 3, "are needed at least")],
)
def test_notes_that_no_time_is_for_are_refused(options, notes: int, told: str) -> None:
    with pytest.raises(DiffmidiError, match=f"--notes {notes}: .*{told}"):
        filled(Asked.region(piece(), regions(["bars 5-8"]), notes=notes), options)


@pytest.mark.parametrize("options", [TOKENS[0], TOKENS[3], TOKENS[4]])
@pytest.mark.parametrize(
    ("lock", "same"),
    [("rhythm", ["onset", "duration"]), ("pitches", ["pitch"]), ("velocity", ["velocity"])],
)
def test_what_is_locked_stays_as_the_file_has_it(options, lock: str, same: list[str]) -> None:
    """And nothing else in the file changes; in one window or in several."""
    file = piece()
    wanted = Asked.region(file, regions(["bars 5-8"]), locks=[lock])
    laid, texts, hand = filled(wanted, options, 128)
    assert len(laid.hole.spans[0].stretches) > 1
    new, rows = laid.changed(texts, hand.tokenizer)
    assert len(rows) > 0.6 * wanted.removed.sum()
    assert wanted.removed[rows].all()
    assert wanted.selection.holds(new.part, new.onset, new.pitch).all()
    assert np.array_equal(new.part, file.notes.part[rows])
    for name in same:
        assert np.array_equal(getattr(new, name), getattr(file.notes, name)[rows]), name
    removed = np.zeros_like(wanted.removed)
    removed[rows] = True
    again = UserFile(patched(file, removed, new).data, "again").notes
    outside = ~wanted.selection.holds(again.part, again.onset, again.pitch)
    for name in ("part", "onset", "duration", "pitch", "velocity"):
        assert np.array_equal(getattr(again, name)[outside], getattr(file.notes, name)[~wanted.removed]), name


@pytest.mark.parametrize("options", [TOKENS[0], TOKENS[-1]])
def test_the_weaker_the_fewer_notes_change(options) -> None:
    changed = []
    for strength in (0.05, 0.5):
        laid, texts, hand = filled(Asked.region(piece(), regions(["bars 5-8"]), strength=strength), options)
        changed.append(len(laid.changed(texts, hand.tokenizer)[1]))
    assert 0 < changed[0] < 0.7 * changed[1]


@pytest.mark.parametrize("options", [TOKENS[1], TOKENS[-1]])
def test_with_nothing_left_to_be_drawn_it_is_one_sentence(options) -> None:
    with pytest.raises(DiffmidiError, match="nothing of the notes there is left"):
        filled(Asked.region(piece(), regions(["bars 5"]), strength=1e-9), options)


def test_new_notes_go_to_the_track_with_the_nearest_pitches() -> None:
    wanted = Asked.region(piece(), regions(["bars 5-8"]))
    laid, texts, hand = filled(wanted, TOKENS[0])
    new = laid.notes(texts, hand.tokenizer)
    assert set(new.part.tolist()) == {0, 1}
    assert new.pitch[new.part == 1].max() < new.pitch[new.part == 0].min()


def test_texts_are_told_apart_again_and_shown_with_what_was_drawn() -> None:
    laid, texts, hand = filled(Asked.region(piece(), regions(["bars 5-8"])), TOKENS[0], 48)
    again = laid.texts_of(np.concatenate(texts))
    assert all(np.array_equal(one, other) for one, other in zip(texts, again, strict=True))
    shown = [*laid.windows(texts)]
    for window, text, canvas in zip(shown, texts, hand.canvases, strict=True):
        assert not (window.ids == hand.tokenizer.mask_id).any()
        assert np.array_equal(window.ids[window.new][: len(text)], text)
        assert len(window.ids) == int((canvas.ids >= 3).sum())
        assert hand.tokenizer.faults(window.ids) == 0


@pytest.mark.parametrize(
    ("options", "asked", "locks", "told"),
    [
        ({"use_rests": True}, "bars 5", [], "does not add up"),
        ({"layout": "aligned"}, "bars 5, hand left", [], "all tracks and pitches"),
        ({"layout": "aligned"}, "bars 5, pitch C4-C5", [], "all tracks and pitches"),
        ({"layout": "run"}, "bars 5", ["range"], "lock range"),
    ],
)
def test_what_such_tokens_cannot_tell_is_one_sentence(options, asked: str, locks: list[str], told: str) -> None:
    wanted = Asked.region(piece(), regions([asked]), locks=locks)
    tokens = tokenizer_of(options)
    with pytest.raises(DiffmidiError, match=told) as error:
        lay_out_spans(wanted.file, wanted.selection, tokens, length=128, masking=wanted.masking)
    assert "layout=cells" in str(error.value)
