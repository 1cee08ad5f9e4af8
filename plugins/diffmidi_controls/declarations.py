"""The built-in controls."""

from __future__ import annotations

import re

from pydantic import field_validator, model_validator

from diffmidi.api import ControlDeclaration, Field, Options

_CLASSES = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_ALTERED = {"": 0, "#": 1, "♯": 1, "b": -1, "♭": -1}
_NOTE = r"([A-Ga-g])([#b♯♭]?)"
_TRIADS = {"": (0, 4, 7), "m": (0, 3, 7), "dim": (0, 3, 6), "aug": (0, 4, 8), "7": (0, 4, 7, 10)}
_TRIADS |= {"maj7": (0, 4, 7, 11), "m7": (0, 3, 7, 10), "sus4": (0, 5, 7)}


def pitch_class(letter: str, altered: str) -> int:
    """0 is C."""
    return (_CLASSES[letter.lower()] + _ALTERED[altered]) % 12


def pitch(text: str) -> int:
    """C4 or 60 to 60. Raises ValueError, as text that follows a colon."""
    named = re.fullmatch(_NOTE + r"(-?\d+)", text.strip())
    number = int(text) if text.strip().isdecimal() else -1
    if named:
        number = _CLASSES[named[1].lower()] + _ALTERED[named[2]] + 12 * (int(named[3]) + 1)
    if not 0 <= number <= 127:
        raise ValueError(f"a pitch is a note and its octave, such as C4 (which is 60), or 0 to 127, not {text!r}")
    return number


def scale(text: str, *, leading: bool) -> frozenset[int]:
    """The pitch classes of a key such as "D minor". Raises ValueError, as text that follows a colon."""
    named = re.fullmatch(_NOTE + r" *-?_?(major|minor)?", text.strip(), re.IGNORECASE)
    if not named:
        raise ValueError(f"a key is such as 'C major', 'Dminor' or 'F# minor', not {text!r}")
    minor = (named[3] or "major").lower() == "minor"
    steps = (0, 2, 3, 5, 7, 8, 10, *((11,) if leading else ())) if minor else (0, 2, 4, 5, 7, 9, 11)
    return frozenset((pitch_class(named[1], named[2]) + step) % 12 for step in steps)


def chords(text: str) -> list[frozenset[int]]:
    """The pitch classes of chords such as "C Am F G7". Raises ValueError, as text that follows a colon."""
    found = []
    for symbol in text.replace("|", " ").split():
        named = re.fullmatch(_NOTE + r"(.*)", symbol)
        if not named or named[3] not in _TRIADS:
            kinds = ", ".join(f"C{kind}" for kind in _TRIADS)
            raise ValueError(f"chords are such as {kinds}, with spaces between, not {symbol!r}")
        found.append(frozenset((pitch_class(named[1], named[2]) + step) % 12 for step in _TRIADS[named[3]]))
    if not found:
        raise ValueError("it names at least one chord")
    return found


def numbers(text: str) -> list[float]:
    """Numbers with spaces or commas between. Raises ValueError, as text that follows a colon."""
    try:
        found = [float(each) for each in text.replace(",", " ").split()]
    except ValueError:
        found = []
    if not found or not all(0 <= each <= 1000 for each in found):
        raise ValueError(f"it is numbers from 0 to 1000 with spaces between, such as '4 8 12', not {text!r}")
    return found


class KeyOptions(Options):
    """What can be set for `key`."""

    key: str = Field("C major", description="the key, such as 'C major' or 'F# minor'")
    leading: bool = Field(True, description="minor keys have their leading note, the raised seventh, too")

    @field_validator("key")
    @classmethod
    def _a_key(cls, value: str) -> str:
        scale(value, leading=False)
        return value


class RangeOptions(Options):
    """What can be set for `range`."""

    low: str = Field("C3", description="the lowest pitch of new notes, such as C3 (which is 48)")
    high: str = Field("C6", description="the highest")

    @field_validator("low", "high", mode="before")
    @classmethod
    def _a_pitch(cls, value: object) -> str:
        pitch(str(value))
        return str(value)

    @model_validator(mode="after")
    def _rises(self) -> RangeOptions:
        if pitch(self.low) > pitch(self.high):
            raise ValueError(f"low ({self.low}) is not above high ({self.high})")
        return self


class ChordsOptions(Options):
    """What can be set for `chords`."""

    progression: str = Field("C G Am F", description="a chord for each bar, from the first bar on, again and again")

    @field_validator("progression")
    @classmethod
    def _chords(cls, value: str) -> str:
        chords(value)
        return value


class DensityOptions(Options):
    """What can be set for `density`."""

    curve: str = Field("8", description="notes in a bar, such as '4 8 12', which are stretched over the piece's bars")

    @field_validator("curve", mode="before")
    @classmethod
    def _numbers(cls, value: object) -> str:
        numbers(str(value))
        return str(value)


key = ControlDeclaration(
    summary="new notes are of a key (always obeyed)",
    implementation="diffmidi_controls.allowed:Key",
    options=KeyOptions,
    decides=("pitch",),
)

between = ControlDeclaration(
    summary="new notes are between two pitches (always obeyed)",
    implementation="diffmidi_controls.allowed:Range",
    options=RangeOptions,
    decides=("pitch",),
)

chord_of_each_bar = ControlDeclaration(
    summary="the notes of each bar are of its chord (as near as candidates come)",
    implementation="diffmidi_controls.judged:Chords",
    options=ChordsOptions,
    decides=("pitch", "time", "duration", "bar"),
    whole=True,
)

density = ControlDeclaration(
    summary="so many notes in each bar (as near as candidates come)",
    implementation="diffmidi_controls.judged:Density",
    options=DensityOptions,
    decides=("bar", "count"),  # tokens without them, where it is times that say, take no lock
    whole=True,
)

parallels = ControlDeclaration(
    summary="no parallel fifths or octaves (as near as candidates come)",
    implementation="diffmidi_controls.judged:Parallels",
    decides=("pitch", "time", "duration"),
)
