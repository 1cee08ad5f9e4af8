"""The split: about the asked shares, groups whole, by hash, so that it survives added files."""

import numpy as np
import pytest

from diffmidi.api.tokenizer import Notes, notes_of, score_of
from diffmidi_core.data.duplicates import notes_hash
from diffmidi_core.data.split import HELDOUT, TEST, TOLERANCE, TRAIN, split, split_key

from .conftest import piece_of


def keys_of(groups):
    """Keys of groups, each of so many pieces; a group's key is that of its name."""
    sizes = groups if isinstance(groups, list) else [1] * groups
    keys = [split_key(f"group {number}", b"") for number in range(len(sizes))]
    return np.repeat(np.array(keys, dtype=np.int64), sizes)


def shares(sides):
    return (np.bincount(sides, minlength=3) / len(sides)).tolist()


def test_added_pieces_move_none_where_there_are_many():
    keys = keys_of(6000)
    few, many = split(keys[:3000], 0.1, 0.1), split(keys, 0.1, 0.1)
    np.testing.assert_array_equal(few, many[:3000])
    assert set(few) == {TRAIN, HELDOUT, TEST}


@pytest.mark.parametrize("count", [50, 100, 300])
def test_added_pieces_move_few_and_none_between_heldout_and_test(count):
    moved = total = 0
    for seed in range(20):
        keys = keys_of(40 * count)[np.random.default_rng(seed).permutation(40 * count)[: 2 * count]]
        few, many = split(keys[:count], 0.1, 0.1), split(keys, 0.1, 0.1)[:count]
        moved, total = moved + (few != many).sum(), total + count
        assert not ((few + many == HELDOUT + TEST) & (few != many)).any()
    assert moved / total < 0.08  # drawn anew, a third would move


SIZES = {
    "twelve performances of each piece": [12] * 60,
    "few and large": [30] * 11,
    "one that is half of all": [1] * 300 + [300],
    "every size": [1 + number % 17 for number in range(100)],
    "large beside small": [40] * 5 + [1] * 100,
}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("asked", [(0.1, 0.1), (0.1, 0.0), (0.2, 0.05), (0.3, 0.3)])
def test_about_the_asked_share_of_pieces_is_obtained_with_groups_whole(sizes, asked):
    keys = keys_of(sizes)
    sides = split(keys, *asked)
    for side, share in zip((HELDOUT, TEST), asked, strict=True):
        # Half of a group of those that would fit is as near as groups of one size can come.
        fits = max(size for size in sizes if size <= max(2 * share * len(keys), min(sizes)))
        assert abs((sides == side).sum() - share * len(keys)) <= max(TOLERANCE * share * len(keys), fits / 2) + 1e-9
    for key in set(keys.tolist()):
        assert len(set(sides[keys == key])) == 1


def test_performances_of_each_piece_no_longer_hold_out_most_of_the_music():
    assert shares(split(keys_of([12] * 60), 0.1, 0.1)) == [0.8, 0.1, 0.1]


def test_another_test_share_leaves_the_held_out_pieces_as_they_are():
    keys = keys_of([1 + number % 5 for number in range(200)])
    held = [split(keys, 0.1, test) == HELDOUT for test in (0.0, 0.1, 0.4)]
    np.testing.assert_array_equal(held[0], held[1])
    np.testing.assert_array_equal(held[0], held[2])


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


@pytest.mark.parametrize(
    ("groups", "expected"),
    [([1], (1, 0, 0)), ([7], (7, 0, 0)), ([1, 1], (1, 1, 0)), ([1, 1, 1], (1, 1, 1)), ([1] * 10, (8, 1, 1))],
)
@pytest.mark.parametrize("asked", [(0.1, 0.1), (0.001, 0.001)])
def test_training_gets_the_first_piece_heldout_the_second_and_test_the_third(groups, expected, asked):
    assert tuple(np.bincount(split(keys_of(groups), *asked), minlength=3)) == expected


def test_each_side_keeps_a_piece_whatever_is_asked_for():
    for count in range(3, 8):
        for asked in ((0.9, 0.09), (0.01, 0.98), (0.5, 0.49)):
            assert (np.bincount(split(keys_of(count), *asked), minlength=3) > 0).all()
    assert not (split(keys_of(50), 0.5, 0.0) == TEST).any()
    assert split(np.array([], dtype=np.int64), 0.1, 0.1).shape == (0,)
