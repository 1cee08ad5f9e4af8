"""Segments that D3PIA published: what each system was given, a melody and chords, and what was played to it.

A lead sheet is one track in which the chords stand below middle C among the notes of the melody, and its labels say
where each chord begins. A label is always written with the same notes, by which they are told from a low melody. All
times are in twelfths of a quarter note, all notes are rows of onset, duration and pitch.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from symusic.core import TextMetaTick

from diffmidi.api.renderer import write_midi
from diffmidi.api.tokenizer import Notes, Score, notes_of, score_of
from diffmidi_core.music.reading import read_midi

GRID, BARS = 12, 8
BAR = 4 * GRID
END = BARS * BAR
MIDDLE_C = 60
PLACES = "inference_samples/POP909_no_bridge_8bar_cropped"
PIANISTS, THEIRS = "pianists", "D3PIA"
Rows = NDArray[np.int64]


class Chord(NamedTuple):
    """From when until when, and its pitch classes."""

    begin: int
    end: int
    classes: frozenset[int]


@dataclass(frozen=True)
class Segment:
    """Eight bars.

    Attributes:
        song, name: of POP909.
        tempo: in quarter notes a minute.
        melody: [N, 3].
        sheet: [N, 3] the notes of the chords, as the lead sheet has them.
        chords: one after the other.
        played: by whom, and what besides the melody.
        files: the same, and the file.
    """

    song: str
    name: str
    tempo: float
    melody: Rows
    sheet: Rows
    chords: Sequence[Chord]
    played: Mapping[str, Rows]
    files: Mapping[str, Path]

    def classes(self, bar: int) -> frozenset[int]:
        """All pitch classes of the chords of a bar, from 0 on."""
        return frozenset().union(*(each.classes for each in self._of(bar)))

    def longest(self, bar: int) -> Chord:
        """The chord that has most of a bar; of equal ones the first."""
        begin, end = bar * BAR, (bar + 1) * BAR
        return max(self._of(bar), key=lambda each: min(each.end, end) - max(each.begin, begin))

    def _of(self, bar: int) -> list[Chord]:
        return [each for each in self.chords if each.begin < (bar + 1) * BAR and each.end > bar * BAR]


class Sheet(NamedTuple):
    """A lead sheet as its file has it: all notes, and from when until when which label holds, within one bar."""

    tempo: float
    notes: Rows
    stretches: list[tuple[int, int, str]]


def rows_of(score: Score) -> Rows:
    """[N, 3] of all notes of a score, by onset, then pitch."""
    notes = notes_of(score)
    times = [np.rint(each * GRID / score.ticks_per_quarter).astype(np.int64) for each in (notes.onset, notes.duration)]
    rows = np.stack([times[0], np.maximum(times[1], 1), notes.pitch.astype(np.int64)], 1)
    return np.asarray(rows[(rows[:, 0] >= 0) & (rows[:, 0] < END)])


def score_from(*tracks: Rows, tempo: float = 120.0) -> Score:
    """A score with a track for each."""
    return score_of(
        [Notes(each[:, 0], each[:, 1], each[:, 2], np.full(len(each), 80)) for each in tracks], GRID, tempo=tempo
    )


def read_sheet(path: Path) -> Sheet:
    """Raises DiffmidiError for what is no MIDI file."""
    score = read_midi(path)
    labels = {round(each.time * GRID / score.ticks_per_quarter): each.text for each in score.markers}
    bounds = sorted({*labels, *range(0, END + 1, BAR)})
    stretches, label = [], ""
    for begin, end in pairwise(each for each in bounds if each <= END):
        label = labels.get(begin, label)
        if label:
            stretches.append((begin, end, label))
    return Sheet(score.tempos[0].qpm if score.tempos else 120.0, rows_of(score), stretches)


def voicings(sheets: Iterable[Sheet]) -> dict[str, frozenset[int]]:
    """By label the pitches below middle C that begin with more than half of its stretches."""
    seen, counts = Counter[str](), defaultdict[str, Counter[int]](Counter)
    for sheet in sheets:
        for begin, _, label in sheet.stretches:
            seen[label] += 1
            counts[label].update({*sheet.notes[sheet.notes[:, 0] == begin, 2].tolist()} & {*range(MIDDLE_C)})
    return {
        label: frozenset(pitch for pitch, count in counts[label].items() if count > number / 2)
        for label, number in seen.items()
    }


def parted(sheet: Sheet, known: Mapping[str, frozenset[int]]) -> tuple[Rows, Rows, list[Chord]]:
    """The melody, the notes of the chords, and the chords. Of two notes on one key the longer is the chord's."""
    is_chord = np.zeros(len(sheet.notes), dtype=bool)
    chords: list[Chord] = []
    for begin, end, label in sheet.stretches:
        for pitch in known[label]:
            found = np.flatnonzero((sheet.notes[:, 0] == begin) & (sheet.notes[:, 2] == pitch))
            if len(found):
                is_chord[found[np.argmax(sheet.notes[found, 1])]] = True
        classes = frozenset(pitch % 12 for pitch in known[label])
        if chords and chords[-1].end == begin and chords[-1].classes == classes:
            chords[-1] = chords[-1]._replace(end=end)
        elif classes:
            chords.append(Chord(begin, end, classes))
    return sheet.notes[~is_chord], sheet.notes[is_chord], chords


