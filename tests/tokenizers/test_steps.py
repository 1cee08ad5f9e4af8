"""Rounding onto the grid, and what makes notes unambiguous, each against a loop that says the same slowly."""

from __future__ import annotations

import numpy as np
import pytest

from diffmidi_core.music.notes import Notes, deduplicated
from diffmidi_tokenizers import steps


def notes(*rows: tuple[int, int, int, int]) -> Notes:
    return Notes(*np.array(rows, dtype=np.int64).reshape(-1, 4).T)


def rows(columns: Notes) -> list[tuple[int, ...]]:
    return list(zip(*(getattr(columns, n).tolist() for n in ("onset", "duration", "pitch", "velocity")), strict=True))


def crowded(seed: int, count: int = 60) -> Notes:
    """Few pitches, few onsets, long notes: nearly everything coincides or overlaps."""
    random = np.random.default_rng(seed)
    low, high = np.array([[0, 1, 60, 1], [80, 40, 64, 128]])
    return steps.sort(Notes(*random.integers(low, high, (count, 4)).T))


def test_a_constant_offset_vanishes() -> None:
    late = notes(*[(57 + 120 * i, 100, 60 + i, 80) for i in range(8)])
    assert steps.on_grid(late, 480, 12)[0].onset.tolist() == [3 * i for i in range(8)]


def test_onsets_a_little_early_or_late_go_to_the_nearest_step() -> None:
    shaky = notes(*[(57 + 120 * i + (0, 0, 19, -19)[i % 4], 120, 60 + i, 80) for i in range(16)])
    placed, _ = steps.on_grid(shaky, 480, 12)
    assert placed.onset.tolist() == [3 * i for i in range(16)]


def test_the_grid_goes_through_the_most_common_residue_not_through_the_first_note() -> None:
    early = notes((20, 100, 60, 80), *[(57 + 480 * i, 480, 60, 80) for i in range(1, 9)])
    placed, _ = steps.on_grid(early, 480, 12)
    # 537 - 20 ticks are 12.9 steps of 40.
    assert placed.onset.tolist() == [0, *range(13, 13 + 8 * 12, 12)]


@pytest.mark.parametrize("ticks_per_quarter", [1, 96, 220, 480, 1024, 32767])
@pytest.mark.parametrize("grid", [1, 4, 7, 12, 24])
def test_onsets_and_ends_move_by_half_a_step_at_most(ticks_per_quarter: int, grid: int) -> None:
    random = np.random.default_rng(grid)
    size = 300
    played = Notes(
        random.integers(0, 50 * ticks_per_quarter, size),
        random.integers(0, 4 * ticks_per_quarter + 1, size),
        random.integers(21, 109, size),
        random.integers(1, 128, size),
    )
    placed, _ = steps.on_grid(played, ticks_per_quarter, grid)
    # Every error is within half a step of the same constant: the phase, and the lead-in that was dropped.
    errors = played.onset * grid / ticks_per_quarter - placed.onset
    assert placed.onset.min() == 0
    assert np.ptp(errors) < 1
    ends = (played.onset + played.duration) * grid / ticks_per_quarter - placed.onset - placed.duration
    assert placed.duration.min() >= 1
    assert np.ptp(np.append(ends[placed.duration > 1], errors)) < 1


def test_notes_that_follow_one_another_do_not_overlap_after_rounding() -> None:
    random = np.random.default_rng(0)
    onset = np.cumsum(random.integers(41, 300, 500))
    legato = Notes(onset[:-1], np.diff(onset), np.full(499, 60), np.full(499, 80))
    placed, _ = steps.on_grid(legato, 480, 12)
    assert (placed.onset[:-1] + placed.duration[:-1] == placed.onset[1:]).all()


def test_gaps_are_clamped_and_counted() -> None:
    clamped, far = steps.clamp_gaps(
        notes((0, 1, 60, 1), (5, 1, 60, 1), (500, 1, 60, 1), (500, 1, 62, 1), (509, 1, 60, 1)), 10
    )
    assert clamped.onset.tolist() == [0, 5, 15, 15, 24]
    assert far == 1


def test_twins_become_the_longest_and_the_loudest() -> None:
    merged = deduplicated(notes((0, 4, 60, 90), (0, 9, 60, 30), (0, 1, 61, 5), (2, 1, 60, 7)))
    assert rows(merged) == [(0, 9, 60, 90), (0, 1, 61, 5), (2, 1, 60, 7)]


@pytest.mark.parametrize(
    ("given", "parted"),
    [
        ([(0, 4, 60, 50), (2, 4, 60, 90)], [(0, 2, 60, 50), (2, 4, 60, 90)]),
        ([(0, 9, 60, 50), (2, 1, 60, 90)], [(0, 2, 60, 50), (2, 7, 60, 90)]),
        ([(0, 9, 60, 50), (2, 1, 60, 90), (5, 1, 60, 1)], [(0, 2, 60, 50), (2, 3, 60, 90), (5, 4, 60, 1)]),
        ([(0, 2, 60, 50), (2, 4, 60, 90)], [(0, 2, 60, 50), (2, 4, 60, 90)]),
        ([(0, 9, 60, 50), (2, 1, 61, 90)], [(0, 9, 60, 50), (2, 1, 61, 90)]),
    ],
    ids=["overlapping", "inside", "two inside", "touching", "another pitch"],
)
def test_a_key_struck_while_it_sounds_ends_one_note_and_starts_another(given, parted) -> None:
    assert rows(steps.part_overlaps(notes(*given))[0]) == parted


@pytest.mark.parametrize("seed", range(20))
def test_parting_keeps_every_attack_and_every_sounding_step(seed: int) -> None:
    before = deduplicated(crowded(seed))
    after, _ = steps.part_overlaps(before)
    assert (after.onset == before.onset).all()
    assert (after.velocity == before.velocity).all()
    assert after.duration.min() >= 1
    assert _sounding(after) == _sounding(before)
    assert len(_sounding(after)) == after.duration.sum(), "two notes of one pitch sound at once"
    assert rows(steps.part_overlaps(after)[0]) == rows(after)


@pytest.mark.parametrize("seed", range(20))
def test_merging_agrees_with_a_loop(seed: int) -> None:
    best: dict[tuple[int, int], tuple[int, int]] = {}
    for onset, duration, pitch, velocity in rows(crowded(seed)):
        longest, loudest = best.get((onset, pitch), (0, 0))
        best[onset, pitch] = max(longest, duration), max(loudest, velocity)
    merged = deduplicated(crowded(seed))
    assert rows(merged) == [(onset, d, pitch, v) for (onset, pitch), (d, v) in sorted(best.items())]


def test_room_until_a_key_is_struck_again() -> None:
    onset, pitch = np.array([0, 0, 2, 2, 9, 10]), np.array([60, 64, 60, 62, 64, 60])
    assert steps.until_struck_again(onset, pitch).tolist() == [2, 9, 8, 2**31, 2**31, 2**31]
    assert len(steps.until_struck_again(onset[:0], pitch[:0])) == 0


def test_nothing_stays_nothing() -> None:
    assert len(steps.part_overlaps(deduplicated(steps.sort(notes())))[0]) == 0


def _sounding(columns: Notes) -> set[tuple[int, int]]:
    return {(pitch, step) for onset, duration, pitch, _ in rows(columns) for step in range(onset, onset + duration)}
