"""Duplicates: by the notes, and by signatures that versions of one piece share."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from symusic.core import TrackTick

from diffmidi.api.tokenizer import Notes, notes_of, score_of
from diffmidi_core.data import duplicates
from diffmidi_core.data.duplicates import NO_SIGNATURE, SIGNATURE_LENGTH, near_duplicates, signature
from diffmidi_core.data.signature_file import SignatureFile


def music(seed, bars=48):
    """A melody over chords in C, neither at random from note to note nor a mere scale: 8 + 6 notes a bar of 4/4."""
    rng = np.random.default_rng(seed)
    scale = np.array([60 + 12 * octave + step for octave in (0, 1) for step in (0, 2, 4, 5, 7, 9, 11)])
    steps = np.clip(np.cumsum(rng.choice([-3, -2, -1, 0, 1, 2, 4], bars * 8)) % 14, 0, 13)
    melody = np.arange(bars * 8) * 240, scale[steps]
    roots = np.repeat(rng.choice([36, 38, 40, 41, 43, 45], bars * 2), 3)
    chords = np.repeat(np.arange(bars * 2) * 960, 3), roots + np.tile([0, 7, 12], bars * 2)
    onset, pitch = (np.concatenate(pair) for pair in zip(melody, chords, strict=True))
    return Notes(onset, np.full(len(onset), 200), pitch, np.full(len(onset), 70))


def notes_hash(score):
    return duplicates.notes_hash(notes_of(score), score.ticks_per_quarter)


def groups_of(*pieces):
    return near_duplicates(np.stack([signature(piece) for piece in pieces])).tolist()


def without_a_bar(notes, bar=20, ticks=1920):
    kept = notes[(notes.onset < bar * ticks) | (notes.onset >= (bar + 1) * ticks)]
    return replace(kept, onset=np.where(kept.onset < bar * ticks, kept.onset, kept.onset - ticks))


def with_wrong_notes(notes, share=0.03):
    rng = np.random.default_rng(1)
    wrong = rng.random(len(notes)) < share
    return replace(notes, pitch=np.where(wrong, notes.pitch + rng.integers(1, 4, len(notes)), notes.pitch))


def performed(notes):
    """As a pianist plays it: chords spread, the tempo bent by a third, nothing on the grid."""
    rng = np.random.default_rng(2)
    bent = notes.onset + 300 * np.sin(notes.onset / 5000)
    return replace(notes, onset=(bent + rng.integers(0, 25, len(notes))).astype(np.int64))


@pytest.mark.parametrize(
    "change",
    [
        lambda notes: replace(notes, pitch=notes.pitch + 5),
        lambda notes: replace(notes, onset=notes.onset * 2, duration=notes.duration * 2),
        lambda notes: replace(notes, onset=notes.onset // 2),
        lambda notes: replace(notes, onset=notes.onset + 5000),
        lambda notes: replace(notes, velocity=notes.velocity + 30, duration=notes.duration // 2),
        without_a_bar,
        with_wrong_notes,
        performed,
        lambda notes: with_wrong_notes(without_a_bar(performed(replace(notes, pitch=notes.pitch - 3)))),
        lambda notes: notes[notes.onset < 24 * 1920],
    ],
    ids=["transposed", "slower", "faster", "later", "played", "cut", "wrong notes", "performed", "all at once", "half"],
)
def test_versions_of_a_piece_are_one_group_and_another_piece_is_not(change):
    assert groups_of(music(0), music(1), change(music(0))) == [0, 1, 0]


def test_a_stray_note_long_after_the_end_does_not_hide_the_piece():
    notes = music(0)
    stray = Notes(*(np.append(column, value) for column, value in zip(columns(notes), (10**8, 99, 60, 9), strict=True)))
    assert groups_of(notes, music(1), stray) == [0, 1, 0]


@pytest.mark.parametrize(
    "pattern",
    [[0, 2, 4, 5, 7, 9, 11, 12, 11, 9, 7, 5, 4, 2], [0], [0, 12], [0, 2], [0, 7, 12, 16, 19, 16, 12, 7]],
    ids=["scale", "repeated note", "octaves", "trill", "arpeggio"],
)
def test_a_common_pattern_does_not_make_pieces_alike(pattern):
    def with_pattern(notes, bars=16):
        onset = notes.onset.max() + 480 + np.arange(bars * 8) * 240
        added = onset, np.full(len(onset), 200), 48 + np.resize(pattern, bars * 8), np.full(len(onset), 70)
        return Notes(*(np.concatenate(pair) for pair in zip(columns(notes), added, strict=True)))

    assert groups_of(with_pattern(music(0, bars=24)), with_pattern(music(1, bars=24))) == [0, 1]


def test_scales_and_trills_alone_tell_no_piece_apart():
    rising = 24 + np.cumsum(np.resize([2, 2, 1, 2, 2, 2, 1], 55))
    for pitch in (rising, np.resize([60, 62], 400), np.full(400, 60), np.resize([36, 48], 400)):
        onset = np.arange(len(pitch)) * 240
        assert (signature(Notes(onset, onset * 0 + 200, pitch, onset * 0 + 70)) == NO_SIGNATURE).all()


def test_unrelated_music_stays_apart():
    assert groups_of(*(music(seed) for seed in range(60))) == list(range(60))


def test_pieces_too_short_to_tell_apart_are_like_nothing():
    short = music(0, bars=1)
    assert (signature(short) == NO_SIGNATURE).all()
    assert (signature(music(0)[:0]) == NO_SIGNATURE).all()
    assert near_duplicates(np.stack([signature(short)] * 3)).tolist() == [0, 1, 2]


def test_signatures_and_hashes_mean_the_same_for_ever():
    # They are stored with prepared data: should these values change, data prepared before would no longer compare.
    step = np.arange(200)
    notes = Notes(step * 240, step * 0 + 200, 40 + (step * step * 7 + step * 3) % 41, step * 0 + 70)
    assert signature(notes).dtype == np.uint32
    assert signature(notes).shape == (SIGNATURE_LENGTH,)
    assert signature(notes)[:3].tolist() == [19439507, 45393312, 3212656788]
    assert notes_hash(score_of(notes)).hex() == "1c17f3f35876db3429d6e06b4e168177"


def test_the_same_notes_have_one_hash_whatever_the_file():
    notes = music(0)
    one = notes_hash(score_of(notes))
    same = {
        "resolution": score_of(replace(notes, onset=notes.onset * 2), ticks_per_quarter=960),
        "tempo": score_of(notes, tempo=77.0),
        "lead-in": score_of(replace(notes, onset=notes.onset + 999)),
        "playing": score_of(replace(notes, velocity=notes.velocity // 2, duration=notes.duration + 9)),
    }
    assert {name: notes_hash(score) for name, score in same.items()} == dict.fromkeys(same, one)
    assert len(one) == 16
    assert one != notes_hash(score_of(replace(notes, pitch=notes.pitch + 1)))
    assert one != notes_hash(score_of(with_wrong_notes(notes)))


def test_tracks_do_not_change_the_hash():
    score, split = score_of(music(0)), score_of(music(0)[:0])
    split.tracks.clear()
    for low in (True, False):
        track = TrackTick("hand", 0, False)
        track.notes.extend(note for note in score.tracks[0].notes if (note.pitch < 60) == low or note.pitch == 36)
        split.tracks.append(track)
    assert len(split.tracks) == 2
    assert len(notes_of(split)) > len(notes_of(score))
    assert notes_hash(split) == notes_hash(score)


def test_groups_are_linked_by_what_lies_between_and_named_after_the_lowest_row():
    rng = np.random.default_rng(0)
    first, last, other = rng.integers(2**32 - 1, size=(3, 128), dtype=np.uint32)
    between = np.where(np.arange(128) < 64, first, last)
    assert near_duplicates(np.stack([other, last, first]), 0.3).tolist() == [0, 1, 2]
    assert near_duplicates(np.stack([other, last, first, between]), 0.3).tolist() == [0, 1, 1, 1]


def test_a_group_of_any_size_is_found_whole():
    rng = np.random.default_rng(0)
    first = rng.integers(2**32 - 1, size=128, dtype=np.uint32)
    noise = rng.integers(2**32 - 1, size=(300, 128), dtype=np.uint32)
    versions = np.where(rng.random((300, 128)) < 0.5, first, noise)
    assert set(near_duplicates(versions).tolist()) == {0}


def test_the_threshold_is_the_share_of_columns_and_is_checked():
    one, two = np.random.default_rng(0).integers(2**32 - 1, size=(2, 128), dtype=np.uint32)
    half = np.where(np.arange(128) < 64, one, two)
    assert near_duplicates(np.stack([one, half]), 0.5).tolist() == [0, 0]
    assert near_duplicates(np.stack([one, half]), 0.51).tolist() == [0, 1]
    for wrong in (0.0, 0.005, 1.01):
        with pytest.raises(ValueError, match="threshold"):
            near_duplicates(np.stack([one, half]), wrong)
    assert near_duplicates(np.zeros((0, 128), dtype=np.uint32)).tolist() == []


def test_versions_of_real_pieces_are_found_and_little_else(corpus):
    signatures = np.stack([signature(notes_of(score)) for _, score in corpus])
    pieces = np.array([row["piece"] for row, _ in corpus])
    group = near_duplicates(signatures)
    together, said = group[:, None] == group, pieces[:, None] == pieces
    pairs = np.triu(np.ones_like(said), k=1)
    right = (together & said & pairs).sum()
    # Measured: 0.976 and 0.949. Most of the rest of the first are one tune that the manifest lists as two pieces.
    assert right / (together & pairs).sum() > 0.95
    assert right / (said & pairs).sum() > 0.92


def columns(notes):
    return notes.onset, notes.duration, notes.pitch, notes.velocity


def test_signatures_in_a_file_do_not_stay_in_memory(tmp_path):
    """Of a million pieces they would be half a gigabyte."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 2**32 - 1, (40_000, SIGNATURE_LENGTH), dtype=np.uint32)
    rows[20_000:] = np.where(rng.random((20_000, SIGNATURE_LENGTH)) < 0.5, rows[:20_000], rows[20_000:])
    with SignatureFile.at(tmp_path / "signatures", rows.shape) as file:
        file.write(0, rows)
        tracemalloc.start()
        group = near_duplicates(file)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (group[20_000:] == group[:20_000]).all()
    assert most < rows.nbytes / 4


def test_a_file_of_signatures_answers_as_an_array_does(tmp_path):
    table = np.random.default_rng(0).integers(0, 4, (300, SIGNATURE_LENGTH), dtype=np.uint32)
    with SignatureFile.at(tmp_path / "signatures", table.shape) as file:
        for begin in (200, 0, 100):
            file.write(begin, table[begin : begin + 100])
        rows = np.random.default_rng(1).integers(0, 300, 50)
        assert len(file) == len(table)
        assert (file[rows] == table[rows]).all()
        assert file[rows[:0]].shape == (0, SIGNATURE_LENGTH)
        assert all((file[:, column] == table[:, column]).all() for column in range(SIGNATURE_LENGTH))
        assert (near_duplicates(file, 0.34) == near_duplicates(table, 0.34)).all()
    assert not list(tmp_path.iterdir())
