"""infill and continue: a model, a user's file and what is to be new, to the same file with new notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.tokenizer import Ids
from diffmidi_core.diffusion.autoregressive_process import AutoregressiveProcess
from diffmidi_core.diffusion.masked_diffusion import MaskedDiffusion
from diffmidi_core.draw.bars import drawn_together
from diffmidi_core.draw.controls import Controls, total
from diffmidi_core.draw.filling import Computing, Filling
from diffmidi_core.draw.model import Model
from diffmidi_core.draw.redrawing import bars_anew, redrawn
from diffmidi_core.errors import DiffmidiError, UsageError
from diffmidi_core.machine.build import blamed
from diffmidi_core.machine.memory import Halves
from diffmidi_core.machine.ranks import gathered
from diffmidi_core.music.reading import read_midi_bytes
from diffmidi_core.pieces import Piece, Shown, write_whole
from diffmidi_core.registry import find
from diffmidi_core.request import Request
from diffmidi_core.steer.asked import Asked
from diffmidi_core.steer.cells import Laid, lay_out
from diffmidi_core.steer.excerpt import excerpt
from diffmidi_core.steer.patching import NewNotes, Patched, patched
from diffmidi_core.steer.rework import LOCKS, notes_of
from diffmidi_core.steer.spans import ANOTHER, NO_PLAN, LaidSpans, lay_out_spans


@dataclass(frozen=True, repr=False)
class Take(Shown):
    """One answer.

    Attributes:
        patched: the user's file with it.
        removed: [N] which notes of the file it takes out.
        asked: what it answers.
        ids: the tokens of the cells that were drawn.
        record: whole numbers that tell how it came about.
        losses: what controls say of the bars in which something is drawn, by their names.
    """

    patched: Patched
    removed: NDArray[np.bool_]
    asked: Asked
    ids: Ids
    record: Mapping[str, int]
    losses: Mapping[str, float] = field(default_factory=dict)

    @property
    def score(self) -> Piece:
        """The whole piece."""
        return Piece(read_midi_bytes(self.patched.data, "the take"))

    def midi(self) -> bytes:
        """The user's file with it."""
        return self.patched.data

    def midi_of_new(self) -> bytes:
        """The user's file with the new notes alone."""
        file = self.asked.file
        return patched(file, np.ones(len(file.notes), dtype=bool), self.patched.new).data

    def save_new(self, path: Path | str) -> None:
        """Write the new notes alone, at their place, for a track of their own. Raises DiffmidiError where it fails."""
        write_whole(path, self.midi_of_new())

    def __repr__(self) -> str:
        return f"Take({len(self.patched.new)} new notes, {int(self.removed.sum())} removed)"


