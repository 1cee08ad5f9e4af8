"""How likely a piece is under a model: its bits in all, by note, by token, by type of token, and note by note."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.tokenizer import Ids, Tokenizer
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.judge.likelihood import SEED
from diffmidi_core.machine.build import blamed
from diffmidi_core.machine.seeds import generator_for
from diffmidi_core.music.notes import Score, notes_of
from diffmidi_core.music.reading import printable, read_midi
from diffmidi_core.sections import SCORE_LEVELS, EvaluateConfig

if TYPE_CHECKING:
    from diffmidi_core.draw.model import Model

Bits = NDArray[np.float64]

COPIES = 4
"""How many estimates of a bound are made, whose spread says how far off their mean may be."""


class CannotScoreError(DiffmidiError):
    """Music that a model has no windows for: without tokens, or with a bar or a note that is longer than a window."""


@dataclass(frozen=True)
class Asked:
    """What is computed of each window: the bound with so many levels, or the likelihood in an order of types."""

    exact: bool
    order: tuple[str, ...]
    levels: int | None

    @property
    def copies(self) -> int:
        """How many estimates share the levels."""
        return 1 if self.exact or self.levels is None else min(COPIES, self.levels)

    @property
    def levels_each(self) -> int | None:
        """Levels of each estimate, so that there are no fewer in all than were asked for."""
        return None if self.levels is None else -(-self.levels // self.copies)


@dataclass(frozen=True)
class TypeBits:
    """What all tokens of one type cost, and how many there are."""

    bits: float
    tokens: int


@dataclass(frozen=True)
class NoteBits:
    """What the tokens of one note cost, those of the time before it among them.

    Attributes:
        pitch: as MIDI counts it.
        onset: when it begins, in quarter notes from the beginning of the piece as its tokens decode.
        bits: what it costs.
        together: with how many notes its tokens are shared, itself among them: `bits` is an equal part of theirs.
    """

    pitch: int
    onset: float
    bits: float
    together: int = 1


@dataclass(frozen=True)
class PieceScore:
    """The bits of a piece: −log2 p(its tokens | how many there are in each window).

    The model sees a window at a time, so that the first notes of each cost more than they would in the whole piece.

    Attributes:
        bits: all of them: those of the tokens, and of [CLS] and [SEP] around each window.
        kind: "exact", the likelihood itself, or "bound": it is at most so many bits.
        error: standard error of `bits` by the noise that was drawn, as four estimates of them differ; 0 where they are
            exact, None where there is one estimate only.
        levels: noise levels that the bound was estimated with in each window; None: all of them, or it is exact.
        notes, tokens, windows: how many there are.
        by_type: by type of token as the grammar has them; "special" is [CLS] and [SEP].
        by_note: note by note, in order; None where the notes of the tokens cannot be told apart. With `other` they are
            all bits.
        other: bits of what belongs to no note.
        changed: what became another when the piece was written as tokens, by what happened to it.
    """

    bits: float
    kind: Literal["exact", "bound"]
    error: float | None
    levels: int | None
    notes: int
    tokens: int
    windows: int
    by_type: Mapping[str, TypeBits]
    by_note: Sequence[NoteBits] | None
    other: float
    changed: Mapping[str, int]

    @property
    def per_note(self) -> float:
        """Bits per note."""
        return self.bits / max(1, self.notes)

    @property
    def per_token(self) -> float:
        """Bits per token of music."""
        return self.bits / max(1, self.tokens)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {**asdict(self), "per_note": self.per_note, "per_token": self.per_token}


def score(
    model: Model,
    music: Score | Path | str,
    *,
    exact: bool = False,
    order: Sequence[str] = (),
    levels: int | None = SCORE_LEVELS,
    batch_size: int = EvaluateConfig().batch_size,
    autocast: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> PieceScore:
    """The bits of a piece under a model, over windows that tile all of it, each beginning at a note boundary.

    Args:
        model: computes where its process lies.
        music: a score, or a MIDI file.
        exact: the likelihood itself, not its bound: tokens are revealed one by one, which takes long; nothing is drawn.
            For a process whose likelihood is exact anyway, that.
        order: of the types of the tokens as they are revealed where it is `exact`; by default the order of the text.
        levels: noise levels that are drawn for each window, at least, unless `exact`; None: all of them, which takes as
            long. They are shared by four estimates (fewer of fewer levels), for `PieceScore.error`.
        batch_size: windows at once, each as often as there are estimates.
        autocast: within it the model computes.

    Raises RefusedError for a file that cannot be read, CannotScoreError for music that has no token in this model, or a
    note of more tokens than a window holds, DiffmidiError where a likelihood is asked of a process that has none.
    """
    piece, name = (music, "the score") if isinstance(music, Score) else (read_midi(Path(music)), printable(str(music)))
    tokenizer = model.tokenizer
    ids, changed = tokenizer.encode_counted(piece)
    windows = _windows(model, ids, name)
    exact = exact or model.process.exact
    asked = Asked(exact, tuple(order), None if exact else levels)
    at_once, rows = max(1, batch_size // asked.copies), []
    for begin in range(0, len(windows), at_once):
        rows += _window_bits(model, windows[begin : begin + at_once], begin, asked, autocast)
    by_token = np.concatenate([row[1:-1].mean(1) for row in rows])
    specials = float(sum(row[[0, -1]].mean(1).sum() for row in rows))
    by_note, other = _by_note(tokenizer, ids, by_token)
    return PieceScore(
        bits=float(by_token.sum()) + specials,
        kind="exact" if exact else "bound",
        error=0.0 if exact else _error(np.array([row.sum(0) for row in rows])),
        levels=None if asked.levels_each is None else asked.copies * asked.levels_each,
        notes=tokenizer.count_notes(ids),
        tokens=len(ids),
        windows=len(windows),
        by_type=_by_type(tokenizer, ids, by_token) | {"special": TypeBits(specials, 2 * len(windows))},
        by_note=by_note,
        other=other + specials,
        changed={what: count for what, count in changed.items() if count},
    )


def _error(bits: Bits) -> float | None:
    """The standard error of the mean of the estimates of a piece, from those of its windows [N, copies].

    It takes them for independent. Their noise is, but their levels are spread evenly over those of all, so that the
    mean is rather less far off.
    """
    totals = bits.sum(0)
    return None if len(totals) < 2 else float(totals.std(ddof=1)) / len(totals) ** 0.5


def _ends(tokenizer: Tokenizer, ids: Ids, length: int, bars: int | None) -> list[int]:
    """Where the windows of at most `length` tokens end that tile a piece, at note boundaries or after `bars` bars."""
    boundaries = np.append(tokenizer.starts(ids), len(ids))
    ends, begin = [], 0
    while begin < len(ids):
        last = int(np.searchsorted(boundaries, begin + length, side="right")) - 1
        if bars is not None:
            last = min(last, int(np.searchsorted(boundaries, begin)) + bars)
        end = int(boundaries[last])
        if end <= begin:
            raise CannotScoreError(
                f"a {'note' if bars is None else 'bar'} of the piece takes more tokens than the model's windows hold "
                f"({length}), after token {begin} of it: choose a model with a larger --length."
            )
        ends.append(end)
        begin = end
    return ends


def _window_bits(
    model: Model,
    windows: Sequence[Ids],
    first: int,
    asked: Asked,
    autocast: Callable[[], AbstractContextManager[None]],
) -> list[Bits]:
    """[N + 2, copies] bits of each window, [CLS] and [SEP] at the ends; the number of the first decides the noise."""
    device = next(model.process.parameters()).device
    lengths, batch = [len(window) for window in windows], _batch(model, [*windows] * asked.copies)
    with blamed("process", model.parts["process"], "estimating its bound"), torch.no_grad(), autocast():
        if asked.exact:
            bound = model.process.likelihood(batch, asked.order)
        else:
            noise = generator_for(SEED, "score", first, device=device)
            bound = model.process.bound(batch, noise, levels=asked.levels_each)
    bits = torch.stack(list(bound.terms.values())).sum(0).double().cpu().numpy()
    by_window = bits.reshape(asked.copies, len(windows), -1).transpose(1, 2, 0)  # [W, L, copies]
    return [row[: length + 2] for row, length in zip(by_window, lengths, strict=True)]


def features(model: Model, music: Score) -> Bits:
    """[H] what a model's backbone makes of a piece: the mean over windows that tile it, each as heavy as it is long.

    Raises CannotScoreError as `score` does, DiffmidiError where the model's process gives no features.
    """
    windows = _windows(model, model.tokenizer.encode(music), "the score")
    rows = [model.process.features(_batch(model, [window])).double().cpu().numpy()[0] for window in windows]
    found: Bits = np.average(rows, axis=0, weights=[len(window) for window in windows])
    return found


def _windows(model: Model, ids: Ids, name: str) -> list[Ids]:
    """The windows that tile a piece."""
    if not len(ids):
        raise CannotScoreError(
            f"{name} holds nothing that this model has tokens for: choose music with notes of a piano."
        )
    ends = _ends(model.tokenizer, ids, model.length, model.bars if model.tokenizer.plan else None)
    return [ids[begin:end] for begin, end in zip([0, *ends[:-1]], ends, strict=True)]


def _batch(model: Model, windows: Sequence[Ids]) -> Batch:
    lengths = [len(window) for window in windows]
    canvas = Canvas.begun(windows, lengths, width=model.length)
    batch = Batch(canvas.ids, canvas.attention_mask, torch.tensor(lengths))
    return batch.to(next(model.process.parameters()).device)


def _by_type(tokenizer: Tokenizer, ids: Ids, bits: Bits) -> dict[str, TypeBits]:
    grammar = tokenizer.grammar
    types = grammar.type_of[ids]
    return {
        grammar.types[kind]: TypeBits(float(bits[types == kind].sum()), int((types == kind).sum()))
        for kind in np.unique(types).tolist()
    }


def _by_note(tokenizer: Tokenizer, ids: Ids, bits: Bits) -> tuple[list[NoteBits] | None, float]:
    """Bits note by note, and those of what belongs to no note.

    Between two of the tokenizer's boundaries stand the tokens of a note, or of several that begin together.
    """
    starts = tokenizer.starts(ids)
    decoded = tokenizer.decode(ids)
    notes = notes_of(decoded)
    counts = np.array([tokenizer.count_notes(part) for part in np.split(ids, starts[1:])])
    if counts.sum() != len(notes):  # the tokens hold notes that the score does not, or the other way round
        return None, float(bits.sum())
    sums = np.add.reduceat(bits, starts)
    owner = np.repeat(np.arange(len(starts)), counts)
    notes_bits = [
        NoteBits(pitch, onset / decoded.ticks_per_quarter, float(sums[part] / counts[part]), int(counts[part]))
        for pitch, onset, part in zip(notes.pitch.tolist(), notes.onset.tolist(), owner.tolist(), strict=True)
    ]
    return notes_bits, float(sums[counts == 0].sum())
