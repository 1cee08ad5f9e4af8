"""What a model can be asked for: labels, their values, and how often training saw each. Light.

A label has a few named values, numbered from 1; 0 says nothing of it. What is measured of a window falls into a bin
between `edges`, which are quantiles of the training music.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from math import isnan
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from diffmidi_core.errors import UsageError
from diffmidi_core.wording import listed, printable

EACH = "each"
"""In place of a value: piece after piece another one of those that training saw."""
UNSAID = 0
"""The number that says nothing of a label."""


class KnownLabel(BaseModel):
    """A label that a model was trained with.

    Attributes:
        name: what it is asked for by.
        values: what it can be, number 1 first; of a measured quantity from the lowest bin up.
        counts: in how many of the training `of` each was met, windows or pieces; of measured ones in a sample of them.
        edges: between the bins of a quantity, rising; none where values have no order.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    name: str
    values: tuple[str, ...] = Field(min_length=1)
    counts: tuple[int, ...]
    edges: tuple[float, ...] = ()
    of: Literal["windows", "pieces"] = "windows"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.counts) != len(self.values) or (self.edges and len(self.edges) != len(self.values) - 1):
            raise ValueError("every value has a count, and an edge lies between two of them")
        if list(self.edges) != sorted(self.edges):
            raise ValueError("edges rise")
        return self

    @property
    def seen(self) -> tuple[str, ...]:
        """The values that training saw."""
        return tuple(value for value, count in zip(self.values, self.counts, strict=True) if count)

    def number(self, value: str | None) -> int:
        """The number of a value; UNSAID for None."""
        return UNSAID if value is None else 1 + self.values.index(value)

    def bin_of(self, measured: float) -> int:
        """The number of the bin of a quantity; UNSAID for NaN. The middle one holds both of its edges."""
        return UNSAID if isnan(measured) else 1 + bin_of(self.edges, measured)


def bin_of(edges: Sequence[float], measured: float) -> int:
    """The bin from 0 on: a value on edges lies in the bin that touches them and is nearest to the middle."""
    middle = len(edges) // 2
    return min(max(bisect_left(edges, measured), middle), bisect_right(edges, measured))


def wanted(given: Mapping[str, str], known: Sequence[KnownLabel]) -> dict[str, str]:
    """What is asked of a model, in its own spelling. Raises UsageError for what it cannot be asked."""
    if not given:
        return {}
    if not known:
        first = next(iter(given.items()))
        raise UsageError(
            f"--want {printable('='.join(first))}: this model was trained without labels, so none can be asked of it: "
            "train one with --condition window."
        )
    by_name = {label.name.casefold(): label for label in known}
    found: dict[str, str] = {}
    for name, value in given.items():
        label = by_name.get(name.casefold())
        if label is None:
            raise UsageError(
                f"--want {printable(name)}={printable(value)}: this model has no label '{printable(name)}'. It has: "
                f"{listed([label.name for label in known])}."
            )
        if label.name in found:
            raise UsageError(f"--want {printable(name)}: it is asked for twice, and a piece has one.")
        found[label.name] = _value(label, value)
    return found


def _value(label: KnownLabel, asked: str) -> str:
    if asked.casefold() == EACH and label.seen:
        return EACH
    by_spelling = {spelling(value): value for value in reversed(label.values)}
    by_key = {key: value for value in label.values if (key := _key(value)) is not None}
    value = asked if asked in label.values else by_spelling.get(spelling(asked))
    if value is None and (key := _key(asked)) is not None:
        value = by_key.get(key)
    if value is None:
        raise UsageError(
            f"--want {printable(label.name)}={printable(asked)}: it has no such value. Its values are "
            f"{listed(list(label.values))}."
        )
    if value not in label.seen:
        raise UsageError(
            f"--want {printable(label.name)}={printable(asked)}: none of the {sum(label.counts):,} training {label.of} "
            f"that were looked at had it, so the model has not learned it. Seen were {listed(list(label.seen))}."
        )
    return value


def spelling(value: str) -> str:
    """A value but for case, spaces, hyphens and underscores: Dminor is D minor."""
    return value.casefold().translate(str.maketrans("", "", " -_"))


_KEY = re.compile(r"([a-g])([#b]?)(major|minor)")
_STEPS = dict(zip("cdefgab", (0, 2, 4, 5, 7, 9, 11), strict=True))


def _key(value: str) -> tuple[int, str] | None:
    """Pitch class of the tonic, and mode: a key has several names."""
    found = _KEY.fullmatch(spelling(value))
    return found and ((_STEPS[found[1]] + {"#": 1, "b": -1, "": 0}[found[2]]) % 12, found[3])


def asked_of(want: Mapping[str, str], known: Sequence[KnownLabel], piece: int) -> dict[str, str]:
    """What is asked of a piece by its number from 0 on: EACH goes through the values, the first label's fastest."""
    asked = {}
    for label in known:
        if label.name not in want:
            continue
        value = want[label.name]
        if value == EACH:
            piece, number = divmod(piece, len(label.seen))
            value = label.seen[number]
        asked[label.name] = value
    return asked
