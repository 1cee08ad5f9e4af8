"""When a key is let go, where note-offs do not say so for every note-on.

Each note-off lets go of the strike that came first, as long as there are as many note-offs as note-ons. Where they do
not suffice, a key is let go by being struck again, by All Notes Off or All Sound Off on its channel, or at last by the
end of its track. A note-off may stand in another track of the channel: the tracks of a file are played at once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass
class Strike:
    """A key that is struck: when, where in the file, and how hard.

    Attributes:
        end: when it is let go, or None: by nothing before the end of its track.
        released: whether by a note-off.
    """

    tick: int
    place: int
    velocity: int
    end: int | None = None
    released: bool = False


def end_of(strike: Strike, last: int, division: int) -> int:
    """When a struck key ends. Where nothing lets it go, that is the `last` tick of its track, or a quarter note of
    `division` ticks later where that leaves it no time.
    """
    if strike.end is not None:
        return strike.end
    return last if last > strike.tick else strike.tick + division


@dataclass(frozen=True)
class Release:
    """A note-off: when, and where in the file."""

    tick: int
    place: int


Stream = list[Strike | Release]
"""What happens to a key, in time."""


def settle(tracks: Mapping[int, Stream], silences: Sequence[int]) -> int:
    """Say of each strike of a key of a channel when it is let go; how many releases let nothing go.

    Args:
        tracks: what each track does with it.
        silences: ticks at which every key of the channel is let go, rising.
    """
    spare = {track: _paired(stream, silences) for track, stream in tracks.items()}
    short = {track for track, stream in tracks.items() if not all(strike.released for strike in _strikes(stream))}
    if not short or not any(left and (track not in short or len(short) > 1) for track, left in spare.items()):
        return sum(map(len, spare.values()))
    # A track has too few note-offs, and another one has some to spare. At one tick theirs come first.
    merged = [(event.tick, 1, event.place, event) for track in short for event in tracks[track]]
    merged += [
        (event.tick, 0, event.place, event) for track, left in spare.items() if track not in short for event in left
    ]
    left_over = _paired([event for *_, event in sorted(merged, key=lambda told: told[:3])], silences)
    for track in short:
        _in_order(list(_strikes(tracks[track])))
    return len(left_over)


def _strikes(stream: Iterable[Strike | Release]) -> Iterable[Strike]:
    return (event for event in stream if isinstance(event, Strike))


def _paired(stream: Stream, silences: Sequence[int]) -> list[Release]:
    """End the strikes of a stream by its releases; those that let nothing go."""
    stretch: Stream = []
    spare: list[Release] = []
    down, silence = 0, None
    for event in stream:
        # On one tick, keys are let go one by one, then all of them, and then struck.
        if silence is not None and (silence, isinstance(event, Release)) <= (event.tick, False):
            _one_by_one(stretch, silence)
            stretch, down, silence = [], 0, None
        if isinstance(event, Strike):
            if not down:
                silence = _following(silences, event.tick)
            down += 1
        elif not down:
            spare.append(event)
            continue
        else:
            down -= 1
        stretch.append(event)
        if not down:
            _first_struck_first(stretch)
            stretch, silence = [], None
    _one_by_one(stretch, silence)
    return spare


def _following(silences: Sequence[int], tick: int) -> int | None:
    place = bisect_right(silences, tick)
    return silences[place] if place < len(silences) else None


def _first_struck_first(stretch: Stream) -> None:
    """As many releases as strikes: the first one lets go of the first."""
    releases = (event for event in stretch if isinstance(event, Release))
    for strike, release in zip(_strikes(stretch), releases, strict=True):
        strike.end, strike.released = release.tick, True


def _one_by_one(stretch: Stream, silence: int | None) -> None:
    """Too few releases: a strike lets go of what sounds already, a release of all that sounds, silence of the rest."""
    sounding: list[Strike] = []  # all struck on one tick
    for event in stretch:
        released = isinstance(event, Release)
        if released or (sounding and event.tick > sounding[0].tick):
            for strike in sounding:
                strike.end, strike.released = event.tick, released
            sounding = []
        if isinstance(event, Strike):
            sounding.append(event)
    for strike in sounding:
        strike.end, strike.released = silence, False


def _in_order(strikes: list[Strike]) -> None:
    """The first strike of a track is let go first, which is all that a track can say."""
    ends = sorted((strike.end for strike in strikes), key=lambda end: (end is None, end or 0))
    for strike, end in zip(strikes, ends, strict=True):
        strike.end = end
