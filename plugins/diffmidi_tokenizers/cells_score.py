"""Tokens of layout `cells` as a score: tracks, metres, tempi."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from symusic.core import NoteTickList, TempoTick, TimeSignatureTick, TrackTick

from diffmidi.api.tokenizer import Ids, Notes, Score, Tempo, Timeline, deduplicated, score_of
from diffmidi_tokenizers import steps
from diffmidi_tokenizers.cells_layout import mean_tempi
from diffmidi_tokenizers.cells_reading import GROUP, NONE, Parsed, lengths_of, parse
from diffmidi_tokenizers.cells_tracks import name_of, tokens_of
from diffmidi_tokenizers.cells_words import BAR, TRACK, CellWords
from diffmidi_tokenizers.grids import Grid

MAX_TICK = 2**31 - 1
NEAR = 1.04
"""A timeline's tempo is that of a token where neither is more than so many times the other."""
Column = NDArray[np.int64]


def score_from(ids: Ids, words: CellWords, grid: Grid, velocity_of: Column, timeline: Timeline | None) -> Score:
    """Any ids as a score in ticks of the grid; notes past what MIDI can count (2^31 ticks) are left out."""
    ids = np.asarray(ids)
    parsed = parse(ids, words)
    lengths = lengths_of(parsed, words)
    lines = lengths.cumsum() - lengths
    tokens = np.unique(np.where(parsed.track == NONE, words.first[TRACK] + words.tracks.index("piano"), parsed.track))
    score = score_of(Notes(*[np.zeros(0, dtype=np.int64)] * 4), grid.ticks_per_quarter)
    if not len(tokens):
        return score
    notes, track = _notes(ids, parsed, lengths, lines, words, velocity_of)
    names = _names([words.words[token] for token in tokens.tolist()], timeline)
    score.tracks.clear()
    for token, (name, program) in zip(tokens.tolist(), names, strict=True):
        score.tracks.append(_track(notes[track == token], name, program, grid.ticks))
    if words.metred:
        _write_metres(score, parsed, lines * grid.ticks, words)
        _write_tempi(score, parsed, lines, lengths, words, grid, timeline)
    return score


def _notes(
    ids: Ids, parsed: Parsed, lengths: Column, lines: Column, words: CellWords, velocity_of: Column
) -> tuple[Notes, Column]:
    """Notes in steps since the first bar line, and the track token of each."""
    bar = parsed.bar[parsed.cell]
    _, pitch, velocity, duration = (words.number_of[ids[place]] for place in _places(ids, parsed))
    onset = lines[bar] + np.minimum(parsed.since, lengths[bar] - 1)
    piano = words.first[TRACK] + words.tracks.index("piano")
    track = np.where(parsed.track == NONE, piano, parsed.track)[parsed.cell]
    return Notes(onset, duration, pitch, velocity_of[velocity]), track


def _places(ids: Ids, parsed: Parsed) -> list[Column]:
    """[4] of [N] where each note's tokens stand, specials between them passed over."""
    music = np.flatnonzero(ids >= 4)
    first = np.searchsorted(music, parsed.notes)
    return [music[first + place] for place in range(GROUP)]


def _track(notes: Notes, name: str, program: int, ticks: int) -> TrackTick:
    notes, _ = steps.part_overlaps(deduplicated(steps.sort(notes)))
    onset, duration = notes.onset * ticks, notes.duration * ticks
    fits = onset + duration <= MAX_TICK
    track = TrackTick(name, program, False)
    track.notes = NoteTickList.from_numpy(
        onset[fits].astype(np.int32),
        duration[fits].astype(np.int32),
        notes.pitch[fits].astype(np.int8),
        notes.velocity[fits].astype(np.int8),
    )
    return track


def _names(tokens: Sequence[str], timeline: Timeline | None) -> list[tuple[str, int]]:
    """The name and program of each track: those of the timeline's track of that token, where it has one."""
    told = [] if timeline is None else [(track.name, track.program) for track in timeline.tracks]
    named = dict(zip(reversed(tokens_of(told, len(told) or 1)), reversed(told), strict=True))
    pianos = sum(token.startswith("piano") for token in tokens)
    return [named.get(token, name_of(token, alone=pianos == 1)) for token in tokens]


def _write_metres(score: Score, parsed: Parsed, at: Column, words: CellWords) -> None:
    """A time signature wherever a bar has another metre than the one before; bars without a token are in 4/4."""
    place = (parsed.opened_by - words.first[BAR]) % len(words.signatures)
    place = np.where(parsed.opened_by == NONE, words.usual, place)
    new = np.flatnonzero(np.append(True, place[1:] != place[:-1]))
    score.time_signatures.clear()
    for bar in new[at[new] <= MAX_TICK].tolist():
        score.time_signatures.append(TimeSignatureTick(int(at[bar]), *words.signatures[place[bar]]))


def _write_tempi(
    score: Score,
    parsed: Parsed,
    lines: Column,
    lengths: Column,
    words: CellWords,
    grid: Grid,
    timeline: Timeline | None,
) -> None:
    """A tempo wherever it changes: that of the bars' tokens, or every one of the timeline's in bars that agree."""
    tempi: list[Tempo] = []
    qpm = np.where(parsed.tempo == NONE, 0, words.number_of[parsed.tempo])
    agree = np.zeros(len(qpm), dtype=bool)
    if timeline is not None and timeline.tempos:
        mean = mean_tempi(timeline, lines, np.maximum(lengths, 1), grid.steps)
        agree = (qpm == 0) | ((mean <= NEAR * qpm) & (qpm <= NEAR * mean))
    told = [] if timeline is None else [*timeline.tempos]
    at = lines / grid.steps
    for bar in range(len(qpm)):
        begin, end = float(at[bar]), float(at[bar] + lengths[bar] / grid.steps)
        if agree[bar]:
            while len(told) > 1 and told[1].at <= begin:
                told.pop(0)
            tempi.append(Tempo(begin, told[0].qpm))
            tempi += [tempo for tempo in told[1:] if tempo.at < end or bar == len(qpm) - 1]
        elif qpm[bar]:
            tempi.append(Tempo(begin, float(qpm[bar])))
    quarter = score.ticks_per_quarter
    score.tempos.clear()
    last = None
    for tempo in tempi or [Tempo(0.0, 120.0)]:
        tick = round(tempo.at * quarter)
        if tempo.mspq != last and tick <= MAX_TICK:
            score.tempos.append(TempoTick(tick, mspq=tempo.mspq))
            last = tempo.mspq
