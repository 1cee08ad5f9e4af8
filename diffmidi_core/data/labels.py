"""Labels: what is known of a piece besides its notes, or measured from them; kept with it to condition on and steer by.

A label has a name and a value, text or a number. Three layers, each over the one before: the piece's folder, what
`measured` finds, and what the user gives in a CSV file (`GivenLabels`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from diffmidi_core.music.key import key_of
from diffmidi_core.music.notes import Column, Notes, Score, deduplicated
from diffmidi_core.music.tempo import seconds

Label = str | float

FOLDER = "folder"
SLOW, FAST = 76.0, 120.0
"""Quarter notes a minute: below the first is adagio and slower, above the second allegro and faster."""
COMMONEST = 50
"""Values of a text label that a summary names; the others (of a title, say) are only counted."""


def folder_label(piece_id: str) -> dict[str, Label]:
    """The first folder of a piece whose id is a path, under the name `folder`; nothing of one at the top."""
    folder, slash, _ = piece_id.partition("/")
    return {FOLDER: folder} if slash and folder else {}


def measured(score: Score, notes: Notes) -> dict[str, Label]:
    """What a score's notes, as `notes_of` gives them, say; numbers to three decimals. Nothing where there are none.

    Notes of one pitch that start together (tracks that double each other) are one note, the longest of them; a note
    lasts one tick at least.

    - `density`: notes per second, from the first onset to the last note's end, by the score's own tempi.
    - `register`: mean MIDI pitch of the notes.
    - `polyphony`: notes that sound at once, averaged over the beats in which any does.
    - `tempo`: "slow" (under 76 quarter notes a minute on average), "moderate", or "fast" (over 120). A performance
      that was recorded against a fixed clock says 120, whatever was played.
    - `key` and `mode`: "A minor" and "minor", by `key_of`; left out where no key is nearer than another.
    """
    if not len(notes):
        return {}
    notes = deduplicated(notes)
    duration = np.maximum(notes.duration, 1)
    until = np.maximum.accumulate(notes.onset + duration)
    begin, last = notes.onset[0], until[-1]
    began, ended = seconds(score, np.array([begin, last])).tolist()
    lasting = max(ended - began, 1e-6)
    qpm = 60 * int(last - begin) / score.ticks_per_quarter / lasting
    labels: dict[str, Label] = {
        "density": round(len(notes) / lasting, 3),
        "register": round(int(notes.pitch.sum()) / len(notes), 3),
        "polyphony": round(int(duration.sum()) / _sounding(notes.onset, until), 3),
        # Rounded, because 120 is stored as a whole number of microseconds and may come back as 120.00000048.
        "tempo": "slow" if (qpm := round(qpm, 1)) < SLOW else "fast" if qpm > FAST else "moderate",
    }
    if (key := key_of(notes.pitch, duration)) is not None:
        labels |= {"key": key, "mode": key.partition(" ")[2]}
    return labels


def _sounding(onset: Column, until: Column) -> int:
    """Ticks in which at least one note sounds, from notes by onset and the latest end up to each."""
    silent = np.maximum(onset[1:] - until[:-1], 0)
    return int(until[-1] - onset[0] - silent.sum())


@dataclass
class LabelSummary:
    """What labels there are, for data.json: of a number its range, of text how often each value occurs."""

    _texts: dict[str, Counter[str]] = field(default_factory=dict)
    _numbers: dict[str, tuple[int, float, float]] = field(default_factory=dict)

    def add(self, pieces: Iterable[Mapping[str, Label]]) -> None:
        """Count the labels of some pieces."""
        columns: dict[str, list[Label]] = {}
        for labels in pieces:
            for name, value in labels.items():
                columns.setdefault(name, []).append(value)
        for name, values in columns.items():
            if texts := [value for value in values if isinstance(value, str)]:
                self._texts.setdefault(name, Counter()).update(texts)
            if numbers := [value for value in values if not isinstance(value, str)]:
                count, low, high = self._numbers.get(name, (0, numbers[0], numbers[0]))
                self._numbers[name] = count + len(numbers), min(low, *numbers), max(high, *numbers)

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """By name: `pieces` that have the label, and `min` and `max`, or `values` with their counts and `others`.

        `values` are the commonest, by count, then by name; `others` is how many pieces have a rarer one.
        """
        summary: dict[str, dict[str, Any]] = {
            name: {"pieces": count, "min": low, "max": high} for name, (count, low, high) in self._numbers.items()
        }
        for name, counts in self._texts.items():
            values = dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:COMMONEST])
            summary[name] = {
                "pieces": counts.total(),
                "values": values,
                "others": counts.total() - sum(values.values()),
            }
        return dict(sorted(summary.items()))
