"""Timeline: what a piece is besides its notes: tempi, metres, where its first bar begins, who plays.

Tokens hold which notes follow one another, and how soon. All else that stands in a score lies beside them in a
`Timeline`, is written into text as comments (timeline_text.py) and into token datasets as JSON, and makes of the tokens
the piece that it was. Times are quarter notes since the bar line with which the piece begins.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from symusic.core import NoteTickList, ScoreTick, TempoTick, TimeSignatureTick, TrackTick

from diffmidi_core.music.clock import MINUTE, Clock, Tempo
from diffmidi_core.music.metre import FOUR_FOUR, SHORTEST_BAR, Signature
from diffmidi_core.music.notes import INT32_MAX, TICKS_PER_QUARTER, Column, Score
from diffmidi_core.music.tempo import UNTOLD, microseconds

FINEST = 32_767
"""Most ticks in a quarter note that a MIDI file can count."""
SHORTEST_NOTE_VALUE = 128
"""The largest denominator of a metre that is believed."""
_AS_JSON = json.JSONEncoder(ensure_ascii=False)

Float = NDArray[np.float64]
_BEFORE: Float = np.array([-np.inf])
T = TypeVar("T")
Place = Callable[[Column], Column]
Moved = tuple[Column, Column]
"""[N] when notes begin, rising, before and after a tokenizer cut rests short, in steps or ticks since its time 0."""


class MetreChange(NamedTuple):
    """From the bar line at `at` on, bars have `numerator` beats of 1/`denominator`."""

    at: float
    numerator: int
    denominator: int


class TrackNames(NamedTuple):
    """A track whose notes are in the tokens: its name, its General MIDI program, and how many notes it has."""

    name: str
    program: int
    notes: int


@dataclass(frozen=True)
class Timeline:
    """What the tokens of a piece do not carry.

    Attributes:
        tempos: rising, one at 0; none where the score names none.
        metres: rising, one at 0; none where the score names none, or where tokens name them.
        upbeat: when the tokens' time 0 is: the first note, or whatever a tokenizer counts from.
        tracks: the tracks that became tokens.
    """

    tempos: tuple[Tempo, ...] = ()
    metres: tuple[MetreChange, ...] = ()
    upbeat: float = 0.0
    tracks: tuple[TrackNames, ...] = ()

    @classmethod
    def of(
        cls, score: Score, zero: float, *, moved: Moved | None = None, steps: float = 1.0, bars: bool = True
    ) -> Self:
        """Of a score whose tokens count from tick `zero` (any fraction of a tick) on.

        Args:
            score: the piece begins with the bar in which `zero` is; by the MIDI standard bars are 4/4 until a metre is
                named.
            zero: the tick that the tokens count from.
            moved: how rests were cut short, in steps: tempi and metres then move with the notes.
            steps: in a quarter note.
            bars: false says that the tokens count from a bar line, and name metres themselves.
        """
        quarter = score.ticks_per_quarter
        metres = _metres(score) if bars else []
        upbeat = (zero - _bar_line(metres, zero, quarter)) / quarter if bars else 0.0

        def times(ticks: Column) -> Float:
            # What holds from the beginning of the score on, holds before it.
            if len(ticks) == 1 and ticks[0] <= 0:
                return _BEFORE
            at = (ticks - zero) / quarter
            if moved is not None:
                at = _warped(at * steps, *moved) / steps
            return np.where(ticks > 0, at + upbeat, -np.inf)

        at, mspq = _tempos(score)
        tempos = _in_order(times(at), mspq.tolist(), UNTOLD)
        signatures = [metre[1:] for metre in metres]
        changes = _in_order(times(np.array([metre[0] for metre in metres], dtype=np.int64)), signatures, FOUR_FOUR)
        return cls(
            tuple(Tempo(when, MINUTE / quarter) for when, quarter in tempos),
            tuple(MetreChange(when, *signature) for when, signature in changes),
            upbeat,
            _tracks(score),
        )

    @classmethod
    def by_clock(cls, score: Score, zero: int, *, moved: Moved | None = None, step: int) -> Self:
        """The same for tokens that count seconds from tick `zero` on, in steps of `step` microseconds."""
        plain = cls.of(score, zero)
        lead = Clock(plain.tempos).elapsed(np.array([plain.upbeat]))
        # What is not a whole number of steps would be rounded this way and that when it is read again.
        lead = np.rint(lead / step) * step
        if moved is None:
            return replace(plain, upbeat=float(Clock(plain.tempos).quarters(lead)[0]))
        begin = microseconds(score, np.array([zero]))[0] - lead[0]

        def elapsed(ticks: Column) -> Float:
            since: Float = _warped((microseconds(score, ticks) - begin - lead[0]) / step, *moved) * step + lead[0]
            return since

        at, mspq = _tempos(score)
        told = _in_order(elapsed(at), mspq.tolist(), UNTOLD)
        lasting = np.diff([when for when, _ in told]) / [quarter for _, quarter in told[:-1]] if told else []
        since = np.concatenate([[0.0], np.cumsum(lasting)]).tolist()
        tempos = tuple(Tempo(when, MINUTE / quarter) for when, (_, quarter) in zip(since, told, strict=False))
        clock = Clock(tempos)
        metres = _metres(score)
        when = elapsed(np.array([tick for tick, _, _ in metres], dtype=np.int64))
        changes = _in_order(clock.quarters(when), [metre[1:] for metre in metres], FOUR_FOUR)
        return replace(
            plain,
            tempos=tempos,
            metres=tuple(MetreChange(when, *signature) for when, signature in changes),
            upbeat=float(clock.quarters(lead)[0]),
        )

    @classmethod
    def new(cls, tempo: float | None = None, metre: Signature | None = None) -> Self:
        """Of a piece that is made from nothing: one tempo and one metre, or the tokenizer's own where there is none."""
        return cls(
            tempos=() if tempo is None else (Tempo(0.0, tempo),),
            metres=() if metre is None else (MetreChange(0.0, *metre),),
        )

    def onto(self, score: Score, *, bars: bool = True) -> Score:
        """A decoded score as the piece that it was: moved to its place in the bar, with its tempi, metres and names.

        Whole bars count in quarter notes. With `bars` false the score's own metres and places in bars stay. What the
        timeline does not say, stays as the score has it. Notes past what MIDI can hold end there.
        """
        quarter = score.ticks_per_quarter
        lead = round(self.upbeat * quarter) if bars else 0
        return self._written(score, quarter, lambda ticks: ticks + lead, bars=bars)

    def onto_clock(self, score: Score, *, step: int) -> Score:
        """The same for a decoded score whose ticks are seconds: its notes stand in quarter notes of the tempi then.

        Notes begin and end when they did, to a small part of `step` microseconds.
        """
        clock = Clock(self.tempos)
        finest = -(-4 * clock.slowest // step)
        quarter = min(TICKS_PER_QUARTER * -(-finest // TICKS_PER_QUARTER), FINEST)
        lead = clock.elapsed(np.array([self.upbeat]))[0]
        return self._written(
            score,
            quarter,
            lambda ticks: np.rint(clock.quarters(microseconds(score, ticks) + lead) * quarter).astype(np.int64),
        )

    def _written(self, score: Score, quarter: int, place: Place, *, bars: bool = True) -> Score:
        new = ScoreTick(quarter)
        written = self.tempos or tuple(Tempo(0.0, tempo.qpm) for tempo in score.tempos[:1])
        for tempo in written:
            new.tempos.append(TempoTick(_tick(tempo.at, quarter), mspq=tempo.mspq))
        if bars and self.metres:
            for at, *metre in self.metres:
                new.time_signatures.append(TimeSignatureTick(_tick(at, quarter), *metre))
        else:
            for sign in score.time_signatures:
                new.time_signatures.append(sign)
        only = self.tracks[0] if len(self.tracks) == 1 else None
        for track in score.tracks:
            name, program = (track.name, track.program) if only is None else (only.name, only.program)
            new.tracks.append(_moved(track, TrackTick(name, program, track.is_drum), place))
        return new

    def as_json(self) -> str:
        """One line of JSON; what is not there is left out."""
        return _AS_JSON.encode({name: value for name, value in vars(self).items() if value})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `as_json` wrote."""
        content = json.loads(text)
        return cls(
            tuple(Tempo(*values) for values in content.get("tempos", ())),
            tuple(MetreChange(*values) for values in content.get("metres", ())),
            content.get("upbeat", 0.0),
            tuple(TrackNames(*values) for values in content.get("tracks", ())),
        )


def typical(score: Score, end: int, seconds: float) -> tuple[float | None, Signature | None]:
    """The mean tempo of a score and the metre that holds longest, up to its tick `end`; None where none is named.

    `seconds` is when that tick is. A metre of one beat is none (see metre.py).
    """
    qpm = 60 * end / score.ticks_per_quarter / seconds if len(score.tempos) and seconds > 0 else None
    lasting: dict[Signature, int] = {}
    metres = _metres(score)
    for (begin, *metre), after in zip(metres, [*(tick for tick, _, _ in metres[1:]), end], strict=False):
        signature = (metre[0], metre[1])
        lasting[signature] = lasting.get(signature, 0) + max(after - begin, 0)
    believed = {
        signature: ticks for signature, ticks in lasting.items() if 4 * signature[0] >= SHORTEST_BAR * signature[1]
    }
    return qpm, max(believed, key=lambda signature: believed[signature], default=None)


def _tempos(score: Score) -> tuple[Column, Column]:
    """[N] ticks, rising, and microseconds in a quarter note from then on."""
    columns = score.tempos.numpy()
    at, mspq = columns["time"].astype(np.int64), columns["mspq"].astype(np.int64)
    if len(at) > 1:
        order = np.argsort(at, kind="stable")
        at, mspq = at[order], mspq[order]
    meant = mspq > 0
    return (at, mspq) if meant.all() else (at[meant], mspq[meant])


def _metres(score: Score) -> list[tuple[int, int, int]]:
    """Tick, numerator and denominator of every metre that bars can be counted by, by time."""
    signs = [(sign.time, sign.numerator, sign.denominator) for sign in score.time_signatures]
    meant = [
        sign
        for sign in signs
        if 1 <= sign[1] <= 255 and 1 <= sign[2] <= SHORTEST_NOTE_VALUE and SHORTEST_NOTE_VALUE % sign[2] == 0
    ]
    return sorted(meant, key=lambda sign: sign[0])


def _bar_line(metres: Sequence[tuple[int, int, int]], tick: float, quarter: int) -> float:
    """The tick of the last bar line that is not after a tick."""
    first = metres[0] if metres and metres[0][0] <= 0 else (0, *FOUR_FOUR)
    begin, numerator, denominator = next((metre for metre in reversed(metres) if metre[0] <= tick), first)
    bar = quarter * 4 * numerator / denominator
    return begin + (tick - begin) // bar * bar


def _tracks(score: Score) -> tuple[TrackNames, ...]:
    return tuple(
        TrackNames(track.name, track.program, len(track.notes))
        for track in score.tracks
        if not track.is_drum and len(track.notes)
    )


def _warped(at: Float, before: Column, after: Column) -> Float:
    """[M] times between notes -> the times between the same notes, now that these have moved together."""
    place = np.searchsorted(before, at, side="right") - 1
    last = np.maximum(place, 0)
    room = np.append(np.diff(after).astype(np.float64), np.inf)[last]
    since = np.minimum(at - before[last], np.where(place < 0, np.inf, room))
    return np.asarray(after[last] + since, dtype=np.float64)


def _in_order(at: Float, values: Sequence[T], before: T) -> list[tuple[float, T]]:
    """Times and values from 0 on, the last of those up to there standing at 0; no two neighbours alike.

    `before` is what holds until the first, where that is later.
    """
    kept: list[tuple[float, T]] = []
    for when, value in zip(np.maximum(at, 0.0).tolist(), values, strict=True):
        while kept and kept[-1][0] >= when:
            kept.pop()
        if not kept or kept[-1][1] != value:
            kept.append((when, value))
    if kept and kept[0][0] > 0:
        return [(0.0, before), *kept[kept[0][1] == before :]]
    return kept


def _tick(at: float, quarter: int) -> int:
    return min(round(at * quarter), INT32_MAX)


def _moved(track: TrackTick, new: TrackTick, place: Place) -> TrackTick:
    columns = track.notes.numpy()
    begin = columns["time"].astype(np.int64)
    onset = np.clip(place(begin), 0, INT32_MAX)
    end = np.clip(place(begin + columns["duration"]), 0, INT32_MAX)
    new.notes = NoteTickList.from_numpy(
        onset.astype(np.int32), (end - onset).astype(np.int32), columns["pitch"], columns["velocity"]
    )
    return new