def besides(rows: Rows, melody: Rows) -> Rows:
    """What is played besides the melody: notes whose key the melody does not hold down when they begin."""
    onset, pitch = rows[:, :1], rows[:, 2:]
    held = (melody[:, 0] <= onset) & (onset < melody[:, 0] + melody[:, 1]) & (melody[:, 2] == pitch)
    return np.asarray(rows[~held.any(1)])


def segments_of(folder: Path) -> list[Segment]:
    """All segments of a clone of D3PIA. Raises SystemExit where there are none."""
    folder = folder if not (folder / PLACES).is_dir() else folder / PLACES
    paths = sorted(folder.glob("leadsheet/*/*.mid"))
    if not paths:
        raise SystemExit(f"no lead sheets in {folder}: fetch them as the head of this script says")
    sheets = [read_sheet(path) for path in paths]
    known = voicings(sheets)
    found = []
    for path, sheet in zip(paths, sheets, strict=True):
        melody, own, chords = parted(sheet, known)
        place = Path(*path.parts[-2:])
        files = {PIANISTS: folder / "valid" / place, THEIRS: next(folder.glob(f"d3pia/*/{place}"))}
        played = {name: besides(rows_of(read_midi(each)), melody) for name, each in files.items()}
        found.append(Segment(place.parts[0], place.stem, sheet.tempo, melody, own, chords, played, files))
    return found


def chosen(segments: Sequence[Segment], count: int, seed: int) -> list[Segment]:
    """So many at random, a second one of a song once every song has one.

    Only such as have a melody in half of their bars, and chords from beginning to end.
    """
    random = np.random.default_rng(seed)
    songs = defaultdict[str, list[Segment]](list)
    for place in random.permutation(len(segments)).tolist():
        segment = segments[place]
        whole = bool(segment.chords) and sum(each.end - each.begin for each in segment.chords) == END
        if whole and len(np.unique(segment.melody[:, 0] // BAR)) >= BARS // 2:
            songs[segment.song].append(segment)
    order = [(number, place) for place, some in enumerate(songs.values()) for number in range(len(some))]
    by_place = [*songs.values()]
    return [by_place[place][number] for number, place in sorted(order)[:count]]


def made_up(folder: Path, songs: int = 3, each: int = 2) -> Path:
    """Segments of no music at all, laid out as the published ones are."""
    for song in range(songs):
        for number in range(each):
            random = np.random.default_rng([song, number])
            roots = 36 + random.integers(0, 12, BARS)
            at, beats = np.arange(BARS) * BAR, np.arange(4 * BARS) * GRID
            steps = np.array([0, 16, 19, 24])
            chords = np.stack([np.repeat(at, 4), np.full(4 * BARS, BAR), (roots[:, None] + steps).ravel()], 1)
            chords[:, 2] -= 12 * (chords[:, 2] >= MIDDLE_C)
            melody = np.stack([beats, np.full(len(beats), GRID), 72 + random.integers(0, 12, len(beats))], 1)
            broken = np.stack([beats, np.full(len(beats), GRID), chords[:, 2] + 12], 1)
            for kind, rows in (("leadsheet", chords), ("valid", broken), ("d3pia/run", chords + np.array([0, 0, 12]))):
                path = folder / kind / f"{song:03d}" / f"seg_{8 * number}_{8 * number + 8}.mid"
                path.parent.mkdir(parents=True, exist_ok=True)
                score = score_from(np.concatenate([melody, rows]))
                if kind == "leadsheet":
                    for time, root in zip(at.tolist(), roots.tolist(), strict=True):
                        score.markers.append(TextMetaTick(time, f"{root}:maj"))
                write_midi(score, path)
    return folder
