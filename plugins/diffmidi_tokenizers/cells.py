"""Layout `cells` of `mmm`: a piece as cells, one a track and bar, each a head and as many notes as the head says.

    bar4/4 q120 right c2   t0 p60 v8 d12   t12 p64 v8 d12
    and    q=   left  c1   t0 p48 v8 d48

Every head and every note is a group of four tokens. In every bar the same tracks stand in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from diffmidi.api import DiffmidiError
from diffmidi.api.tokenizer import (
    BarShape,
    CellNotes,
    Encoded,
    Grammar,
    Ids,
    Notes,
    Role,
    Score,
    Timeline,
)
from diffmidi_tokenizers import steps
from diffmidi_tokenizers.cells_cell import cell_of
from diffmidi_tokenizers.cells_layout import Cells, lay_out
from diffmidi_tokenizers.cells_parting import parted
from diffmidi_tokenizers.cells_reading import GROUP, mistakes, parse, types_of
from diffmidi_tokenizers.cells_score import score_from
from diffmidi_tokenizers.cells_tracks import tokens_of
from diffmidi_tokenizers.cells_words import (
    BAR,
    COUNT,
    DURATION,
    HELD,
    JOINT,
    PITCH,
    PLAN,
    ROLES,
    TEMPO,
    TIME,
    TRACK,
    VELOCITY,
    CellWords,
)
from diffmidi_tokenizers.declarations import WINDOWS, NoteTokensOptions
from diffmidi_tokenizers.grids import grid_of
from diffmidi_tokenizers.layouts import LOWEST
from diffmidi_tokenizers.varied import VariedTokens


class CellTokens(VariedTokens):
    """Cells of a track and bar each.

    - Head, the first cell of a bar: where in the piece the bar stands and its metre (`bar4/4`; `up1/4` an upbeat,
      `end3/4` the last), its tempo (`q120`), the track (`right`), and how many notes follow (`c2`). In the others of
      the bar `and` and `q=` stand in place of metre and tempo.
    - Note: `t` steps since the onset before it in its cell, or since the bar line; `p v d` as in the other layouts. By
      onset, then pitch. A note belongs to the bar in which it begins, and may last beyond it.

    On a grid of milliseconds bars are frames of some seconds, `frame` and, the last, `endframe`, of no tempo.

    Encoding is `cells_layout.lay_out`. Decoding reads heads and notes, whole ones, and passes over all else; a note
    past the end of its bar begins in the bar's last step; counts decide nothing. Tempi are those of the tokens, or of
    the timeline in a bar whose token says the same; tracks have the names and programs of the timeline where it has
    tracks of that kind.
    """

    options: NoteTokensOptions
    group, window = GROUP, WINDOWS["cells"]
    pitch_type, velocity_type = PITCH, VELOCITY
    _words: CellWords

    def __init__(self, options: NoteTokensOptions) -> None:
        super().__init__(options)
        o = options
        self.grid = grid_of(o.grid)
        self.durations = self.grid.scale(1, o.max_duration)
        frame = max(o.frame * 1000 // self.grid.step, 1)
        self._words = CellWords(
            self.grid,
            self.durations,
            frame=frame,
            velocities=o.velocities,
            same=o.same_tracks,
            most=o.max_count,
        )
        self.plan = PLAN & {*self._words.types}
        self._grammar = self._words.grammar()
        longest = np.arange(self.durations.longest + 1)
        self._velocity_ids = self._words.of(VELOCITY, self._bin_of - 1)
        self._duration_ids = self._words.of(DURATION, self.durations.word(longest))

    @property
    def vocab(self) -> tuple[str, ...]:
        """Specials, bars, `and`, `q=`, tracks, counts, times, pitches, velocities, durations, tempi."""
        return self._words.words

    @property
    def grammar(self) -> Grammar:
        """Heads and notes in turn; the first group is a bar's first head."""
        return self._grammar

    @property
    def roles(self) -> Mapping[str, Role]:
        """Of all but `and` and `q=`."""
        return {kind: role for kind, role in ROLES.items() if kind in self._words.types}

    def encode_counted(self, score: Score) -> tuple[Ids, Mapping[str, int]]:
        """Ids, and what was changed on the way: see `lay_out`; what did not happen is left out."""
        cells = self._cells(score)
        return self._write(cells)[0], cells.changed

    def encode_piece(self, score: Score, notes: Notes | None = None) -> Encoded:
        """The same, with where bars begin and exact tempi. `notes` is not used: tracks are kept apart."""
        cells = self._cells(score)
        ids, starts = self._write(cells)
        return Encoded(ids, cells.changed, starts, len(cells.notes), cells.timeline)

    def decode(self, ids: Ids, timeline: Timeline | None = None) -> Score:
        """A score with a track for each track token; velocities are the middles of their bins."""
        score = score_from(ids, self._words, self.grid, self._velocity_of, timeline)
        return score if timeline is None or self._words.metred else self.grid.onto(timeline, score)

    def starts(self, ids: Ids) -> NDArray[np.int64]:
        """Where bars begin."""
        ids = np.asarray(ids)
        begins = self._words.type_of[ids] == BAR
        begins[:1] = True
        return np.flatnonzero(begins)

    def count_notes(self, ids: Ids) -> int:
        """How many whole notes there are, whatever the counts say."""
        return len(parse(ids, self._words).notes)

    def note_of(self, ids: Ids) -> NDArray[np.int64]:
        """Four tokens a note; heads belong to none."""
        notes = np.full(len(ids), -1)
        begins = parse(ids, self._words).notes
        for place in range(GROUP):
            notes[begins + place] = np.arange(len(begins))
        return notes

    def faults(self, ids: Ids) -> int:
        """What the grammar does not allow, and what it cannot see: `cells_reading.mistakes`."""
        return super().faults(ids) + mistakes(parse(ids, self._words), self._words)

    def types(self, ids: Ids) -> NDArray[np.int64]:
        """By the place in its group, which is a head where its third token is a track's."""
        return types_of(ids, self._words)

    def steps_passed(self) -> Ids:
        """What `t` tokens say."""
        return np.where(self._words.type_of == TIME, self._words.number_of, 0).astype(np.int32)

    def bar_steps(self) -> Ids:
        """Of the metre of each bar token, or of a frame."""
        return self._words.bar_steps

    def bar_kinds(self) -> Ids:
        """`up` only first, `end` only last."""
        return self._words.bar_kinds

    def blank(self, bars: int, tracks: Sequence[str], *, last: bool = False) -> Ids:
        """Heads with their track; with `last` on a grid of milliseconds the last opens with `endframe`."""
        strange = [track for track in tracks if track not in self._words.tracks]
        if strange or not tracks:
            raise DiffmidiError(
                f"there is no track '{strange[0]}'" if strange else "a bar has at least one track"
            ) from None
        table = np.full((bars, len(tracks), GROUP), self.mask_id, dtype=np.int32)
        table[:, :, 2] = self.to_ids(tracks)
        table[:, 1:, 0] = self._words.first[JOINT]
        table[:, 1:, 1] = self._words.first[HELD]
        if not self._words.metred:
            table[:, 0, 0], table[:, 0, 1] = self._words.first[BAR], self._words.first[HELD]
            if last:
                table[-1, 0, 0] += 1
        return table.ravel()

    def unfold(self, ids: Ids) -> Ids:
        """Masked notes behind those of each cell that has fewer than its head says."""
        ids = np.asarray(ids, dtype=np.int32)
        kinds = types_of(ids, self._words)
        groups, heads = ids.reshape(-1, GROUP), kinds.reshape(-1, GROUP)[:, 2] == TRACK
        count = groups[heads, 3]
        if (self._words.type_of[count] != COUNT).any():
            raise DiffmidiError("a cell's count is not known yet, so its notes cannot be laid out: draw heads first.")
        cell = heads.cumsum() - 1
        there = np.bincount(cell, minlength=len(count)) - 1
        missing = np.maximum(self._words.number_of[count] - there, 0)
        # The last group of each cell stands once, and its masks behind it.
        size = np.ones(len(groups), dtype=np.int64)
        size[(there + 1).cumsum() - 1] += missing
        whole = np.full((int(size.sum()), GROUP), self.mask_id, dtype=np.int32)
        whole[size.cumsum() - size] = groups
        return whole.ravel()

    def track_tokens(self, tracks: Sequence[tuple[str, int]]) -> list[str]:
        """As in whole pieces."""
        return tokens_of(tracks, self.options.same_tracks)

    def cell(self, bar: BarShape, track: str, notes: CellNotes | None, *, first: bool) -> tuple[Ids, NDArray[np.int64]]:
        """One cell of a bar that is known; see `cells_cell.cell_of`."""
        return cell_of(bar, track, notes, first=first, words=self._words, grid=self.grid, written=self._written)

    def parted(self, ids: Ids, kept: NDArray[np.bool_]) -> tuple[Ids, NDArray[np.bool_]]:
        """Times count anew from the bar line in each of the two."""
        return parted(ids, kept, self._words)

    def _written(self, notes: Notes) -> tuple[Ids, Ids, Ids]:
        """[N] tokens of pitch, velocity and duration; pitches that there are none for are not among the notes."""
        return (
            self._words.first[PITCH] + (notes.pitch - LOWEST).astype(np.int32),
            self._velocity_ids.take(notes.velocity, mode="clip"),
            self._duration_ids[notes.duration.clip(1, self.durations.longest)],
        )

    def _cells(self, score: Score) -> Cells:
        steps.check_rhythm(score)
        return lay_out(score, self.grid, self._words, self.durations, self.options)

    def _write(self, cells: Cells) -> tuple[Ids, NDArray[np.int64]]:
        """Ids, and where in them each bar begins."""
        words, notes = self._words, cells.notes
        bars, tracks = len(cells.metre), len(cells.tracks)
        count = np.bincount(cells.cell, minlength=bars * tracks)
        head = np.arange(bars * tracks) + count.cumsum() - count
        table = np.empty((bars * tracks + len(notes), GROUP), dtype=np.int32)
        heads = np.empty((bars, tracks, GROUP), dtype=np.int32)
        heads[:, :, 0], heads[:, :, 1] = words.first[JOINT], words.first[HELD]
        if bars:
            heads[:, 0, 0] = words.opening(cells.metre, cells.kind)
            if words.metred:
                heads[:, 0, 1] = words.of(TEMPO, cells.tempo)
        heads[:, :, 2] = words.of(TRACK, cells.tracks)
        heads[:, :, 3] = words.of(COUNT, count).reshape(bars, tracks)
        table[head] = heads.reshape(-1, GROUP)
        place = np.arange(len(notes)) + cells.cell + 1
        first = np.empty(len(notes), dtype=bool)
        first[:1] = True
        np.not_equal(cells.cell[1:], cells.cell[:-1], out=first[1:])
        passed = np.where(first, cells.since, steps.gaps(cells.since))
        table[place, 0] = words.first[TIME] + passed
        table[place, 1] = words.first[PITCH] + notes.pitch - LOWEST
        table[place, 2] = self._velocity_ids.take(notes.velocity, mode="clip")
        table[place, 3] = self._duration_ids[notes.duration]
        return table.ravel(), GROUP * head[::tracks] if tracks else np.zeros(0, dtype=np.int64)
