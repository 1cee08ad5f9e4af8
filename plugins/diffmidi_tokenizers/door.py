"""`remi` and `miditok`: MidiTok's tokenizers under diffmidi's contract.

MidiTok (Fradet et al. 2021, https://github.com/Natooz/MidiTok) makes the words; what goes in is laid out on the bars
first (`bars`), so that nothing is left for it to round, and what comes back is filtered by its own graph of token
types (`types_graph`), so that any ids are music.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self, cast

import miditok
import numpy as np
from numpy.typing import NDArray
from symusic.core import TimeSignatureTick

from diffmidi.api import Options, RefusedError
from diffmidi.api.tokenizer import (
    SPECIALS,
    BarPlaces,
    Encoded,
    Grammar,
    Ids,
    Notes,
    Role,
    Score,
    Timeline,
    Tokenizer,
    deduplicated,
    notes_of,
    score_of,
)
from diffmidi_tokenizers import bars, steps
from diffmidi_tokenizers.declarations import MiditokOptions, RemiOptions
from diffmidi_tokenizers.dialects import Dialect, dialect_of
from diffmidi_tokenizers.saved import opened
from diffmidi_tokenizers.types_graph import Expansion, TypesGraph, boundaries, roles_of, type_of

TIME_SIGNATURES = {4: [1, 2, 3, 4, 5, 6, 7, 8], 8: [1, 3, 5, 6, 7, 9, 11, 12]}
"""Numerators by denominator. Others are written as one of these with bars as long, where there is one."""
LEAST_RESOLUTION = 480
SAVED = "tokenizer.json"
ONE_NOTE = frozenset({"Pitch", "Velocity", "Duration"})
"""Types of the tokens that tell one note each, where a tokenizer has no others of notes."""
PLAIN = ONE_NOTE | {"Bar", "TimeSig", "Position"}


class MidiTokWords(Tokenizer):
    """A MidiTok tokenizer of one id per token, on one piano track.

    Encoding lays the notes out on bars (`bars.lay_out` says what that changes and counts), velocities go to the nearest
    bin. Decoding passes over tokens that MidiTok's graph of types does not allow where they stand; overlaps are then
    parted as in encoding.

    A window may begin and end wherever time goes on: at a `Bar` or, inside a bar, at the `Position` of the next onset
    (`TimeShift` in tokenizers without bars). A window that begins inside a bar is read as if a bar line stood before
    it, in the first metre that it names, 4/4 where it names none.
    """

    def __init__(self, options: Options, tokenizer: miditok.MusicTokenizer) -> None:
        super().__init__(options)
        self._miditok = tokenizer
        self._dialect = dialect_of(tokenizer)
        self._lattice = self._dialect.lattice()
        self._theirs, self._expansions = _vocabulary(self._dialect)
        self._ours = {theirs: ours for ours, theirs in enumerate(self._theirs, start=len(SPECIALS))}
        self._vocab = (*SPECIALS, *_names(self._expansions))
        self._graph = TypesGraph(self._dialect.graph(), self._expansions, self._dialect.times)
        self._types = {type_of(token) for expansion in self._expansions for token in expansion}
        learned = any(len(expansion) > 1 for expansion in self._expansions)
        self._plain = type(self._dialect) is Dialect and not learned and self._types <= PLAIN

    @property
    def vocab(self) -> tuple[str, ...]:
        """Specials, then MidiTok's tokens in its order; learned ones are the tokens they stand for, joined by +."""
        return self._vocab

    @property
    def grammar(self) -> Grammar:
        """MidiTok's graph of token types."""
        return self._graph.grammar

    @property
    def roles(self) -> Mapping[str, Role]:
        """Of MidiTok's types; a learned token that tells several things has none."""
        return roles_of(self.grammar.types)

    def encode_counted(self, score: Score) -> tuple[Ids, Mapping[str, int]]:
        """Ids, and what was changed: drums, dropped_pitch, zero_length, clamped_duration, merged, overlaps (notes);
        clamped_rest (rests); metre_replaced (1 where 4/4 was read in place of the file's metre).
        """
        laid_out, changed = self._laid_out(score)
        return self._write(laid_out), changed

    def encode_piece(self, score: Score, notes: Notes | None = None) -> Encoded:
        """The same, with where notes begin and how many there are; and the tempi, with metres that no word names."""
        laid_out, changed = self._laid_out(score)
        ids = self._write(laid_out)
        timeline = Timeline()
        if len(laid_out.notes):
            ticks = self._lattice.ticks_per_quarter
            bars_too = not self._dialect.metred
            timeline = Timeline.of(score, laid_out.zero, moved=laid_out.moved, steps=ticks, bars=bars_too)
        return Encoded(ids, changed, self.starts(ids), self.count_notes(ids), timeline)

    def decode(self, ids: Ids, timeline: Timeline | None = None) -> Score:
        """A piano score in the metres that the words name, at 120 quarter notes a minute or by its timeline."""
        score = self._read(ids)
        return score if timeline is None else timeline.onto(score, bars=not self._dialect.metred)

    def _laid_out(self, score: Score) -> tuple[bars.LaidOut, Mapping[str, int]]:
        steps.check_rhythm(score)
        counts: dict[str, int] = {}
        lowest, highest = self._miditok.config.pitch_range
        laid_out = bars.lay_out(score, bars.playable(score, lowest, highest, counts), self._lattice, counts)
        if "Bar" not in self._types:
            counts.pop("metre_replaced", None)
        return laid_out, {what: count for what, count in counts.items() if count}

    def _read(self, ids: Ids) -> Score:
        tokens = self._graph.allowed(self._tokens(ids))
        if not tokens:
            return score_of(notes_of(Score(LEAST_RESOLUTION)))
        read = self._dialect.read(tokens)
        notes = notes_of(read)
        # A note may be earlier than the position that a window begins with.
        notes = steps.sort(Notes(np.maximum(notes.onset, 0), notes.duration, notes.pitch, notes.velocity))
        notes, _ = steps.part_overlaps(deduplicated(notes[notes.duration > 0]))
        finer = -(-LEAST_RESOLUTION // read.ticks_per_quarter)
        notes = Notes(notes.onset * finer, notes.duration * finer, notes.pitch, notes.velocity)
        score = score_of(notes, read.ticks_per_quarter * finer)
        if not read.time_signatures:
            return score
        score.time_signatures.clear()
        for sign in read.time_signatures:
            score.time_signatures.append(TimeSignatureTick(sign.time * finer, sign.numerator, sign.denominator))
        return score

    def starts(self, ids: Ids) -> NDArray[np.int64]:
        """Where time goes on: at the first of the words that lead to an onset."""
        lengths = [len(self._expansion(each)) for each in np.asarray(ids).tolist()]
        begins = np.cumsum([0, *lengths])[:-1]
        tokens = [token for each in np.asarray(ids).tolist() for token in self._expansion(each)]
        return np.flatnonzero(np.isin(begins, boundaries(tokens, self._dialect.times)))

    def count_notes(self, ids: Ids) -> int:
        """How many whole notes the words say, where MidiTok's graph allows them."""
        return self._dialect.count_notes(self._graph.allowed(self._tokens(ids)))

    def note_of(self, ids: Ids) -> NDArray[np.int64] | None:
        """`Pitch`, and its `Velocity` and `Duration`, where notes are such tokens and none is learned."""
        if not self._plain:
            return None
        tokens = self._tokens(ids)
        legal = self._graph.legal(tokens)
        kinds = np.array([type_of(tokens[place]) for place in legal])
        told = np.where(np.isin(kinds, [*ONE_NOTE]), np.cumsum(kinds == "Pitch") - 1, -1)
        notes = np.full(len(ids), -1)
        notes[np.flatnonzero(np.asarray(ids) >= len(SPECIALS))[legal]] = told
        return notes

    def steps_in_bar(self) -> Ids | None:
        """Of `Position`, where it and `Bar` alone move time."""
        if not self._plain or not {"Bar", "Position"} <= self._types:
            return None
        places = np.zeros(len(self._vocab), dtype=np.int32)
        for index, (token,) in enumerate(self._expansions, start=len(SPECIALS)):
            kind, _, number = token.partition("_")
            if kind == "Position":
                places[index] = int(number) + 1
        return places

    def bars_of(self, score: Score, begin: int, end: int) -> list[BarPlaces]:
        """By the metre that `encode` reads, as late as the notes are against it."""
        if self.steps_in_bar() is None:
            return super().bars_of(score, begin, end)  # type: ignore[return-value]
        lowest, highest = self._miditok.config.pitch_range
        notes = bars.playable(score, lowest, highest, {})
        found = []
        for tick, (numerator, denominator) in bars.lines_of(score, notes, self._lattice, begin, end):
            opening = ["Bar_None", *([f"TimeSig_{numerator}/{denominator}"] if self._dialect.metred else [])]
            tokens = tuple(self.to_ids(opening).tolist())
            found.append(BarPlaces(tick, numerator, denominator, numerator * self._lattice.positions, tokens))
        return found

    def transposition(self, semitones: int) -> Ids | None:
        """Words of pitch by their pitch, but not where BPE joined tokens: it would join those of another key otherwise.

        Nor where chords are named with their roots, or pitches by their interval.
        """
        if self._miditok.config.chord_tokens_with_root_note or not self._dialect.pitches:
            return None
        return self._saying({kind: lambda said: said + semitones for kind in self._dialect.pitches})

    def velocity_scaling(self, factor: float) -> Ids | None:
        """Words of velocity by the nearest there is, but not where BPE joined tokens, nor without such words."""
        velocities = np.asarray(self._miditok.velocities, dtype=np.int64)
        if "Velocity" not in self._types:
            return None
        return self._saying({"Velocity": lambda said: int(steps.nearest(velocities, np.array([said * factor]))[0])})

    def _saying(self, change: Mapping[str, Callable[[int], int]]) -> Ids | None:
        """A table [V] of the words themselves, but for some types of token: the words of other numbers, or -1."""
        if self._miditok.is_trained:
            return None
        number = {expansion[0]: index for index, expansion in enumerate(self._expansions, start=len(SPECIALS))}
        table = np.arange(len(self._vocab), dtype=np.int32)
        for token, index in number.items():
            kind, _, said = token.partition("_")
            if kind in change:
                table[index] = number.get(f"{kind}_{change[kind](int(said))}", -1)
        return table

    def save(self, folder: Path) -> None:
        """Write MidiTok's own `tokenizer.json`, which `miditok.REMI(params=...)` opens too."""
        folder.mkdir(parents=True, exist_ok=True)
        self._miditok.save(folder / SAVED)

    def _write(self, laid_out: bars.LaidOut) -> Ids:
        notes = laid_out.notes
        if not len(notes):
            return np.zeros(0, dtype=np.int32)
        velocities = np.asarray(self._miditok.velocities, dtype=np.int64)
        velocity = steps.nearest(velocities, notes.velocity) if len(velocities) else notes.velocity
        try:
            sequence = self._dialect.write(Notes(notes.onset, notes.duration, notes.pitch, velocity), laid_out.changes)
            if self._miditok.is_trained:
                # MMM's own looks for the frame of a track, which is not there.
                miditok.MusicTokenizer.encode_token_ids(self._miditok, sequence)
        except Exception as error:
            # None is known that it cannot write, but one piece must not end the preparation of all others.
            raise RefusedError(
                "no_words", f"MidiTok cannot write this piece as words ({type(error).__name__}: {str(error)[:200]})."
            ) from error
        # BPE may leave its mark of a bar's beginning alone: an id that stands for no token.
        return np.array([self._ours[each] for each in sequence.ids if each in self._ours], dtype=np.int32)

    def _expansion(self, index: int) -> Expansion:
        return self._expansions[index - len(SPECIALS)] if index >= len(SPECIALS) else ()

    def _tokens(self, ids: Ids) -> list[str]:
        return [token for index in np.asarray(ids).tolist() for token in self._expansion(index)]


class Remi(MidiTokWords):
    """REMI (Huang & Yang 2020): `Bar TimeSig Position Pitch Velocity Duration`, time as bars and positions in them."""

    options: RemiOptions

    def __init__(self, options: RemiOptions) -> None:
        super().__init__(options, miditok.REMI(_config(options, metres=True)))


class Miditok(MidiTokWords):
    """Any MidiTok tokenizer of one id per token, made from options or read from a saved `tokenizer.json`."""

    options: MiditokOptions

    def __init__(self, options: MiditokOptions, saved: Path | None = None) -> None:
        """Given `saved`, that file stands in for `options.pretrained`."""
        if options.pretrained:
            tokenizer = opened(saved or options.pretrained)
        else:
            tokenizer = getattr(miditok, options.type)(_config(options, metres=options.metres, **options.additional))
        super().__init__(options, tokenizer)

    @classmethod
    def restored(cls, options: Options, folder: Path) -> Self:
        """With the `tokenizer.json` that `save` wrote in place of the file it once was made from."""
        return cls(cast(MiditokOptions, options), folder / SAVED)


def _config(options: RemiOptions, *, metres: bool, **additional: str | float) -> miditok.TokenizerConfig:
    ranges = {tuple(int(beat) for beat in name.split("_")): each for name, each in options.beat_res.items()}
    return miditok.TokenizerConfig(
        pitch_range=(options.lowest_pitch, options.highest_pitch),
        beat_res=ranges,
        num_velocities=options.num_velocities,
        special_tokens=["PAD"],
        use_velocities=options.use_velocities,
        use_time_signatures=options.use_time_signatures and metres,
        use_chords=options.use_chords,
        use_rests=options.use_rests,
        # A rest is as exact as any other time.
        beat_res_rest=ranges,
        time_signature_range=TIME_SIGNATURES,
        # One track of a piano.
        programs=[0],
        use_pitchdrum_tokens=False,
        **additional,
    )


def _vocabulary(dialect: Dialect) -> tuple[list[int], list[Expansion]]:
    """MidiTok's ids that are music of one piano, and the tokens that each stands for."""
    tokenizer = dialect.tokenizer
    special = set(tokenizer.special_tokens)
    theirs: list[int] = []
    expansions: list[Expansion] = []
    for index in range(len(tokenizer)):
        sequence = miditok.TokSequence(ids=[index], are_ids_encoded=tokenizer.is_trained)
        tokenizer.decode_token_ids(sequence)
        tokenizer.complete_sequence(sequence)
        if sequence.tokens and not special & set(sequence.tokens) and all(map(dialect.says, sequence.tokens)):
            theirs.append(index)
            expansions.append(tuple(sequence.tokens))
    return theirs, expansions


def _names(expansions: Sequence[Expansion]) -> list[str]:
    """A readable word for each; a second one of the same tokens (BPE may learn them twice) gets an apostrophe."""
    names: dict[str, None] = {}
    for expansion in expansions:
        name = "+".join(expansion)
        while name in names:
            name += "'"
        names[name] = None
    return list(names)
