"""infill and continue: a model, a user's file and what is to be new, to the same file with new notes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.contracts.tokenizer import Ids
from diffmidi_core.diffusion.autoregressive_process import AutoregressiveProcess
from diffmidi_core.diffusion.masked_diffusion import MaskedDiffusion
from diffmidi_core.draw.bars import Piece as Drawn
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

SILENT = 8
"""How often a take in which the model has left everything empty is drawn again."""


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
        pieces, again = _with_notes(model, asked, laid, filling, numbers, tell)
    tell(bars)
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
            "silent": again[number],
            "new_notes": len(answer.new),
            "outside": outside,
            "left_out": answer.left_out,
            "shortened": answer.shortened,
        }
        if not len(new) and not laid.reworked:
            computing.warn(
                f"take {number + 1} is silent: the model drew no note there, {SILENT + 1} times over. Ask for another "
                "--seed, or for a larger region."
            )
        ids = np.concatenate([*texts, np.zeros(0, np.int32)])
        found.append(Take(answer, removed, asked, ids, record, _losses(controls, asked, answer)))
    return found


def _with_notes(
    model: Model, asked: Asked, laid: Laid | LaidSpans, filling: Filling, numbers: range, tell: Callable[[int], object]
) -> tuple[list[Drawn], dict[int, int]]:
    """What is drawn for these takes, and how often it had no note and was drawn again; SILENT times at most.

    A model that has once left a bar empty may go on to leave all others empty, too. Drawing again is drawing from its
    distribution given that there is a note.
    """

    def draw(some: Sequence[int], marks: Sequence[tuple[int, ...]] = ()) -> list[Drawn]:
        return drawn_together([laid.hole.work() for _ in some], filling.by_portion(some, marks), laid.hole, tell)

    found, again = dict(zip(numbers, draw(numbers), strict=True)), dict.fromkeys(numbers, 0)
    for attempt in range(1, SILENT + 1):
        silent = [number for number in numbers if not len(_answer(asked, laid, found[number].done, model)[0])]
        if not silent or laid.reworked:
            break
        found |= zip(silent, draw(silent, [(0, attempt)] * len(silent)), strict=True)
        again |= dict.fromkeys(silent, attempt)
    return [found[number] for number in numbers], again


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
    share = 1 / len(laid.hole.chunk(bars))

    def loss(some: Sequence[Ids]) -> float:
        new, removed, _ = _answer(asked, laid, some, model)
        return total(_losses(filling.controls, asked, patched(asked.file, removed, new)))

    def propose(some: Sequence[Ids], once: int, random: np.random.Generator) -> list[Sequence[Ids]]:
        marks = [(once + 1, place) for place in range(request.tries)]
        fill = replace(filling, guided=False).by_portion([number] * request.tries, marks, share)
        return [*bars_anew(laid.hole, some, bars[random.integers(len(bars))], fill, request.tries)]

    how = {"rounds": request.redraws, "seed": request.seed, "piece": number}
    return redrawn(texts, loss, propose, tolerance=request.tolerance, **how)


def check_controls(asked: Asked, request: Request) -> None:
    """Raises UsageError for a control that decides only what stays: by locks, or as many notes in each bar."""
    masking = asked.masking
    kept = {role: lock for lock in sorted(masking.locks) for role in LOCKS.get(lock, ())}
    counts = {"bar", "count"} if masking.reworks else set()
    for part in request.controls:
        decides = set(find("control", part.spec).control().decides)
        if not decides or not decides <= {*kept, *counts}:
            continue
        locks = sorted({kept[role] for role in decides if role in kept} or masking.locks & {*LOCKS})
        keeping = f"--lock {' and '.join(locks)}" if locks else "--strength"
        what = "what" if decides & {*kept} else "how many notes each bar has, which"
        raise UsageError(
            f"--control {part.label} decides {what} {keeping} keeps: leave out the control"
            + (" or the lock." if locks else ", or say --bars to `infill`.")
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
