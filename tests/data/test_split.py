"""The split: by hash, so that it survives added files."""

import numpy as np

from diffmidi_core.api import Notes, notes_of, score_of
from diffmidi_core.data.duplicates import notes_hash
from diffmidi_core.data.split import is_heldout, split_key

from .conftest import piece_of


def test_adding_pieces_moves_none_to_the_other_side():
    keys = np.array([split_key(f"piece {n}", b"") for n in range(400)], dtype=np.int64)
    few, many = is_heldout(keys[:200], 0.1), is_heldout(keys, 0.1)
    np.testing.assert_array_equal(few, many[:200])
    assert 20 <= many.sum() <= 60


def key_of(score):
    return split_key("", notes_hash(notes_of(score), score.ticks_per_quarter))


def test_a_group_stays_together_and_so_do_copies_of_the_same_music():
    assert split_key("a", b"1") == split_key("a", b"2") != split_key("b", b"1")
    assert key_of(piece_of(1)) == key_of(piece_of(1)) != key_of(piece_of(2))


def test_the_same_music_later_or_at_another_resolution_is_the_same():
    notes = piece_of(1).tracks[0].notes.numpy()
    columns = [notes[name].astype(np.int64) for name in ("time", "duration", "pitch", "velocity")]
    onset, duration, pitch, velocity = columns
    later = score_of(Notes(onset * 2 + 999, duration * 2, pitch, velocity), ticks_per_quarter=960)
    assert key_of(later) == key_of(piece_of(1))


def test_each_side_gets_a_piece_where_there_are_two():
    for keys in ([1, 2], [2**63 - 1, 2**63 - 2], [5, 5, 7]):
        held = is_heldout(np.array(keys, dtype=np.int64), 0.1)
        assert 0 < held.sum() < len(keys)
    for alone in (0, 2**62):
        assert not is_heldout(np.array([alone], dtype=np.int64), 0.1).any()
    assert is_heldout(np.array([], dtype=np.int64), 0.1).shape == (0,)
