"""When keys are let go: by note-offs as long as they suffice, and then by what players do."""

from __future__ import annotations

import numpy as np
import pytest

from diffmidi_core.music.pairing import Release, Stream, Strike, settle


def stream(told: str) -> Stream:
    """`0+ 10- 10+`: a key is struck at 0, let go at 10 and struck at 10 again, in this order."""
    return [
        Strike(int(each[:-1]), place, 80) if each[-1] == "+" else Release(int(each[:-1]), place)
        for place, each in enumerate(told.split())
    ]


def ends(told: Stream) -> list[int | None]:
    return [each.end for each in told if isinstance(each, Strike)]


@pytest.mark.parametrize(
    ("told", "silences", "expected"),
    [
        ("0+ 10- 20+ 30-", [], [10, 30]),
        # as many note-offs as note-ons: first struck, first let go
        ("0+ 5+ 10- 20-", [], [10, 20]),
        ("0+ 5+ 10- 20- 30+", [], [10, 20, None]),
        # on and off on one tick, in either order
        ("0+ 10- 10+ 20-", [], [10, 20]),
        ("0+ 10+ 10- 20+ 20- 30-", [], [10, 20, 30]),
        ("0+ 0-", [], [0]),
        # too few: let go by being struck again; two strikes at once by what lets go of either
        ("0+ 10+ 20+ 25-", [], [10, 20, 25]),
        ("0+ 10+ 15- 20+ 25-", [], [10, 15, 25]),
        ("0+ 0+ 10-", [], [10, 10]),
        ("0+ 0+ 10+ 15-", [], [10, 10, 15]),
        ("0+", [], [None]),
        # silence, before what happens on its tick, and only where something sounds
        ("0+ 20+", [10, 30], [10, 30]),
        ("0+ 10+ 15-", [10], [10, 15]),
        ("0+ 10- 20+ 30-", [10, 15, 40], [10, 30]),
        ("0+ 20-", [10], [10]),
        ("0+ 5+ 10- 10+ 20-", [10], [5, 10, 20]),
        ("0+ 5+ 7- 20+ 25-", [10], [5, 7, 25]),
        # what lets nothing go
        ("5- 10+ 20- 30-", [], [20]),
    ],
)
def test_of_one_track(told: str, silences: list[int], expected: list[int | None]) -> None:
    track = stream(told)
    settle({0: track}, silences)
    assert ends(track) == expected


@pytest.mark.parametrize(
    ("tracks", "expected"),
    [
        # note-offs apart, before or behind
        (["0+ 10+", "5- 20-"], [[5, 20], []]),
        (["5- 20-", "0+ 10+"], [[], [5, 20]]),
        # at one tick the key is let go first
        (["0+ 10+", "10- 20-"], [[10, 20], []]),
        # a track's own come first
        (["0+ 30-", "10+ 20-"], [[30], [20]]),
        (["0+ 30-", "10+ 20- 40-"], [[30], [20]]),
        (["0+", "10+ 20- 40-"], [[40], [20]]),
        (["0+ 10+ 15-", "5+ 20-"], [[10, 15], [20]]),
    ],
)
def test_of_several_tracks(tracks: list[str], expected: list[list[int]]) -> None:
    told = {number: stream(each) for number, each in enumerate(tracks)}
    settle(told, [])
    assert [ends(each) for each in told.values()] == expected


def test_it_counts_what_no_note_off_lets_go_and_note_offs_to_spare() -> None:
    track = stream("1- 5+ 10- 11- 15+ 20+ 25-")
    assert settle({0: track}, [30]) == 2
    assert [each.released for each in track if isinstance(each, Strike)] == [True, False, True]


def test_a_hundred_thousand_strikes_are_quickly_told() -> None:
    """Not by looking at each for each: that would not end."""
    for told in (
        [Strike(0, place, 80) for place in range(100_000)],
        [Strike(place, place, 80) for place in range(100_000)],
    ):
        settle({0: [*told, Release(200_000, 100_000)]}, list(range(1, 100_000, 2)))
        assert all(each.end is not None for each in told)
    tracks: dict[int, Stream] = {number: [Strike(number, number, 80)] for number in range(30_000)}
    settle(tracks, [40_000])
    assert {each[0].end for each in tracks.values() if isinstance(each[0], Strike)} == {40_000}


@pytest.mark.parametrize("seed", range(20))
def test_the_first_struck_is_the_first_let_go_in_each_track(seed: int) -> None:
    random = np.random.default_rng(seed)
    tracks: dict[int, Stream] = {0: [], 1: [], 2: []}
    for place, tick in enumerate(np.sort(random.integers(0, 60, 40)).tolist()):
        kind = Strike(tick, place, 80) if random.random() < 0.55 else Release(tick, place)
        tracks[int(random.integers(3))].append(kind)
    settle(tracks, sorted(set(random.integers(0, 60, 3).tolist())))
    for track in tracks.values():
        found = [100 if end is None else end for end in ends(track)]
        assert found == sorted(found)
        strikes = [each for each in track if isinstance(each, Strike)]
        assert all(end >= strike.tick for end, strike in zip(found, strikes, strict=True))
