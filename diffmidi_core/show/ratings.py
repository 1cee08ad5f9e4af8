"""Ratings of a listening test and its key, joined: what each source got, in the mean over its pieces."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import check_regular
from diffmidi_core.judge.rows import student
from diffmidi_core.wording import printable

KEY_COLUMNS = {"test", "piece", "source"}
RATING_COLUMNS = {"test", "listener", "piece", "rating"}
_FEWEST = 3
_MOST = 10_000_000
"""Bytes of a file that is read."""


@dataclass(frozen=True)
class Rated:
    """What a source got.

    Attributes:
        mean: over its pieces, each the mean of its ratings.
        interval: 95 %, by Student's t over the pieces: it says what other pieces of the source would get from the same
            listeners, and nothing of other listeners. None for fewer than three pieces.
        pieces, ratings, listeners: how many there are.
    """

    source: str
    mean: float
    interval: tuple[float, float] | None
    pieces: int
    ratings: int
    listeners: int


def rated(key: Path, ratings: Sequence[Path]) -> list[Rated]:
    """The sources of a test, the best one first. A listener is who names himself so in one file of ratings.

    Raises DiffmidiError for a file that is none of the test's, a piece that is not in the key, and a rating that is no
    whole number from 1 to 5.
    """
    rows = _rows(key, KEY_COLUMNS, "key")
    tests = {row["test"] for row in rows}
    source_of = {row["piece"]: row["source"] for row in rows}
    given: dict[str, dict[tuple[Path, str], int]] = {}
    for file in ratings:
        for row in _rows(file, RATING_COLUMNS, "ratings"):
            if row["test"] not in tests:
                raise DiffmidiError(f"{file} holds ratings of another test than {key} is the key of.")
            if row["piece"] not in source_of:
                raise DiffmidiError(f"{file} rates piece {printable(row['piece'])!r}, which {key} does not have.")
            if row["rating"] not in tuple("12345"):
                raise DiffmidiError(f"{file}: a rating is 1, 2, 3, 4 or 5 (found: {printable(row['rating'])!r}).")
            given.setdefault(row["piece"], {})[file, row["listener"]] = int(row["rating"])
    found = [
        _source(name, [given[piece] for piece in given if source_of[piece] == name])
        for name in dict.fromkeys(source_of.values())
    ]
    return sorted((each for each in found if each is not None), key=lambda each: (-each.mean, each.source))


def _source(name: str, pieces: Sequence[dict[tuple[Path, str], int]]) -> Rated | None:
    if not pieces:
        return None
    means = [mean(piece.values()) for piece in pieces]
    middle, interval = mean(means), None
    if len(means) >= _FEWEST:
        reach = student(len(means) - 1) * stdev(means) / math.sqrt(len(means))
        interval = (max(1.0, middle - reach), min(5.0, middle + reach))
    listeners = {who for piece in pieces for who in piece}
    return Rated(printable(name), middle, interval, len(means), sum(map(len, pieces)), len(listeners))


def _rows(file: Path, columns: set[str], what: str) -> list[dict[str, str]]:
    try:
        check_regular(file, most=_MOST)
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened)
            rows = [{name: str(row[name] or "").strip() for name in columns if name in row} for row in reader]
            missing = columns - set(reader.fieldnames or ())
    except OSError as error:
        raise DiffmidiError(f"{file} cannot be read: {error.strerror or error}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DiffmidiError(f"{file} is not a CSV file: {error}.") from error
    if missing:
        raise DiffmidiError(f"{file} is not the {what} of a listening test: it has no column {min(missing)}.")
    if not rows:
        raise DiffmidiError(f"{file} holds nothing: the {what} of a listening test has a line for each piece.")
    return rows