def takes(
    model: Model, asked: Asked, request: Request, computing: Computing, *, after: int = 0
) -> Iterator[list[Take]]:
    """`request.count` answers in their order, some at a time, on every rank alike; the first `after` are left out.

    Take i is a function of the seed and i: a batch of which some are left out is drawn whole.

    Raises DiffmidiError where the model cannot hold the piece, BrokenPluginError where the sampler or the model fails.
    """
    if asked.masking.strength < 1 and not isinstance(model.process, MaskedDiffusion):
        raise UsageError("--strength masks some tokens and draws them back, which only masked models do: choose one.")
    check_controls(asked, request)
    filling, halves = Filling.of(model, request, computing), Halves("piece", computing.warn)
    if filling.controls.scoring and request.redraws and not model.tokenizer.plan:
        raise UsageError(
            "a --control that judges music has passages drawn anew, which cannot be in the tokens of this model: set "
            "-o sample.redraws=0, so that it only chooses among candidates."
        )
    # Where it is drawn by lot what is masked, each take has its own.
    size = request.batch_size if asked.masking.strength == 1 else 1
    batches = [range(begin, min(begin + size, request.count)) for begin in range(0, request.count, size)]

    def drawn(batch: range) -> list[Take]:
        laid = laid_for(model, asked, request, batch.start)

        def some(first: int, last: int, _: object) -> list[Take]:
            return _drawn(model, asked, laid, filling, batch[first:last], computing)

        return halves(len(batch), some)

    for first in range(after // size, len(batches), computing.ranks):
        index = first + computing.rank
        mine = [(index, drawn(batches[index]))] if index < len(batches) else []
        found = gathered(mine) if computing.ranks > 1 else mine[0][1]
        yield found[max(0, after - first * size) :]


def laid_for(model: Model, asked: Asked, request: Request, number: int) -> Laid | LaidSpans:
    """What is asked, laid out for the take of a number, from 0 on. Raises DiffmidiError as `lay_out` and
    `lay_out_spans` do, and for a model without a plan that goes from left to right.
    """
    masking = replace(asked.masking, seed=(request.seed << 16) + number)
    if not model.tokenizer.plan:
        if isinstance(model.process, AutoregressiveProcess):
            raise DiffmidiError(
                f"{NO_PLAN}, and going from left to right it does not see what follows a hole: {ANOTHER}, or another "
                "process."
            )
        settings: dict[str, Any] = {"length": model.length, "masking": masking, "notes": asked.notes}
        return lay_out_spans(asked.file, asked.selection, model.tokenizer, **settings)
    return lay_out(
        asked.file,
        asked.bars,
        asked.selection,
        model.tokenizer,
        length=model.length,
        window=model.bars,
        order=model.process.order,
        masking=masking,
        notes=asked.notes,
    )


def _drawn(
    model: Model, asked: Asked, laid: Laid | LaidSpans, filling: Filling, numbers: range, computing: Computing
) -> list[Take]:
    request = filling.request
    bars = len({bar for bar, _ in laid.hole.free})

    def tell(done: int) -> None:
        if computing.on_step is not None:
            computing.on_step(done, bars)

    with blamed("sampler", request.sampler, "drawing"):
        pieces = drawn_together([laid.hole.work() for _ in numbers], filling.by_portion(numbers), laid.hole, tell)
    found = []
    controls = filling.controls
    for number, piece in zip(numbers, pieces, strict=True):
        texts: Sequence[Ids] = piece.done
        if controls.scoring and request.redraws and isinstance(laid, Laid):
            texts = _redrawn(model, asked, laid, filling, number, texts)
        new, removed, outside = _answer(asked, laid, texts, model)
        answer = patched(asked.file, removed, new)
        record = {
            **piece.record,
            "new_notes": len(answer.new),
            "outside": outside,
            "left_out": answer.left_out,
            "shortened": answer.shortened,
        }
        ids = np.concatenate([*texts, np.zeros(0, np.int32)])
        found.append(Take(answer, removed, asked, ids, record, _losses(controls, asked, answer)))
    return found


def _losses(controls: Controls, asked: Asked, answer: Patched) -> dict[str, float]:
    if not controls.scoring:
        return {}
    score = read_midi_bytes(answer.data, "the take")
    return controls.losses([excerpt(score, asked)])[0]


def _redrawn(
    model: Model, asked: Asked, laid: Laid, filling: Filling, number: int, texts: Sequence[Ids]
) -> Sequence[Ids]:
    """The texts of the free cells after some bars were drawn anew, as controls find them better."""
    request, bars = filling.request, sorted({bar for bar, _ in laid.hole.free})

    def loss(some: Sequence[Ids]) -> float:
        new, removed, _ = _answer(asked, laid, some, model)
        return total(_losses(filling.controls, asked, patched(asked.file, removed, new)))

    def propose(some: Sequence[Ids], once: int, random: np.random.Generator) -> list[Sequence[Ids]]:
        marks = [(once + 1, place) for place in range(request.tries)]
        fill = replace(filling, guided=False).by_portion([number] * request.tries, marks)
        return [*bars_anew(laid.hole, some, bars[random.integers(len(bars))], fill, request.tries)]

    how = {"rounds": request.redraws, "seed": request.seed, "piece": number}
    return redrawn(texts, loss, propose, tolerance=request.tolerance, **how)


def check_controls(asked: Asked, request: Request) -> None:
    """Raises UsageError for a control that decides only what locks keep."""
    kept = {role for lock in asked.masking.locks for role in LOCKS.get(lock, ())}
    for part in request.controls:
        decides = set(find("control", part.spec).control().decides)
        if decides and decides <= kept:
            locks = " and ".join(sorted(lock for lock in asked.masking.locks if decides & {*LOCKS.get(lock, ())}))
            raise UsageError(
                f"--control {part.label} decides what --lock {locks} keeps: leave out the control or the lock."
            )


def _answer(
    asked: Asked, laid: Laid | LaidSpans, texts: Sequence[Ids], model: Model
) -> tuple[NewNotes, NDArray[np.bool_], int]:
    """The new notes, [N] which notes of the file are taken out, and how many new ones were outside of the region."""
    rows = None
    if laid.reworked and isinstance(laid, LaidSpans):
        new, rows = laid.changed(texts, model.tokenizer)
    elif isinstance(laid, Laid) and laid.reworked:
        new, rows = notes_of(laid.reworked, texts, asked.file, model.tokenizer)
    else:
        new = laid.notes(texts, model.tokenizer)
    held = asked.selection.holds(new.part, new.onset, new.pitch)
    removed = asked.removed
    if rows is not None:
        removed = np.zeros_like(asked.removed)
        removed[rows[held]] = True
    return new[held], removed, int(np.count_nonzero(~held))
