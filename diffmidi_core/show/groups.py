"""Runs that differ by their seed alone, taken together: what they have in the mean, and which group is the best."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from diffmidi_core.judge.judged import StoredFigure
from diffmidi_core.show.compare import Record

_OF_THE_SEED = ("checkpoint", "draw", "draw is of checkpoint", "draw's seed")
"""What of a judged run follows from its seed, or is a name."""
_ALIKE = ("iterations", "began from", "segments")
"""What of training must be alike, too: a run that was stopped early is no repetition."""
_NORMAL = 1.96
_FEWEST = 3
"""Runs that an interval of their mean is told from: from two it would be nine standard deviations wide, each way."""


@dataclass(frozen=True)
class Group:
    """Runs that differ by their seed alone; a single run that has no such others.

    Attributes:
        name: what they are called: the run's own name where it is one.
    """

    name: str
    runs: tuple[Record, ...]

    @property
    def heading(self) -> str:
        """The name, with how many runs there are."""
        return self.name if len(self.runs) == 1 else f"{self.name} (n={len(self.runs)})"

    @property
    def legend(self) -> str:
        """Which runs they are."""
        return f"{self.heading}: {', '.join(run.name for run in self.runs)}."


@dataclass(frozen=True)
class Spread:
    """A figure of a group.

    Attributes:
        value: the figure of the one run that has it, or the mean over the runs.
        count: of runs that have it.
        deviation: the standard deviation over runs; None of one.
        interval: 95 % of it: over what one run was measured on, or of the mean over three runs or more by Student's t;
            None where neither is known.
        figure: the one run's, or that of the first run.
        reference: what the music has that it stands beside, in the mean.
    """

    value: float
    count: int
    deviation: float | None
    interval: tuple[float, float] | None
    figure: StoredFigure
    reference: float | None


def groups(records: Sequence[Record]) -> list[Group]:
    """The runs in groups, in the order of each one's first run. Runs of the same seed are never of one group."""
    found: dict[Any, list[Record]] = {}
    for number, record in enumerate(records):
        key = _key(record)
        seeds = [other.settings.get("seed") for other in found.get(key, ())]
        seed = record.settings.get("seed")
        found.setdefault(key if seed is not None and seed not in seeds else (key, number), []).append(record)
    taken = [record.name for record in records]
    named = []
    for some in found.values():
        name = _name([record.name for record in some], taken)
        taken.append(name)
        named.append(Group(name, tuple(some)))
    return named


def spread(group: Group, name: str) -> Spread | None:
    """A figure of a group; None where no run has it."""
    known = [figure for run in group.runs if (figure := run.figures.get(name)) is not None]
    if not known:
        return None
    values = [figure.value for figure in known]
    references = [figure.reference for figure in known if figure.reference is not None]
    deviation = stdev(values) if len(values) > 1 else None
    interval = _of_one(known[0]) if deviation is None else _of_mean(values)
    reference = mean(references) if references else None
    return Spread(mean(values), len(values), deviation, interval, known[0], reference)


def best(spreads: Sequence[Spread | None]) -> int | None:
    """Which of them is the best: its interval is apart from those of all others, on the better side.

    None where neither side is the better one, where fewer than two have the figure, where an interval is not known,
    and where the difference lies within the intervals.
    """
    known = [(number, each) for number, each in enumerate(spreads) if each is not None]
    directions = {each.figure.better for _, each in known}
    if len(known) < 2 or directions not in ({"lower"}, {"higher"}) or len({each.figure.unit for _, each in known}) > 1:
        return None
    sign = 1 if directions == {"lower"} else -1
    reaches = []
    for number, each in known:
        if each.interval is None:
            return None
        low, high = sorted(sign * end for end in each.interval)
        reaches.append((sign * each.value, low, high, number))
    (_, _, reach, first), *others = sorted(reaches)
    return first if all(reach < low for _, low, _, _ in others) else None


def _key(record: Record) -> str:
    """What the runs of a group have in common."""
    settings = {name: value for name, value in record.settings.items() if name != "seed"}
    judged = {name: value for name, value in record.judged.items() if name not in _OF_THE_SEED}
    training = {name: record.training.get(name) for name in _ALIKE}
    return json.dumps([settings, judged, training, record.music, record.tokens], sort_keys=True, default=str)


def _name(names: Sequence[str], taken: Sequence[str]) -> str:
    """What the names of runs have in common, without the number of a seed; the first one's where that is nothing."""
    if len(names) == 1:
        return names[0]
    first, last = min(names), max(names)
    common = first[: next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))]
    common = re.sub(r"[-_./ ]*(seed)?[-_. =]*\d*$", "", common)
    return common if common and common not in taken else f"{names[0]} and {len(names) - 1} more"


def _of_one(figure: StoredFigure) -> tuple[float, float] | None:
    if figure.interval is not None:
        return figure.interval
    if figure.error is None:
        return None
    return figure.value - _NORMAL * figure.error, figure.value + _NORMAL * figure.error


def _of_mean(values: Sequence[float]) -> tuple[float, float] | None:
    if len(values) < _FEWEST:
        return None
    from diffmidi_core.judge.rows import student

    middle, reach = mean(values), student(len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return middle - reach, middle + reach
