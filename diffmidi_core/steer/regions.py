"""Regions: the one language for which notes of a piece are drawn anew, as commands and programs speak it. Light.

    bars 5-8, pitch C4-C6        both hold
    seconds 3.5-7, track 2
    track Violin, hand right

The conditions of one region all hold at once; of several regions a note is in one at least. Bars count from 1, an
upbeat is bar 0; ranges include their ends, and seconds are up to the second of theirs. A note belongs where it begins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from diffmidi_core.errors import UsageError

HIGHEST = 127
_STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_ALTERED = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}
_PITCH = r"(?:[A-Ga-g][#b♯♭]?-?\d+|\d+)"
_BARS = re.compile(r"(\d+)(?:\s*(-)\s*(\d+)?)?")
_PITCHES = re.compile(rf"({_PITCH})(?:\s*-\s*({_PITCH}))?")
_SECONDS = re.compile(r"(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)?")
_NAMED = re.compile(r"([A-Ga-g])([#b♯♭]?)(-?\d+)")
_CONDITION = re.compile(r"(bars?|seconds?|pitch(?:es)?|tracks?|hands?)\s+(.+)", re.IGNORECASE | re.DOTALL)

Bars = tuple[int, int | None]
Seconds = tuple[float, float | None]


@dataclass(frozen=True)
class Region:
    """Notes of which all of this is true; None says nothing.

    Attributes:
        bars: the first and the last, which is None where the region goes to the end of the piece.
        seconds: from when until when, in the same way.
        pitch: the lowest and the highest, as MIDI counts.
        track: a number, from 1 on, or a name.
        hand: "right" or "left".
    """

    bars: Bars | None = None
    seconds: Seconds | None = None
    pitch: tuple[int, int] | None = None
    track: str | None = None
    hand: str | None = None

    @classmethod
    def parse(cls, text: str) -> Region:
        """From text such as `bars 5-8, pitch C4-C6`. Raises UsageError."""
        told: dict[str, str] = {}
        for part in text.split(","):
            match = _CONDITION.fullmatch(part.strip())
            if match is None:
                raise UsageError(
                    f"--region {text!r}: {part.strip()!r} is no condition. A region says 'bars 5-8', 'seconds 3.5-7', "
                    "'pitch C4-C6', 'track 2' and 'hand right', with commas between those that hold together."
                )
            name = match[1].lower()
            name = {"bar": "bars", "second": "seconds", "pitches": "pitch"}.get(name, name)
            name = name.removesuffix("s") if name in ("tracks", "hands") else name
            if name in told:
                raise UsageError(f"--region {text!r} names {name} twice: give each its own --region.")
            told[name] = match[2].strip()
        return cls.of(**told)

    @classmethod
    def of(
        cls,
        *,
        bars: str | None = None,
        seconds: str | None = None,
        pitch: str | None = None,
        track: str | None = None,
        hand: str | None = None,
    ) -> Region:
        """From the text of each condition, as flags give it. Raises UsageError."""
        return cls(
            None if bars is None else _bars(bars),
            None if seconds is None else _seconds(seconds),
            None if pitch is None else _pitches(pitch),
            None if track is None else _track(track),
            None if hand is None else _hand(hand),
        )

    @property
    def says_something(self) -> bool:
        """Whether there is a condition."""
        return any(getattr(self, field.name) is not None for field in fields(self))

    def __str__(self) -> str:
        told = []
        if self.bars is not None:
            told.append(f"bars {_range(*self.bars)}")
        if self.seconds is not None:
            told.append(f"seconds {_range(*self.seconds)}")
        if self.pitch is not None:
            told.append(f"pitch {_range(*map(pitch_name, self.pitch))}")
        told += [f"{name} {value}" for name, value in (("track", self.track), ("hand", self.hand)) if value is not None]
        return ", ".join(told)


@dataclass(frozen=True)
class Regions:
    """What is drawn anew: what is in one of the regions at least, or with `inverted` all that is in none."""

    any_of: tuple[Region, ...]
    inverted: bool = False

    def __str__(self) -> str:
        told = "; ".join(map(str, self.any_of))
        return f"all except {told}" if self.inverted else told


def regions(texts: Sequence[str] = (), *, inverted: bool = False, **conditions: str | None) -> Regions:
    """From `--region` texts and the conditions of flags (`bars`, `seconds`, `pitch`, `track`, `hand`), which are one
    region more. Raises UsageError, also where nothing is said.
    """
    one = Region.of(**conditions)
    found = [*([one] if one.says_something else []), *(Region.parse(text) for text in texts)]
    if not found:
        raise UsageError("nothing says what is to be drawn anew: name bars, as in --bars 5-8, or a --region.")
    return Regions(tuple(found), inverted)


def pitch_name(pitch: int) -> str:
    """60 is C4."""
    names = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
    return f"{names[pitch % 12]}{pitch // 12 - 1}"


def _range(first: Any, last: Any) -> str:
    return f"{first}-" if last is None else f"{first}" if first == last else f"{first}-{last}"


def _bars(text: str) -> Bars:
    match = _BARS.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"bars {text!r}: bars are one, as in 5, or a range, as in 5-8, or 5- for all from there on.")
    first = int(match[1])
    last = first if match[2] is None else None if match[3] is None else int(match[3])
    if last is not None and last < first:
        raise UsageError(f"bars {text}: a range goes up, from its first bar to its last.")
    return first, last


def _seconds(text: str) -> Seconds:
    match = _SECONDS.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"seconds {text!r}: seconds are a range, as in 3.5-7, or 3.5- for all from there on.")
    first, last = float(match[1]), None if match[2] is None else float(match[2])
    if last is not None and last <= first:
        raise UsageError(f"seconds {text}: no time passes in this range, so nothing can be drawn in it.")
    return first, last


def _pitches(text: str) -> tuple[int, int]:
    match = _PITCHES.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"pitch {text!r}: pitches are a range, as in C4-C6 or 60-84, or one of them (C4 is 60).")
    low = _number(match[1])
    high = low if match[2] is None else _number(match[2])
    if not 0 <= low <= high <= HIGHEST:
        raise UsageError(f"pitch {text}: a range goes up, and MIDI has pitches from C-1 (0) to G9 (127).")
    return low, high


def _number(text: str) -> int:
    named = _NAMED.fullmatch(text)
    if named is None:
        return int(text)
    return _STEPS[named[1].lower()] + _ALTERED[named[2]] + 12 * (int(named[3]) + 1)


def _track(text: str) -> str:
    if not text.strip():
        raise UsageError("track '': a track is its number, from 1 on, or its name; --dry-run lists them.")
    return text.strip()


def _hand(text: str) -> str:
    if text.strip().lower() not in ("right", "left"):
        raise UsageError(f"hand {text!r}: a hand is right or left.")
    return text.strip().lower()
