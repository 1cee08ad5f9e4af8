"""Tokenizer: music to tokens and back. Tokens are readable text, one id each; any ids decode to music."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.bar_shapes import BarPlaces, BarShape, CellNotes
from diffmidi_core.contracts.grammar import Grammar
from diffmidi_core.declaration import Options
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.notes import Notes, Score, notes_of
from diffmidi_core.music.timeline import Timeline

Ids = NDArray[np.int32]

PAD, CLS, SEP, MASK = "[PAD]", "[CLS]", "[SEP]", "[MASK]"
SPECIALS = (PAD, CLS, SEP, MASK)

Role = Literal["pitch", "velocity", "duration", "time", "metre", "tempo", "count", "track", "bar"]
"""What tokens of a type tell of music.

"time": how it passes (a shift, a rest, a bar line, a position in the bar). "bar": they open a bar, and tell its metre
too where they have one. "count": how many notes follow in their cell (see `Tokenizer.plan`).
"""


@dataclass(frozen=True)
class Encoded:
    """A piece as tokens, and what there is to know about them.

    Attributes:
        ids, changed: what `Tokenizer.encode_counted` gives.
        starts: what `Tokenizer.starts` says of the ids.
        notes: what `Tokenizer.count_notes` says of them.
        timeline: what the ids do not carry, which `Tokenizer.decode` takes.
    """

    ids: Ids
    changed: Mapping[str, int]
    starts: NDArray[np.integer]
    notes: int
    timeline: Timeline = field(default_factory=Timeline)


class Tokenizer(ABC):
    """Tokens for notes.

    Built as `Class(options)`. Holds no state: the same score gives the same ids, in any process. The first four tokens
    of every vocabulary are `[PAD] [CLS] [SEP] [MASK]`, ids 0 to 3; `encode` writes none of them.

    Attributes:
        group: tokens that make one position of a backbone; pieces and windows are whole groups.
        window: tokens in a training window at most, where nobody says otherwise; a multiple of `group`.
        plan: types of head tokens, which say what notes follow and are drawn before these: a piece is then a row of
            cells, each a head and as many notes as its `count` says. Empty: no plan, a piece is one canvas.
    """

    pad_id, cls_id, sep_id, mask_id = range(4)
    group: int = 1
    window: int = 128
    plan: frozenset[str] = frozenset()

    def __init__(self, options: Options) -> None:
        self.options = options

    @property
    @abstractmethod
    def vocab(self) -> tuple[str, ...]:
        """Every token, in the order of the ids; SPECIALS first."""

    @property
    @abstractmethod
    def grammar(self) -> Grammar:
        """Which type of token may follow which."""

    @property
    def roles(self) -> Mapping[str, Role]:
        """Types of `grammar.types` to what their tokens tell; for requests such as "draw the velocities anew".

        A type is left out whose tokens tell several things at once, or something else. By default all are.
        """
        return {}

    @abstractmethod
    def encode_counted(self, score: Score) -> tuple[Ids, Mapping[str, int]]:
        """The score as ids [N], and what was changed on the way (notes merged, clamped, dropped: token to count)."""

    @abstractmethod
    def decode(self, ids: Ids, timeline: Timeline | None = None) -> Score:
        """The ids as a score. Total: any ids in range give a Score (perhaps without notes), never an exception.

        A `timeline` gives the piece its tempi, its metres where the ids name none, and its place in the bar
        (`Timeline.onto` does so); without one the tokenizer decides.
        """

    @abstractmethod
    def starts(self, ids: Ids) -> NDArray[np.int64]:
        """Positions in `ids` (one piece) where a window may start or end: the note boundaries, 0 first, rising.

        The end of the piece, len(ids), is always a boundary and is not listed.
        """

    @abstractmethod
    def count_notes(self, ids: Ids) -> int:
        """How many notes these ids say."""

    def encode_piece(self, score: Score, notes: Notes | None = None) -> Encoded:
        """The score as tokens, with their note boundaries, how many notes they say, and what they do not carry.

        By default the methods above are asked, and time is taken to be counted from the first note. A tokenizer that
        knows the answers as it writes, or counts otherwise, gives them here, so that preparing a large set does not
        read its tokens again.

        Args:
            score: as in `encode_counted`.
            notes: its notes, as `notes_of` gives them; None: they are found here.
        """
        ids, changed = self.encode_counted(score)
        onset = (notes_of(score) if notes is None else notes).onset
        timeline = Timeline.of(score, int(onset[0])) if len(onset) else Timeline()
        return Encoded(ids, changed, self.starts(ids), self.count_notes(ids), timeline)

    def transposition(self, semitones: int) -> Ids | None:
        """A table [V], int32: for each token the one that says the same, `semitones` higher; -1 where there is none.

        Tokens that say no pitch, specials among them, stay themselves. None, as by default, says that tokens cannot be
        transposed one by one; and so it is with the two below.
        """
        return None

    def velocity_scaling(self, factor: float) -> Ids | None:
        """A table [V] as in `transposition`: each token with its velocity times `factor`, the loudest at most."""
        return None

    def time_stretch(self, factor: float) -> Ids | None:
        """A table [V] as in `transposition`: each token with its time `factor` times as long, the longest at most.

        Only for tokens that count in seconds: in beats, music has the same tokens at any tempo.
        """
        return None

    def types(self, ids: Ids) -> NDArray[np.int64]:
        """[N] the type of token at each place of a text, numbers into `grammar.types`; 0 at [PAD], [CLS] and [SEP].

        Where groups tell, so it is also where `ids` has [MASK]: a place in its group, and whether the group is a head.
        By default tokens alone tell, and [MASK] has type 0.
        """
        return np.asarray(self.grammar.type_of[np.asarray(ids)], dtype=np.int64)

    def note_of(self, ids: Ids) -> NDArray[np.int64] | None:
        """[N] which note each token belongs to, -1 where none or several; None, as by default: not known.

        Notes are numbered as the tokens tell them, 0 to count_notes(ids) - 1.
        """
        return None

    def steps_passed(self) -> Ids | None:
        """[V] steps of time that a token of role "time" or "duration" passes, 0 elsewhere. None, as by default: times
        do not add up.

        With `bar_steps` they add up within bars: the sum over a cell's notes stays below that of its bar. Without, they
        add up over the whole text: a note begins when as many steps are gone as all tokens before it pass together.
        """
        return None

    def steps_in_bar(self) -> Ids | None:
        """[V] of tokens of role "time" that name a place in their bar, which place: 1 at its bar line; 0 elsewhere.

        None, as by default: no tokens do. Where some do, places rise within a bar, and `bars_of` says which bars there
        are.
        """
        return None

    def bars_of(self, score: Score, begin: int, end: int) -> Sequence[BarPlaces]:
        """The bars in which `encode` lays out the notes of a score, and those before and behind them as these go on:
        all that something of lies between two of its ticks.

        Raises DiffmidiError where no tokens name places in bars (see `steps_in_bar`).
        """
        raise DiffmidiError(f"{type(self).__name__} has no tokens of places in bars: see `steps_in_bar`.")

    def moves_time(self) -> NDArray[np.bool_]:
        """[V] whether tokens of its type move time: those of role "time", those that open a bar, and all that pass
        steps.
        """
        passed, placed = self.steps_passed(), self.steps_in_bar()
        roles = {"time"} if placed is None else {"time", "metre"}
        types = np.array([self.roles.get(name) in roles for name in self.grammar.types])
        types[self.grammar.type_of[np.flatnonzero(passed if passed is not None else [])]] = True
        moves: NDArray[np.bool_] = types[self.grammar.type_of]
        return moves

    def bar_steps(self) -> Ids | None:
        """[V] how long the bar is that a token of role "bar" opens, in the steps of `steps_passed`; 0 elsewhere.

        None, as by default: times do not add up within bars.
        """
        return None

    def bar_kinds(self) -> Ids | None:
        """[V] where in a piece the bar may stand that a token of role "bar" opens: INNER_BAR, FIRST_BAR or LAST_BAR.

        0 elsewhere; None, as by default, where there is no plan.
        """
        return None

    def blank(self, bars: int, tracks: Sequence[str], *, last: bool = False) -> Ids:
        """The heads of so many bars, to be drawn: [MASK] but for what is known, and no notes yet.

        Known are tokens whose type has no other, and the track of each cell. `tracks` are track tokens of the
        vocabulary, one for each cell of a bar. With `last` the final bar is the piece's last.

        Raises DiffmidiError where the tokenizer has no plan, or no such track.
        """
        raise DiffmidiError(f"{type(self).__name__} has no plan of bars, so no bars can be laid out: see `plan`.")

    def unfold(self, ids: Ids) -> Ids:
        """A text whose heads are all known, with as many [MASK] notes at the end of every cell as its count says more
        than there are.

        Raises DiffmidiError where the tokenizer has no plan, or a count is [MASK].
        """
        raise DiffmidiError(f"{type(self).__name__} has no plan of bars, so no notes can be laid out: see `plan`.")

    def track_tokens(self, tracks: Sequence[tuple[str, int]]) -> list[str]:
        """The track token of each track of a piece, from their names and General MIDI programs (see `plan`).

        Raises DiffmidiError where the tokenizer has no plan.
        """
        raise DiffmidiError(f"{type(self).__name__} has no plan of bars, so it has no tracks in them: see `plan`.")

    def cell(self, bar: BarShape, track: str, notes: CellNotes | None, *, first: bool) -> tuple[Ids, NDArray[np.int64]]:
        """The head of a cell and its notes, in a bar that is known, and [M] which notes are in it, in their order.

        Without notes its count is [MASK].

        Args:
            bar: the bar; notes at its end are moved into it by a step.
            track: a track token.
            notes: in any order; those that the tokens cannot tell are left out.
            first: whether it is the first cell of its bar.

        `decode` of a first cell gives its notes with the bar line at 0. Raises DiffmidiError where the tokenizer has no
        plan, or no token for such a bar.
        """
        raise DiffmidiError(f"{type(self).__name__} has no plan of bars, so no bar can be written: see `plan`.")

    def parted(self, ids: Ids, kept: NDArray[np.bool_]) -> tuple[Ids, NDArray[np.bool_]]:
        """A text of whole bars in which each cell with notes that are kept is two of one track, and what they are.

        First comes a cell with the notes that are kept, then one with all others, if any. Cells of which nothing is
        kept stay as they are.

        Args:
            ids: [N] the text.
            kept: [notes] which notes are kept, numbered as in `note_of`.

        Returns the text [M], and [M] bool the tokens of cells with what is kept. Raises DiffmidiError where the
        tokenizer has no plan.
        """
        raise DiffmidiError(f"{type(self).__name__} has no plan of bars, so no cell can be in two: see `plan`.")

    def save(self, folder: Path) -> None:  # noqa: B027  (most have nothing to save)
        """Make `folder` and write there what rebuilding it needs beyond its options. By default nothing, and none."""

    @classmethod
    def restored(cls, options: Options, folder: Path) -> Self:
        """The tokenizer that wrote `folder`, whatever became of other files since. By default from its options alone.

        Raises DiffmidiError where the folder does not hold what `save` writes.
        """
        return cls(options)

    def encode(self, score: Score) -> Ids:
        """The score as ids [N], int32, without specials."""
        return self.encode_counted(score)[0]

    def faults(self, ids: Ids) -> int:
        """How many tokens the grammar does not allow where they stand; specials are passed over."""
        ids = np.asarray(ids)
        return self.grammar.faults(ids[ids >= len(SPECIALS)])

    @cached_property
    def fingerprint(self) -> str:
        """Names vocabulary and options: equal in every process, different if any token or option differs."""
        said = json.dumps([list(self.vocab), self.options.model_dump(mode="json")], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    @cached_property
    def _id_of(self) -> dict[str, int]:
        return {token: index for index, token in enumerate(self.vocab)}

    def to_tokens(self, ids: Iterable[int]) -> list[str]:
        """Ids as tokens."""
        return [self.vocab[int(index)] for index in ids]

    def to_ids(self, tokens: Sequence[str]) -> Ids:
        """Tokens as ids. Raises DiffmidiError naming the first unknown token and its position."""
        for position, token in enumerate(tokens):
            if token not in self._id_of:
                raise DiffmidiError(f"token {position + 1}, '{token}', is not in this tokenizer's vocabulary.")
        return np.array([self._id_of[token] for token in tokens], dtype=np.int32)
