"""Tokenizer `mmm`: a handful of tokens for each note, vectorised over the notes.

It is inspired by the text of MMM (Ens & Pasquier 2020) and is not that: there are no tracks and no bars in it. The
published one is `miditok` with type=MMM.

`t4 p60 v9 d12`: four steps after the last onset, middle C, ninth velocity bin, twelve steps long. On a grid of
milliseconds, `t60ms p60 v9 d500ms`. Decoded and encoded again, words come back exactly:
encode(decode(encode(score))) == encode(score).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diffmidi.api.tokenizer import (
    SPECIALS,
    Encoded,
    Grammar,
    Ids,
    Moved,
    Notes,
    Role,
    Score,
    Timeline,
    deduplicated,
    notes_of,
    score_of,
)
from diffmidi_tokenizers import steps
from diffmidi_tokenizers.declarations import WINDOWS, NoteTokensOptions
from diffmidi_tokenizers.grids import grid_of
from diffmidi_tokenizers.layouts import (
    DURATION,
    HIGHEST,
    LOWEST,
    PITCH,
    PITCHES,
    ROLES,
    SHIFT,
    VELOCITY,
    grammar_of,
    rows,
)
from diffmidi_tokenizers.varied import VariedTokens
from diffmidi_tokenizers.vocabulary import Block, Vocabulary

CHAIN = 16
"""Most `t` words in a chain of the `run` layout: a longer rest (128 quarter notes by default) is clamped."""
MAX_TICK = 2**31 - 1


@dataclass(frozen=True)
class _Placed:
    """Notes in steps, what was changed, the tick of step 0, and how rests were cut (`Timeline.of`)."""

    notes: Notes
    changed: Mapping[str, int]
    zero: float
    moved: Moved | None


class NoteTokens(VariedTokens):
    """Tokens p21..p108, v1..vN, d1..dN and t0..tN (d10ms.., t0ms..) in one of three layouts.

    - `aligned`: `t p v d` for every note, so that the position in a window decides the type of a word. Rests longer
      than `max_shift` are clamped.
    - `run`: notes that start together share one `t`. A longer rest is a chain of `t` words that add up, at most
      `CHAIN` of them.
    - `paper`: `p v d` only, by onset and pitch. Rhythm is lost, but for the durations: chords come back as notes one
      after another, each starting where the one before ends.

    Time is counted in steps of `grid` (`grids`): of a quarter note, or of milliseconds, where long words stand further
    apart (`scale`).

    Encoding, in this order: drums are left out, pitches clamped or dropped, onsets and ends rounded to steps counted
    from the first onset (a lead-in is dropped), durations and rests clamped and put on the scale, notes of one onset
    and pitch merged (longest, loudest), and a note still sounding when its pitch is struck again ended there; see
    `steps`.

    Attributes:
        grid: what a step is.
        durations: the steps that words d say, in their order.
        shifts: the steps that words t say.

    Decoding reads specials as nothing, every `p v d` that stand together as a note and every `t` as time that passes;
    other words are ignored. Overlaps are then parted as in encoding, since a MIDI file cannot hold them.
    """

    options: NoteTokensOptions
    pitch_type, velocity_type = PITCH, VELOCITY

    def __init__(self, options: NoteTokensOptions) -> None:
        super().__init__(options)
        o = options
        self._timed = o.layout != "paper"
        self.group = {"aligned": 4, "paper": 3, "run": 1}[o.layout]
        self.window = WINDOWS[o.layout]
        self.grid = grid_of(o.grid)
        self.durations, self.shifts = self.grid.scale(1, o.max_duration), self.grid.scale(0, o.max_shift)
        self._max_gap = self.shifts.longest * (CHAIN if o.layout == "run" else 1)
        timed = self.shifts.values if self._timed else self.shifts.values[:0]
        self._words = Vocabulary(
            [
                Block(PITCH, [f"p{pitch}" for pitch in PITCHES], PITCHES),
                Block(VELOCITY, [f"v{each}" for each in range(1, o.velocities + 1)], np.arange(1, o.velocities + 1)),
                Block(DURATION, [f"d{length}" for length in self.grid.written(self.durations)], self.durations.values),
                Block(SHIFT, [f"t{length}" for length in self.grid.written(self.shifts)[: len(timed)]], timed),
            ]
        )
        self._type_of, self._number_of = self._words.type_of, self._words.number_of
        # The ids of the words that say a pitch, a velocity, and numbers of steps.
        places = [np.arange(128).clip(LOWEST, HIGHEST) - LOWEST, self._bin_of - 1]
        places += [scale.word(np.arange(scale.longest + 1)) for scale in (self.durations, self.shifts)]
        kinds = (PITCH, VELOCITY, DURATION, SHIFT)
        self._ids_of = [self._words.of(kind, place) for kind, place in zip(kinds, places, strict=True)]
        self._grammar = grammar_of(o.layout, self._type_of.astype(np.int64))

    @property
    def vocab(self) -> tuple[str, ...]:
        """Specials, pitches, velocities, durations, shifts (none in layout `paper`)."""
        return self._words.words

    @property
    def grammar(self) -> Grammar:
        """A cycle t p v d (aligned) or p v d (paper); with `run`, a chain of t or none before each note."""
        return self._grammar

    @property
    def roles(self) -> Mapping[str, Role]:
        """Of all four types."""
        return ROLES

    def encode_counted(self, score: Score) -> tuple[Ids, Mapping[str, int]]:
        """Ids, and how many notes were touched: drums, clamped_pitch or dropped_pitch, zero_length, clamped_duration,
        clamped_shift, merged, overlaps; what did not happen is left out.
        """
        placed = self._placed(score, notes_of(score))
        return self._write(placed.notes)[0], placed.changed

    def encode_piece(self, score: Score, notes: Notes | None = None) -> Encoded:
        """The same, with where notes begin and what the words do not carry (in `paper`: the first tempo and metre)."""
        placed = self._placed(score, notes_of(score) if notes is None else notes)
        ids, starts = self._write(placed.notes)
        return Encoded(ids, placed.changed, starts, len(placed.notes), self._timeline(score, placed))

    def decode(self, ids: Ids, timeline: Timeline | None = None) -> Score:
        """A piano score at 120 quarter notes a minute in 4/4, or by its timeline; velocities the middles of their bins.

        Notes that would end past what MIDI can count (2^31 ticks) are left out.
        """
        ids, at = self._note_positions(ids)
        pitch, velocity, duration = (self._number_of[ids[at + place]] for place in range(3))
        if self._timed:
            shifts = np.where(self._type_of[ids] == SHIFT, self._number_of[ids], 0)
            onset = np.minimum(np.diff(shifts.cumsum()[at], prepend=0), self._max_gap).cumsum()
        else:
            onset = duration.cumsum() - duration
        notes = steps.sort(Notes(onset, duration, pitch, self._velocity_of[velocity]))
        notes, _ = steps.part_overlaps(deduplicated(notes))
        ticks = self.grid.ticks
        notes = Notes(notes.onset * ticks, notes.duration * ticks, notes.pitch, notes.velocity)
        score = score_of(notes[notes.onset + notes.duration <= MAX_TICK], self.grid.ticks_per_quarter)
        return score if timeline is None else self.grid.onto(timeline, score)

    def types(self, ids: Ids) -> NDArray[np.int64]:
        """By the place in its group, but in `run`, where tokens alone tell."""
        ids = np.asarray(ids)
        if self.group == 1:
            return super().types(ids)
        cycle = np.array([SHIFT, PITCH, VELOCITY, DURATION][-self.group :])
        music = (ids >= len(SPECIALS)) | (ids == self.mask_id)
        return np.where(music, cycle[(np.cumsum(music) - 1) % self.group], 0)

    def note_of(self, ids: Ids) -> NDArray[np.int64]:
        """Every `p v d` that stand together, with the `t` before them, but in `run`, where they may share it."""
        ids = np.asarray(ids)
        _, at = self._note_positions(ids, keep_specials=True)
        notes = np.full(len(ids), -1)
        for place in range(3):
            notes[at + place] = np.arange(len(at))
        if self.options.layout == "aligned":
            timed = (at > 0) & (self._type_of[ids[at - 1]] == SHIFT)
            notes[at[timed] - 1] = np.flatnonzero(timed)
        return notes

    def steps_passed(self) -> Ids:
        """The steps of each `t`; in `paper` of each `d`, as notes follow one another."""
        return np.where(self._type_of == (SHIFT if self._timed else DURATION), self._number_of, 0).astype(np.int32)

    def starts(self, ids: Ids) -> NDArray[np.int64]:
        """Where each note begins: at the `t` words that lead to it, or at its `p` where it has none."""
        ids = np.asarray(ids)
        _, at = self._note_positions(ids, keep_specials=True)
        others = np.flatnonzero(self._type_of[ids] != SHIFT)
        begins = np.zeros(len(ids), dtype=bool)
        begins[at] = True
        # Each begins behind the last word before it that is no `t`.
        starts = np.concatenate(([0], others + 1))[np.flatnonzero(begins[others])]
        starts[:1] = 0
        return starts

    def count_notes(self, ids: Ids) -> int:
        """How many times `p v d` stand together, specials passed over."""
        return len(self._note_positions(ids)[1])

    def time_stretch(self, factor: float) -> Ids | None:
        """On a grid of milliseconds, words of time by the nearest length there is; none of them becomes no time."""
        if self.grid.unit != "ms":
            return None
        times = {kind: self._stretched(kind, factor) for kind in (DURATION, SHIFT) if self._timed or kind != SHIFT}
        if self.options.layout == "run" and factor != 1:
            # It may be a link of a chain, which would have to be joined anew.
            times[SHIFT][-1] = -1
        return self._words.saying(times)

    def _stretched(self, kind: int, factor: float) -> NDArray[np.int64]:
        said = self._words.said(kind)
        stretched = np.rint(said * factor).astype(np.int64)
        return steps.nearest(said, np.maximum(stretched, said > 0))

    def _playable(self, notes: Notes, counts: dict[str, int]) -> Notes:
        o = self.options
        pitch = np.minimum(np.maximum(notes.pitch, LOWEST), HIGHEST)
        inside = pitch == notes.pitch
        outside = len(notes) - int(np.count_nonzero(inside))
        counts["clamped_pitch" if o.out_of_range == "clamp" else "dropped_pitch"] = outside
        if outside:
            clamped = Notes(notes.onset, notes.duration, pitch, notes.velocity)
            notes = clamped if o.out_of_range == "clamp" else notes[inside]
        empty = notes.duration <= 0
        counts["zero_length"] = int(np.count_nonzero(empty))
        return notes[~empty] if o.zero_length == "drop" and counts["zero_length"] else notes

    def _placed(self, score: Score, notes: Notes) -> _Placed:
        steps.check_rhythm(score)
        counts = {"drums": sum(len(track.notes) for track in score.tracks if track.is_drum)}
        notes, zero, moved = self._in_steps(self._playable(notes, counts), score, counts)
        return _Placed(notes, {what: count for what, count in counts.items() if count}, zero, moved)

    def _timeline(self, score: Score, placed: _Placed) -> Timeline:
        if not len(placed.notes):
            return Timeline()
        if self._timed:
            return self.grid.timeline(score, placed.zero, placed.moved)
        whole = Timeline.of(score, placed.zero)
        return replace(whole, tempos=whole.tempos[:1], metres=whole.metres[:1], upbeat=0.0)

    def _in_steps(self, notes: Notes, score: Score, counts: dict[str, int]) -> tuple[Notes, float, Moved | None]:
        """Durations and rests are clamped first: parting overlaps then changes no onset and lengthens no note past
        the longest, which is why encoding what was decoded changes nothing.
        """
        if len(notes) == 0:
            return notes, 0.0, None
        notes, zero = self.grid.place(score, notes)
        notes, moved = steps.sort(notes), None
        counts["clamped_duration"] = int(np.count_nonzero(notes.duration > self.durations.longest))
        if counts["clamped_duration"]:
            duration = np.minimum(notes.duration, self.durations.longest)
            notes = Notes(notes.onset, duration, notes.pitch, notes.velocity)
        if self._timed:
            before = notes.onset
            notes, counts["clamped_shift"] = steps.clamp_gaps(notes, self._max_gap)
            moved = (before, notes.onset) if counts["clamped_shift"] else None
        merged = deduplicated(notes)
        counts["merged"] = len(notes) - len(merged)
        notes, counts["overlaps"] = steps.part_overlaps(merged)
        return notes if self.durations.even else self._on_scale(notes), zero, moved

    def _on_scale(self, notes: Notes) -> Notes:
        """Onsets and durations that words can say; a note that would reach the next of its pitch by it is shorter."""
        onset = self.shifts.keep_time(steps.gaps(notes.onset)).cumsum() if self._timed else notes.onset
        room = steps.until_struck_again(onset, notes.pitch)
        duration = self.durations.at_most(np.minimum(self.durations.nearest(notes.duration), room))
        return Notes(onset, duration, notes.pitch, notes.velocity)

    def _write(self, notes: Notes) -> tuple[Ids, NDArray[np.int64]]:
        """Ids, and where in them each note begins."""
        pitch, velocity, duration, shift = self._ids_of
        note = pitch[notes.pitch], velocity.take(notes.velocity, mode="clip"), duration[notes.duration]
        if self.options.layout == "paper":
            return rows(*note)
        gap = steps.gaps(notes.onset)
        if self.options.layout == "aligned":
            return rows(shift[gap], *note)
        longest = self.shifts.longest
        chain = -(-gap // longest)
        chain[:1] = 1
        size = chain + len(note)
        end = size.cumsum()
        place = end - len(note)
        ids = np.full(end[-1] if len(end) else 0, shift[longest], dtype=np.int32)
        for offset, words in enumerate(note):
            ids[place + offset] = words
        timed = chain > 0
        ids[place[timed] - 1] = shift[(gap - (chain - 1) * longest)[timed]]
        return ids, end - size

    def _note_positions(self, ids: Ids, *, keep_specials: bool = False) -> tuple[Ids, NDArray[np.int64]]:
        """The ids (without specials, unless they are kept) and where in them a `p v d` begins."""
        ids = np.asarray(ids)
        if not keep_specials and ids.min(initial=len(SPECIALS)) < len(SPECIALS):
            ids = ids[ids >= len(SPECIALS)]
        kind = self._type_of[ids]
        whole = (kind[:-2] == PITCH) & (kind[1:-1] == VELOCITY) & (kind[2:] == DURATION)
        return ids, np.flatnonzero(whole)
