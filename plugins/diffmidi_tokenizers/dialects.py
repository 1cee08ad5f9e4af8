"""What is peculiar to each of MidiTok's tokenizers: where its notes may be, and what it writes of one piano.

Most are as `Dialect` says; each of the others is one class here, and `dialect_of` finds it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import cast

import miditok
import numpy as np
from numpy.typing import NDArray
from symusic.core import TimeSignatureTick

from diffmidi.api.tokenizer import Notes, Score, score_of
from diffmidi_tokenizers.bars import Lattice, Signature
from diffmidi_tokenizers.types_graph import NOTES, TIMES, type_of

LONGEST_PATTERN = 64
"""Beats: BEAT can sustain a note for ever; a longer one is cut to this."""

Changes = Sequence[tuple[int, Signature]]


class Dialect:
    """A tokenizer whose words are its tokens, as they are."""

    times: frozenset[str] = TIMES
    """Types of the tokens that lead from one onset to the next."""
    pitches: frozenset[str] = frozenset({"Pitch", "NoteOn", "NoteOff"})
    """Types of the tokens that say a pitch by its number, whatever stands round them."""

    def __init__(self, tokenizer: miditok.MusicTokenizer) -> None:
        self.tokenizer = tokenizer
        self.timed = "Bar_None" in tokenizer.vocab
        self.metred = self.timed and any(type_of(token) == "TimeSig" for token in tokenizer.vocab)

    def says(self, token: str) -> bool:
        """Whether the token says something of one piano; those that do not are no words."""
        return type_of(token) not in ("Program", "Track", "PitchDrum")

    def graph(self) -> Mapping[str, Collection[str]]:
        """Which type of token may follow which."""
        graph: Mapping[str, Collection[str]] = self.tokenizer.tokens_types_graph
        return graph

    def lattice(self) -> Lattice:
        """Where notes may begin and how long they may be, in ticks of what MidiTok reads and writes."""
        quarter = int(self.tokenizer.time_division)
        signatures = self._signatures()
        lengths = {each: self._lengths(quarter * 4 // each) for _, each in signatures}
        return Lattice(quarter, int(self.tokenizer.config.max_num_pos_per_beat), lengths, signatures)

    def write(self, notes: Notes, changes: Changes) -> miditok.TokSequence:
        """Notes on the lattice, and where which metre begins, as tokens; none joined by BPE."""
        score = score_of(notes, self.lattice_ticks)
        score.time_signatures.clear()
        for tick, signature in changes:
            score.time_signatures.append(TimeSignatureTick(tick, *signature))
        # Everything is where MidiTok's own preprocessing would put it.
        written = self.tokenizer.encode(score, encode_ids=False, no_preprocess_score=True)
        return written[0] if isinstance(written, list) else written

    def read(self, tokens: Sequence[str]) -> Score:
        """What MidiTok reads in tokens that the graph allows; one at least."""
        sequence = miditok.TokSequence(tokens=self._with_metre(tokens))
        return cast(Score, self.tokenizer.decode(sequence if self.tokenizer.one_token_stream else [sequence]))

    def count_notes(self, tokens: Sequence[str]) -> int:
        """How many notes the tokens say."""
        return sum(type_of(token) in NOTES for token in tokens)

    @property
    def lattice_ticks(self) -> int:
        """Ticks in a quarter note of what MidiTok reads and writes."""
        return int(self.tokenizer.time_division)

    def _signatures(self) -> tuple[Signature, ...]:
        # Without bars a metre says nothing, and MidiTok's graph knows no change of it between a note's on and off.
        known = tuple((int(each[0]), int(each[1])) for each in self.tokenizer.time_signatures if self.timed)
        return known or ((4, 4),)

    def _lengths(self, beat: int) -> NDArray[np.int64]:
        return np.array(
            sorted({(whole * each + part) * beat // each for whole, part, each in self.tokenizer.durations})
        )

    def _with_metre(self, tokens: Sequence[str]) -> list[str]:
        if not self.metred or type_of(tokens[0]) == "Bar":
            return list(tokens)
        return ["Bar_None", _metre(tokens), *tokens]


class Structured(Dialect):
    """Each gap between onsets is one token, and the tokens are those of the lengths."""

    def lattice(self) -> Lattice:
        """As of the others, but for the gaps."""
        plain = super().lattice()
        return replace(plain, gaps=np.append(0, plain.lengths[4]))


class Mmm(Dialect):
    """MMM of one piano: its base tokenizer's tokens; what frames a track, always the same, is put on and taken off.

    Ens & Pasquier 2020, https://arxiv.org/abs/2008.06048.
    """

    def graph(self) -> Mapping[str, Collection[str]]:
        """The base tokenizer's own, where it writes no programs."""
        config = self.tokenizer.config.copy()
        config.use_programs = config.program_changes = False
        return Dialect(type(self.tokenizer.base_tokenizer)(config)).graph()

    def write(self, notes: Notes, changes: Changes) -> miditok.TokSequence:
        """Without the frame."""
        framed = super().write(notes, changes)
        return framed[len(_FRAME) : -1]

    def _with_metre(self, tokens: Sequence[str]) -> list[str]:
        return [*_FRAME, *super()._with_metre(tokens), "Track_End"]


