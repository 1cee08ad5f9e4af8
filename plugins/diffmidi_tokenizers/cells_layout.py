"""Music laid out in cells, one a track and bar: what layout `cells` writes as tokens. Vectorised over the notes.

What was laid out stays as it is when it is laid out again, which is why tokens survive decoding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffmidi.api.tokenizer import (
    FIRST_BAR,
    INNER_BAR,
    LAST_BAR,
    MINUTE,
    Clock,
    Metre,
    Moved,
    Notes,
    Score,
    Timeline,
    downbeat,
    metre_of,
    onset_phase,
)
from diffmidi_tokenizers import steps
from diffmidi_tokenizers.bars import LONGEST_REST, sixteenths_late
from diffmidi_tokenizers.cells_tracks import tokens_of
from diffmidi_tokenizers.cells_words import CellWords
from diffmidi_tokenizers.declarations import NoteTokensOptions
from diffmidi_tokenizers.grids import Grid
from diffmidi_tokenizers.layouts import HIGHEST, LOWEST
from diffmidi_tokenizers.scale import Scale

Column = NDArray[np.int64]


@dataclass(frozen=True)
class Cells:
    """A piece in cells.

    Attributes:
        metre: [B] the number of each bar's metre (`CellWords.signatures`), or 0, a frame.
        kind: [B] where in a piece it stands (`Tokenizer.bar_kinds`).
        tempo: [B] the number of its tempo (`TEMPI`), 0 in frames.
        tracks: [T] places among `CellWords.tracks`, rising.
        cell: [N] bar * T + track of each note, which are sorted by it, then onset, then pitch.
        since: [N] steps since the bar line.
        notes: [N] their onset is in steps since the first bar line.
        changed: what was changed on the way.
        timeline: what cells do not hold; its tempi are exact.
    """

    metre: Column
    kind: Column
    tempo: Column
    tracks: Column
    cell: Column
    since: Column
    notes: Notes
    changed: Mapping[str, int]
    timeline: Timeline


@dataclass(frozen=True)
class _Placed:
    """Notes in steps, and the bars that they stand in.

    Attributes:
        bar: [N] the bar of each note, the first that has one being bar 0, long rests cut.
        since: [N] steps since its bar line.
        duration: [N] in steps.
        metre: [B] the number of each bar's metre.
        zero: the tick of the first bar line, or a fraction of one.
        before: [N] onsets in steps since then, with rests as long as they were.
    """

    bar: Column
    since: Column
    duration: Column
    metre: Column
    zero: float
    before: Column


def lay_out(score: Score, grid: Grid, words: CellWords, durations: Scale, options: NoteTokensOptions) -> Cells:
    """The score in cells, and what was changed on the way:

    drums, clamped_pitch or dropped_pitch, zero_length, clamped_duration, merged, overlaps, over_count (notes);
    clamped_rest (rests), joined_tracks (tracks), metre_replaced (1 where 4/4 or the like is read in place of a metre).
    """
    counts: dict[str, int] = {}
    notes, track, tracks = _by_track(score, words, options, counts)
    if not len(notes):
        none = np.zeros(0, dtype=np.int64)
        return Cells(none, none, none, none, none, none, notes, _happened(counts), Timeline())
    over = 0
    while True:
        placed = (_in_metre if words.metred else _in_frames)(score, notes, grid, words, counts)
        lengths = words.lengths[placed.metre]
        lines = lengths.cumsum() - lengths
        cell, since, pitch, velocity, duration, group = _in_cells(placed, notes, track, len(tracks), lengths)
        fits = np.arange(len(cell)) - np.searchsorted(cell, cell) < options.max_count
        if fits.all():
            break
        # Where beats are is read off the notes, so it is read again without those that are left out.
        over += int(np.count_nonzero(~fits))
        notes, track = notes[fits[group]], track[fits[group]]
    counts["over_count"], counts["merged"] = over, len(notes) - len(cell)
    counts["clamped_duration"] = int(np.count_nonzero(placed.duration > durations.longest))
    duration = np.minimum(duration, durations.longest)
    onset = lines[cell // len(tracks)] + since
    # The same key of two tracks is two keys.
    keyed = Notes(onset, duration, pitch + 128 * (cell % len(tracks)), velocity)
    keyed, counts["overlaps"] = steps.part_overlaps(keyed)
    duration = keyed.duration
    if not durations.even:
        room = steps.until_struck_again(onset, keyed.pitch)
        duration = durations.at_most(np.minimum(durations.nearest(duration), room))
    moved = _moved(placed, lines)
    timeline = _timeline(score, grid, words, placed.zero, moved)
    return Cells(
        placed.metre,
        _kinds(lengths, metred=words.metred),
        _tempi(timeline, lines, lengths, grid, words),
        tracks,
        cell,
        since,
        Notes(onset, duration, pitch, velocity),
        _happened(counts),
        timeline,
    )


def _in_cells(
    placed: _Placed, notes: Notes, track: Column, tracks: int, lengths: Column
) -> tuple[Column, Column, Column, Column, Column, Column]:
    """[M] cell, steps since the bar line, pitch, velocity and duration, by cell, onset and pitch, notes of one key
    struck at once as one; and [N] which of them each note is.
    """
    cell = placed.bar * tracks + track
    # One column to sort by.
    key = (cell * int(lengths.max()) + placed.since) * 128 + notes.pitch
    order = np.argsort(key, kind="stable")
    key, duration, velocity = key[order], placed.duration[order], notes.velocity[order]
    new = np.ones(len(key), dtype=bool)
    np.not_equal(key[1:], key[:-1], out=new[1:])
    group = np.empty(len(key), dtype=np.int64)
    group[order] = new.cumsum() - 1
    if not new.all():
        first = np.flatnonzero(new)
        duration, velocity = np.maximum.reduceat(duration, first), np.maximum.reduceat(velocity, first)
        order = order[first]
    return cell[order], placed.since[order], notes.pitch[order], velocity, duration, group


def _happened(counts: Mapping[str, int]) -> dict[str, int]:
    return {what: count for what, count in counts.items() if count}


def _by_track(
    score: Score, words: CellWords, options: NoteTokensOptions, counts: dict[str, int]
) -> tuple[Notes, Column, Column]:
    """Notes in ticks that the options let be; [N] the track of each, 0 to T - 1; [T] places among the track tokens."""
    counts["drums"] = sum(len(track.notes) for track in score.tracks if track.is_drum)
    played = [track for track in score.tracks if len(track.notes) and not track.is_drum]
    columns = [track.notes.numpy() for track in played]
    onset, duration, pitch, velocity = (
        np.concatenate([column[name] for column in columns] or [[]], dtype=np.int64, casting="unsafe")
        for name in ("time", "duration", "pitch", "velocity")
    )
    track = np.repeat(np.arange(len(played)), [len(column["time"]) for column in columns])
    inside = np.minimum(np.maximum(pitch, LOWEST), HIGHEST)
    outside = inside != pitch
    clamp, drop = options.out_of_range == "clamp", options.zero_length == "drop"
    counts["clamped_pitch" if clamp else "dropped_pitch"] = int(np.count_nonzero(outside))
    empty = (duration <= 0) & (clamp | ~outside)
    counts["zero_length"] = int(np.count_nonzero(empty))
    notes = Notes(onset, duration, inside, velocity)
    left_out = (empty & drop) | (outside & (not clamp))
    if left_out.any():
        notes, track = notes[~left_out], track[~left_out]
    present = np.flatnonzero(np.bincount(track, minlength=len(played)))
    tokens = tokens_of([(played[each].name, played[each].program) for each in present.tolist()], options.same_tracks)
    places = np.array([words.tracks.index(token) for token in tokens], dtype=np.int64)
    tracks, which = np.unique(places, return_inverse=True)
    counts["joined_tracks"] = len(places) - len(tracks)
    of_played = np.zeros(len(played), dtype=np.int64)
    of_played[present] = which
    return notes, of_played[track], tracks


def _in_metre(score: Score, notes: Notes, grid: Grid, words: CellWords, counts: dict[str, int]) -> _Placed:
    """Onsets and ends to their nearest step, each in the bar in which it then is; see `steps.on_grid` of the phase."""
    quarter, ticks = grid.steps, score.ticks_per_quarter
    metre = metre_of(score, notes.onset, quarter, words.signatures, (quarter,))
    exact = notes.onset * quarter
    phase = onset_phase(exact, ticks)
    to_nearest = ticks // 2 - phase
    rounded = (exact + to_nearest) // ticks
    end = (exact + notes.duration * quarter + to_nearest) // ticks
    onset, late = _on_bars(rounded, metre, quarter)
    if metre.is_of_one_beat(onset, quarter):
        metre = Metre.four_four("one_beat")
        onset, late = _on_bars(rounded, metre, quarter)
    counts["metre_replaced"] = int(bool(metre.replaced))
    _, number = metre.bars(onset, quarter)
    numbers, which = np.unique(number, return_inverse=True)
    bar, every, counts["clamped_rest"] = _cut(numbers)
    lines = metre.bar_lines(every, quarter)
    known = {signature: place for place, signature in enumerate(words.signatures)}
    of_stretch = np.array([known[stretch.signature] for stretch in metre.stretches])
    metres = of_stretch[metre.stretch_of_bar(every, quarter)]
    bar = bar[which]
    since = onset - lines[bar]
    since, metres, cut = _upbeat(bar, since, metres, words, quarter)
    first = int(lines[0]) + cut
    zero = ((first + late) * ticks + phase) / quarter
    return _Placed(bar, since, np.maximum(end - rounded, 1), metres, zero, onset - first)


def _on_bars(onset: Column, metre: Metre, quarter: int) -> tuple[Column, int]:
    """Onsets moved onto the beats of their bars, where the piece is late as a whole; and by how many steps it was."""
    if metre.replaced:
        late = downbeat(onset - metre.stretches[0].start, metre.stretches[0].bar(quarter))
    else:
        starts = np.array([each.start for each in metre.stretches])
        at = np.maximum(np.searchsorted(starts, onset, side="right") - 1, 0)
        late = sixteenths_late(onset, onset - starts[at], 1, quarter // 4)
    return onset - late, late


def _cut(numbers: Column) -> tuple[Column, Column, int]:
    """Rising numbers of the bars that have notes -> their places among all bars; [B] the numbers of these; rests cut.

    Of a rest that is longer than LONGEST_REST bars, the first of them stay.
    """
    gap = np.diff(numbers)
    many = np.append(np.minimum(gap, LONGEST_REST + 1), 1)
    place = many.cumsum() - many
    every = np.repeat(numbers - place, many) + np.arange(int(many.sum()))
    return place, every, int(np.count_nonzero(gap > LONGEST_REST + 1))


def _upbeat(bar: Column, since: Column, metres: Column, words: CellWords, quarter: int) -> tuple[Column, Column, int]:
    """An upbeat that is written as a whole bar with rests becomes a bar as short as it is; by how many steps.

    It is one where nothing begins in the first half of the first bar, and that bar is not short already.
    """
    lengths = words.lengths[metres]
    inside = int(since[bar == 0].min())
    if len(lengths) < 2 or lengths[0] < lengths[1] or 2 * inside < lengths[0]:
        return since, metres, 0
    metre = words.metre_of[lengths[0] - inside]
    shortened = np.concatenate(([metre], metres[1:]))
    cut = int(lengths[0] - words.lengths[metre])
    # Where most bars are short, their metre would be taken for none (`Metre.is_of_one_beat`).
    short = words.lengths[shortened[np.unique(bar)]] < 1.5 * quarter
    if cut <= 0 or words.lengths[metre] >= lengths[1] or 2 * np.count_nonzero(short) > len(short):
        return since, metres, 0
    return np.where(bar == 0, since - cut, since), shortened, cut


def _in_frames(score: Score, notes: Notes, grid: Grid, words: CellWords, counts: dict[str, int]) -> _Placed:
    """Onsets and ends to their nearest step of the clock; the first note begins the first frame."""
    placed, zero = grid.place(score, notes)
    frame = int(words.lengths[0])
    numbers, which = np.unique(placed.onset // frame, return_inverse=True)
    bar, every, counts["clamped_rest"] = _cut(numbers)
    metres = np.zeros(len(every), dtype=np.int64)
    return _Placed(bar[which], placed.onset % frame, placed.duration, metres, zero, placed.onset)


def _moved(placed: _Placed, lines: Column) -> Moved | None:
    """Onsets before and after rests were cut, None where none was."""
    after = lines[placed.bar] + placed.since
    if np.array_equal(placed.before, after):
        return None
    order = np.argsort(placed.before, kind="stable")
    return placed.before[order], after[order]


def _timeline(score: Score, grid: Grid, words: CellWords, zero: float, moved: Moved | None) -> Timeline:
    if not words.metred:
        return grid.timeline(score, zero, moved)
    return Timeline.of(score, zero, moved=moved, steps=grid.steps, bars=False)


def _tempi(timeline: Timeline, lines: Column, lengths: Column, grid: Grid, words: CellWords) -> Column:
    """[B] the number of the tempo nearest to the mean of each bar."""
    if not words.metred:
        return np.zeros_like(lines)
    if len(timeline.tempos) < 2:
        qpm = timeline.tempos[0].qpm if timeline.tempos else 120.0
        return np.repeat(words.tempo_class(np.array([qpm])), len(lines))
    return words.tempo_class(mean_tempi(timeline, lines, lengths, grid.steps))


def mean_tempi(timeline: Timeline, lines: Column, lengths: Column, quarter: int) -> NDArray[np.float64]:
    """[B] quarter notes a minute, on the mean over each bar, `quarter` steps to the quarter note."""
    clock = Clock(timeline.tempos)
    lasting = clock.elapsed((lines + lengths) / quarter) - clock.elapsed(lines / quarter)
    mean: NDArray[np.float64] = MINUTE * (lengths / quarter) / lasting
    return mean


def _kinds(lengths: Column, *, metred: bool) -> Column:
    """[B] where in the piece each bar stands: an upbeat is a first bar that is shorter than the one after it."""
    kinds = np.full(len(lengths), INNER_BAR)
    if metred and len(lengths) > 1 and lengths[0] < lengths[1]:
        kinds[0] = FIRST_BAR
    kinds[-1] = LAST_BAR
    return kinds
