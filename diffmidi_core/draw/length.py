"""How long a piece is to be: as long as the data's windows or pieces are, or so many notes, bars or seconds."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.data.dataset import TokenDataset
from diffmidi_core.errors import UsageError
from diffmidi_core.machine.seeds import generator_for
from diffmidi_core.music.metre import FOUR_FOUR, Metre, Stretch
from diffmidi_core.music.notes import Score, notes_of
from diffmidi_core.music.timeline import Timeline
from diffmidi_core.saved.lengths import DataLengths
from diffmidi_core.saved.typical import Typical
from diffmidi_core.sections import parse_length

QUANTILES = 100
WINDOWS = 1000
"""Training windows that the quantiles of their lengths are taken from."""


def lengths_of(dataset: TokenDataset) -> DataLengths:
    """How long the music of a dataset is that something can be trained on."""
    windows = [window.end - window.start for window in dataset.draw(WINDOWS, seed=0, step=0, plain=True)]
    tokens, notes = dataset.report["words"], dataset.report["notes"]
    bars = dataset.bars_of_pieces()
    return DataLengths(
        _quantiles(windows),
        _quantiles(dataset.tokens_of_pieces()),
        tokens / notes if notes else None,
        _quantiles(bars) if len(bars) else (),
    )


def typical_of(dataset: TokenDataset, tokenizer: Tokenizer) -> Typical:
    """At which tempo, in which metre and on which tracks the music of a dataset is played."""
    typical = dataset.report["typical"]
    metre = tuple(typical["metre"]) if "metre" in typical else None
    return Typical(typical.get("tempo"), metre, _tracks_of(dataset, tokenizer))


def _tracks_of(dataset: TokenDataset, tokenizer: Tokenizer) -> tuple[str, ...]:
    """The track tokens of a bar that most pieces have, of up to WINDOWS of them; none without a plan of bars."""
    if not tokenizer.plan:
        return ()
    names = [tokenizer.roles.get(name) == "track" for name in tokenizer.grammar.types]
    told = np.array(names)[tokenizer.grammar.type_of]
    seen: Counter[tuple[str, ...]] = Counter()
    pieces = dataset.train_pieces
    for piece in pieces[np.unique(np.linspace(0, len(pieces) - 1, WINDOWS).astype(int))]:
        bar = dataset.first_bar(piece)
        seen[tuple(tokenizer.to_tokens(bar[told[bar]]))] += 1
    return max(seen, key=lambda tracks: (seen[tracks], tracks))


def _quantiles(lengths: Any) -> tuple[int, ...]:
    places = (np.arange(QUANTILES) + 0.5) / QUANTILES
    values: list[int] = np.quantile(lengths, places, method="inverted_cdf").tolist()
    return tuple(int(length) for length in values)


UNKNOWN = 2**31
"""Tokens still missing, where no one knows how many."""


class Goal(ABC):
    """When one piece is long enough, and where it is cut."""

    @abstractmethod
    def left(self, ids: Ids) -> int:
        """How many more tokens it probably takes; 0 where there are enough."""

    @abstractmethod
    def done(self, ids: Ids) -> float:
        """How long the piece is, in the unit that was asked for; what stands still for long never gets there."""

    @abstractmethod
    def cut(self, ids: Ids) -> Ids:
        """What the piece is in the end, once there are enough tokens."""


@dataclass(frozen=True)
class TokenCount(Goal):
    """As many tokens as a window or a piece of the data has, but for the last few that are too few for a note."""

    tokens: int
    shortest: int

    def left(self, ids: Ids) -> int:
        """Exactly."""
        missing = self.tokens - len(ids)
        return missing if missing >= min(self.shortest, self.tokens) else 0

    def done(self, ids: Ids) -> float:
        """In tokens."""
        return len(ids)

    def cut(self, ids: Ids) -> Ids:
        """The first so many."""
        return ids[: self.tokens]


@dataclass(frozen=True)
class NoteCount(Goal):
    """So many whole notes."""

    notes: int
    tokenizer: Tokenizer
    tokens_per_note: float | None

    def left(self, ids: Ids) -> int:
        """By the tokens that a note takes in the data."""
        missing = self.notes - self.tokenizer.count_notes(ids)
        if missing <= 0:
            return 0
        return UNKNOWN if self.tokens_per_note is None else math.ceil(missing * self.tokens_per_note)

    def done(self, ids: Ids) -> float:
        """In notes."""
        return self.tokenizer.count_notes(ids)

    def cut(self, ids: Ids) -> Ids:
        """The fewest tokens that hold the notes; fewer notes where a token or the grammar joins the last to others."""
        count = self.tokenizer.count_notes
        end = bisect_left(range(len(ids) + 1), self.notes, key=lambda end: count(ids[:end]))
        if count(ids[:end]) > self.notes or self.tokenizer.faults(ids[:end]) > self.tokenizer.faults(ids):
            ends = [boundary for boundary in _boundaries(self.tokenizer, ids) if boundary < end]
            end = max(ends[-1], min(end, 1))
        return ids[:end]


@dataclass(frozen=True)
class Until(Goal):
    """Music up to a time: no note begins later, though the last ones may sound on. The first note always stays.

    Attributes:
        end: the time, and
        times: [N] the time at which each note of a score begins, in the same unit, counted from its tick 0.
        timeline: the tempo and the metre of the piece; None: the tokenizer's own.
    """

    end: float
    tokenizer: Tokenizer
    times: Callable[[Score], NDArray[np.float64]]
    timeline: Timeline | None = None

    def left(self, ids: Ids) -> int:
        """No one knows: another window, until some note begins later."""
        return 0 if self.done(ids) >= self.end else UNKNOWN

    def done(self, ids: Ids) -> float:
        """Where the last note begins."""
        return float(self.times(self.tokenizer.decode(ids, self.timeline)).max(initial=0))

    def cut(self, ids: Ids) -> Ids:
        """Up to the last boundary between notes before the first note that begins too late."""
        ends = _boundaries(self.tokenizer, ids)
        late = bisect_left(ends, True, key=lambda end: self.done(ids[:end]) >= self.end)
        return ids[: ends[max(late - 1, min(1, len(ends) - 1))]]


def goals_for(
    asked: str,
    count: int,
    *,
    tokenizer: Tokenizer,
    lengths: DataLengths,
    seed: int,
    timeline: Timeline | None = None,
) -> tuple[list[Goal], int | None]:
    """What each of `count` pieces is to be, and the tokens that they all begin with where these are known.

    Args:
        asked: as `sample.length` has it.
        count: how many pieces; what piece i is to be follows from (seed, i).
        tokenizer: whose tokens they are made of.
        lengths: of the data.
        seed: decides which of the data's lengths are taken.
        timeline: the tempo and the metre by which seconds and bars are counted; None: the tokenizer's own.

    Raises UsageError where lengths of pieces are asked for and not known.
    """
    unit, amount = parse_length(asked)
    if unit == "notes":
        goal = NoteCount(int(amount), tokenizer, lengths.tokens_per_note)
        return [goal] * count, goal.left(np.zeros(0, dtype=np.int32)) if lengths.tokens_per_note else None
    if unit in ("bars", "seconds"):
        return [Until(amount, tokenizer, bars if unit == "bars" else seconds, timeline)] * count, None
    known = lengths.windows if unit == "windows" else lengths.pieces
    if not known:
        raise UsageError(
            "this model does not record how long the pieces were that it was trained on: ask for --notes, --bars or "
            "--seconds instead."
        )
    drawn = (torch.rand(1, generator=generator_for(seed, "length", piece)).item() for piece in range(count))
    shortest = tokenizer.grammar.shortest()
    return [TokenCount(known[int(share * len(known))], shortest) for share in drawn], None


def bars(score: Score) -> NDArray[np.float64]:
    """[N] in which bar each note begins, the first one 0; bars are 4/4 where the score names no metre."""
    signatures = {sign.time: (sign.numerator, sign.denominator) for sign in score.time_signatures} or {0: FOUR_FOUR}
    metre = Metre(tuple(Stretch(time, signature) for time, signature in sorted(signatures.items())))
    return metre.bars(notes_of(score).onset, score.ticks_per_quarter)[1].astype(np.float64)


def seconds(score: Score) -> NDArray[np.float64]:
    """[N] when each note begins, at the tempo of the score."""
    timed: Any = score.to("second")
    columns = [track.notes.numpy()["time"] for track in timed.tracks if len(track.notes)]
    return np.concatenate([np.zeros(0), *columns]).astype(np.float64)


def _boundaries(tokenizer: Tokenizer, ids: Ids) -> list[int]:
    """Where the tokens may be cut between notes, from 0 to their end."""
    return [*tokenizer.starts(ids).tolist(), len(ids)]