_FRAME = ("Track_Start", "Program_0")


class PerTok(Dialect):
    """PerTok (Lemonaide): a position of the grid, and how far a note is from it.

    Bars are four quarters long. MidiTok counts those of other metres wrongly (den / 4 * num quarters, all from the
    beginning of the piece), so all is in 4/4, which no word says.
    """

    def __init__(self, tokenizer: miditok.MusicTokenizer) -> None:
        super().__init__(tokenizer)
        self.metred = False

    def says(self, token: str) -> bool:
        """No metre."""
        return type_of(token) != "TimeSig" and super().says(token)

    def graph(self) -> Mapping[str, Collection[str]]:
        """MidiTok gives none; this is the order that PerTok's documentation and its code have."""
        config = self.tokenizer.config
        time = "Position" if self.tokenizer.use_position_toks else "TimeShift"
        note = ["Pitch"]
        note += ["MicroTiming"] if self.tokenizer.use_microtiming else []
        note += ["Velocity"] if config.use_velocities else []
        note += ["Duration"]
        onset = {"Bar", time, "Pitch"}
        return {"Bar": onset, time: {"Pitch"}, **_chain(note), "Duration": onset}

    def write(self, notes: Notes, changes: Changes) -> miditok.TokSequence:
        """Without the metre that a saved tokenizer may begin with."""
        written = super().write(notes, changes)
        return written[int(type_of(written.tokens[0]) == "TimeSig") :]

    @property
    def lattice_ticks(self) -> int:
        """PerTok does not resample."""
        return int(self.tokenizer.tpq)

    def lattice(self) -> Lattice:
        """Every position, and the shifts that leave a note nearest to its own."""
        ticks = self.lattice_ticks
        positions = int(next(iter(self.tokenizer.config.beat_res.values())))
        shifts = None
        if self.tokenizer.use_microtiming:
            values = np.asarray(self.tokenizer.microtiming_tick_values, dtype=np.int64)
            # Farther from its position, a note is nearer to the next.
            shifts = np.unique(values[np.abs(values) < ticks // positions // 2])
        return Lattice(ticks, positions, {4: self._lengths(ticks)}, ((4, 4),), shifts=shifts)


class Beat(Dialect):
    """BEAT (Qian et al., https://openreview.net/forum?id=XrrGXLksji): what each pitch does in the four steps of a beat.

    Every bar names its metre, which MidiTok's BEAT reads but writes at changes only: a window could not be read
    otherwise. A pitch that sounds on and is struck again within a beat has one velocity there, the stroke's, where
    MidiTok writes the mean of the two, and another mean at every encoding of what it decodes. Pitches after a beat's
    first are intervals, so that no word is always a pitch.
    """

    times = frozenset({"Bar", "TimeSig", "Beat"})
    pitches = frozenset()

    def says(self, token: str) -> bool:
        """Program_0 among them: after it comes a first pitch, after `Pattern` or `Velocity` an interval."""
        return token == "Program_0" or super().says(token)

    def graph(self) -> Mapping[str, Collection[str]]:
        """MidiTok's, of one track and a metre in every bar."""
        note = ["Pitch", "Pattern", *(["Velocity"] if self.tokenizer.config.use_velocities else [])]
        return {
            "Bar": {"TimeSig"},
            "TimeSig": {"Beat"},
            "Beat": {"Rest", "Program"},
            "Program": {"Pitch"},
            **_chain(note),
            note[-1]: {"Pitch", "Beat", "Bar"},
            "Rest": {"Beat", "Bar"},
        }

    def write(self, notes: Notes, changes: Changes) -> miditok.TokSequence:
        """With a metre in every bar, and the velocity of the stroke."""
        beat = self._beats(notes.onset, changes)
        _, group = np.unique(beat * 128 + notes.pitch, return_inverse=True)
        loudest = np.zeros(len(group), dtype=np.int64)
        np.maximum.at(loudest, group, notes.velocity)
        notes = replace(notes, velocity=loudest[group])
        struck = dict(zip(zip(beat.tolist(), notes.pitch.tolist(), strict=True), notes.velocity.tolist(), strict=True))
        written = super().write(notes, changes)
        events: list[miditok.Event] = []
        pitch, signature = 0, "4/4"
        for event in written.events:
            before = events[-1].type_ if events else ""
            if before == "Bar" and event.type_ != "TimeSig":
                events.append(miditok.Event("TimeSig", signature, event.time))
            if event.type_ == "TimeSig":
                signature = event.value
            elif event.type_ == "Pitch":
                pitch = event.value if before == "Program" else pitch - event.value
            elif event.type_ == "Velocity":
                event.value = struck.get((event.time, pitch), event.value)
            events.append(event)
        said = miditok.TokSequence(events=events, _ticks_bars=written._ticks_bars, _ticks_beats=written._ticks_beats)
        self.tokenizer.complete_sequence(said)
        return said

    def count_notes(self, tokens: Sequence[str]) -> int:
        """The onsets in the patterns: those of their four digits to base 3 that are 1."""
        patterns = [int(token.partition("_")[2]) for token in tokens if type_of(token) == "Pattern"]
        return int((np.array(patterns, dtype=np.int64)[:, None] // (27, 9, 3, 1) % 3 == 1).sum())

    def _lengths(self, beat: int) -> NDArray[np.int64]:
        return np.arange(1, 4 * LONGEST_PATTERN + 1) * (beat // 4)

    def _beats(self, onset: NDArray[np.int64], changes: Changes) -> NDArray[np.int64]:
        """[N] the tick at which each onset's beat begins."""
        starts = np.array([tick for tick, _ in changes])
        length = np.array([self.lattice_ticks * 4 // denominator for _, (_, denominator) in changes])
        at = np.searchsorted(starts, onset, side="right") - 1
        begins: NDArray[np.int64] = onset - (onset - starts[at]) % length[at]
        return begins

    def _with_metre(self, tokens: Sequence[str]) -> list[str]:
        """Where a bar line comes later, the beats before it end a bar."""
        if type_of(tokens[0]) == "Bar":
            return list(tokens)
        signature, missing = _metre(tokens), 0
        if "Bar_None" in tokens:
            numerator = int(signature.partition("_")[2].partition("/")[0])
            missing = numerator - tokens[: tokens.index("Bar_None")].count("Beat_None")
        return ["Bar_None", signature, *["Beat_None", "Rest_None"] * missing, *tokens]


def _chain(types: Sequence[str]) -> dict[str, set[str]]:
    return {one: {following} for one, following in pairwise(types)}


def _metre(tokens: Sequence[str]) -> str:
    return next((token for token in tokens if type_of(token) == "TimeSig"), "TimeSig_4/4")


_DIALECTS: dict[str, type[Dialect]] = {"Structured": Structured, "MMM": Mmm, "PerTok": PerTok, "BEAT": Beat}


def dialect_of(tokenizer: miditok.MusicTokenizer) -> Dialect:
    """What is peculiar to a tokenizer of MidiTok's."""
    return _DIALECTS.get(type(tokenizer).__name__, Dialect)(tokenizer)
