"""What windows of tokens sound like, measured on the tokens themselves: key, density, register and the like.

So a window that was transposed is in another key. A tokenizer decodes each window; all that follows is worked out for
all of them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.music.key import keys_of
from diffmidi_core.music.notes import Score, notes_of

Values = NDArray[np.float64]

MEASURES: Mapping[str, str | None] = {
    "key": None,
    "density": None,
    "register": None,
    "polyphony": None,
    "velocity": "velocity",
    "tempo": "tempo",
}
"""What is measured, and the role of the tokens that it takes; None: any tokens of music."""


def measurable(tokenizer: Tokenizer) -> tuple[str, ...]:
    """The names of MEASURES that these tokens tell: their velocity and tempo, where they have such."""
    known = set(tokenizer.roles.values())
    return tuple(name for name, role in MEASURES.items() if role is None or role in known)


def measured(windows: Sequence[Ids], tokenizer: Tokenizer, names: Iterable[str] = tuple(MEASURES)) -> dict[str, Values]:
    """By name a number for each window [B], NaN where it has none. See `of_scores`."""
    return of_scores([tokenizer.decode(ids) for ids in windows], names)


def of_scores(scores: Sequence[Score], names: Iterable[str] = tuple(MEASURES)) -> dict[str, Values]:
    """By name a number for each score [B], NaN where it has none, as one without notes.

    - `key`: a number into `KEYS`, by `keys_of`; −1 where no key is nearer than another.
    - `density`: notes a quarter note, from the first onset to the last note's end, a quarter note at least.
    - `register`: the mean MIDI pitch.
    - `polyphony`: notes that sound at once, averaged over the time in which any does.
    - `velocity`: the mean velocity.
    - `tempo`: quarter notes a minute, on average over the beats of the music.
    """
    columns = [notes_of(score) for score in scores]
    counts = np.array([len(notes) for notes in columns], dtype=np.int64)
    row = np.repeat(np.arange(len(scores)), counts)
    quarter = np.array([score.ticks_per_quarter for score in scores], dtype=np.float64)
    onset, duration, pitch, velocity = (
        np.concatenate([getattr(notes, name) for notes in columns] or [np.zeros(0, dtype=np.int64)])
        for name in ("onset", "duration", "pitch", "velocity")
    )
    lasting = np.maximum(duration, 1)

    def total(values: NDArray[np.number]) -> Values:
        summed: Values = np.bincount(row, values, minlength=len(scores)).astype(np.float64)
        return summed

    def mean(values: NDArray[np.number]) -> Values:
        return _by(total(values), counts)

    first, last = np.zeros((2, len(scores)))
    some = counts > 0
    if len(onset):
        begin = (counts.cumsum() - counts)[some]
        first[some], last[some] = onset[begin], np.maximum.reduceat(onset + lasting, begin)
    found: dict[str, Callable[[], Values]] = {
        "density": lambda: _by(counts * quarter, np.maximum(last - first, quarter * some)),
        "register": lambda: mean(pitch),
        "polyphony": lambda: _by(total(lasting), _sounding(row, onset, onset + lasting, len(scores))),
        "velocity": lambda: mean(velocity),
        "key": lambda: np.where(some, _keys(row, pitch, lasting, len(scores)), np.nan),
        "tempo": lambda: np.array([_tempo(score, end) for score, end in zip(scores, last.tolist(), strict=True)]),
    }
    return {name: np.asarray(found[name](), dtype=np.float64) for name in names}


def _by(above: Values, below: NDArray[np.number]) -> Values:
    """The ratio, NaN where nothing is below."""
    ratio: Values = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
    return ratio


def _keys(row: NDArray[np.int64], pitch: NDArray[np.int64], weight: NDArray[np.int64], rows: int) -> Values:
    sounding = np.bincount(12 * row + pitch % 12, weight, minlength=12 * rows).reshape(rows, 12)
    return keys_of(sounding).astype(np.float64)


def _sounding(row: NDArray[np.int64], onset: NDArray[np.int64], end: NDArray[np.int64], rows: int) -> Values:
    """[B] ticks in which at least one note of a row sounds; notes by row, then onset."""
    if not len(onset):
        return np.zeros(rows)
    # Rows one after the other in time, so that one pass goes over all of them.
    far = int(end.max()) + 1
    begun = onset + row * far
    until = np.maximum.accumulate(end + row * far)
    before = np.concatenate([begun[:1], until[:-1]])
    return np.bincount(row, until - np.maximum(begun, before), minlength=rows).astype(np.float64)


def _tempo(score: Score, end: float) -> float:
    """Quarter notes a minute up to a time in ticks, averaged over beats in log; NaN where nothing says one."""
    if not len(score.tempos) or end <= 0:
        return np.nan
    columns = score.tempos.numpy()
    time, qpm = columns["time"].astype(np.float64), 6e7 / columns["mspq"]
    lasting = np.diff(np.append(np.minimum(time, end), end))
    weight = lasting if lasting.sum() > 0 else np.ones(len(lasting))
    return float(np.exp(np.average(np.log(qpm), weights=weight)))
