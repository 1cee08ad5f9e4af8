"""pieces: what a model makes of a request, batch by batch. The one way to draw."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.tokenizer import Ids
from diffmidi_core.diffusion.autoregressive_process import AutoregressiveProcess
from diffmidi_core.draw.bar_goals import UNKNOWN, bar_goals
from diffmidi_core.draw.bars import grow_bars
from diffmidi_core.draw.controls import total
from diffmidi_core.draw.filling import Computing as Computing
from diffmidi_core.draw.filling import Filling
from diffmidi_core.draw.filling import OnStep as OnStep
from diffmidi_core.draw.hole import Hole
from diffmidi_core.draw.length import goals_for
from diffmidi_core.draw.long import Drawn, Filled, Frame, grow
from diffmidi_core.draw.model import Model
from diffmidi_core.draw.portions import Bars
from diffmidi_core.draw.redrawing import Passage, bars_anew, bars_of, opened, redrawn
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.machine.build import blamed
from diffmidi_core.machine.memory import Halves
from diffmidi_core.machine.ranks import gathered
from diffmidi_core.request import Request


def pieces(model: Model, request: Request, computing: Computing, *, after: int = 0) -> Iterator[list[Drawn]]:
    """`request.count` pieces in their order, some at a time, on every rank alike; the first `after` are left out.

    A batch of which some are left out is drawn whole: so the others are the same to the last bit. Piece i is a function
    of the seed and i, whatever is drawn beside it, up to the rounding of the device's arithmetic.
    Raises UsageError for a length that this model cannot give, BrokenPluginError where the sampler or the model fails.
    """
    draw: _Draw = (_InBars if model.tokenizer.plan else _InWindows)(model, request, computing)
    ranks = computing.ranks
    first_batch = after // request.batch_size
    for begin in range(first_batch, len(draw.batches), ranks):
        index = begin + computing.rank
        with blamed("sampler", request.sampler, "drawing"):
            mine = [(index, draw.batch(index))] if index < len(draw.batches) else []
        some = gathered(mine) if ranks > 1 else mine[0][1]
        yield some[max(0, after - begin * request.batch_size) :]


class _Draw(ABC):
    """What the batches of a request share."""

    def __init__(self, model: Model, request: Request, computing: Computing) -> None:
        self.model, self.request, self.computing = model, request, computing
        self.filling = Filling.of(model, request, computing)
        size, count = request.batch_size, request.count
        self.batches = [range(begin, min(begin + size, count)) for begin in range(0, count, size)]
        self.halves = Halves("piece", computing.warn)

    def batch(self, index: int) -> list[Drawn]:
        """The pieces of a batch, together as far as memory holds them."""
        batch = self.batches[index]
        grown = self.halves(len(batch), lambda begin, end, _: self.grown(batch[begin:end]))
        if not self.filling.controls.scoring:
            return grown
        return [self._better(piece, drawn) for piece, drawn in zip(batch, grown, strict=True)]

    def _better(self, piece: int, drawn: Drawn) -> Drawn:
        """The piece after some passages were drawn anew, and what controls say of it."""
        request, controls = self.request, self.filling.controls

        def losses(ids: Ids) -> dict[str, float]:
            return controls.losses([self.model.tokenizer.decode(ids, self.model.timeline)])[0]

        ids = drawn.ids
        if len(ids) and request.redraws:
            ids = redrawn(
                ids,
                lambda some: total(losses(some)),
                partial(self.proposed, piece),
                rounds=request.redraws,
                tolerance=request.tolerance,
                seed=request.seed,
                piece=piece,
            )
        return replace(drawn, ids=ids, losses=losses(ids))

    @abstractmethod
    def proposed(self, piece: int, ids: Ids, number: int, random: np.random.Generator) -> list[Ids]:
        """A piece with one passage as it might be as well, the `number`-th time, in as many ways as there are tries."""

    @abstractmethod
    def grown(self, pieces: Sequence[int]) -> list[Drawn]:
        """These pieces, drawn together."""


class _InWindows(_Draw):
    """Of tokens without a plan: window by window."""

    def __init__(self, model: Model, request: Request, computing: Computing) -> None:
        super().__init__(model, request, computing)
        self.goals, self.first = goals_for(
            request.length,
            request.count,
            tokenizer=model.tokenizer,
            lengths=model.lengths,
            seed=request.seed,
            timeline=model.timeline,
        )
        self.frame = Frame.of(model.tokenizer, model.length, request.overlap)
        windows = [[self.frame.windows(self.goals[piece]) for piece in batch] for batch in self.batches]
        self.progress = _Progress(windows, request.steps, computing.on_step)
        self.filling = replace(self.filling, whole=all(count == 1 for batch in windows for count in batch))

    def batch(self, index: int) -> list[Drawn]:
        """Its progress begins where that of the batches before it ends."""
        self.progress.begin(index)
        return super().batch(index)

    def grown(self, pieces: Sequence[int]) -> list[Drawn]:
        """Window by window."""

        def fill(canvas: Canvas, rows: Sequence[int], window: int) -> Filled:
            found = self.filling(canvas, [pieces[row] for row in rows], window, self.progress.tell)
            self.progress.next_window()
            return found

        return grow([self.goals[piece] for piece in pieces], fill, self.frame, first=self.first)

    def proposed(self, piece: int, ids: Ids, number: int, random: np.random.Generator) -> list[Ids]:
        """Some whole notes; pieces that come out too short are left out, and longer ones cut."""
        length, goal, tries = self.model.length, self.goals[piece], self.request.tries
        by_left = isinstance(self.model.process, AutoregressiveProcess)
        passage = Passage.of(ids, self.model.tokenizer, length, random, to_end=by_left)
        canvas = passage.canvas(ids, tries)
        share = (passage.last - passage.first) / max(1, passage.end - passage.begin)
        rows = [(piece, number, 1, place) for place in range(tries)]
        filling = replace(self.filling, guided=False)
        found, _ = filling.filled(canvas, rows, filling.steps_for(canvas, share))
        short, candidates = goal.left(ids) > 0, []
        for row in found:
            middle = row[1 : 1 + passage.end - passage.begin].astype(np.int32)
            text = np.concatenate([ids[: passage.begin], middle, ids[passage.end :]])
            if short:
                candidates.append(text)
            elif goal.left(text) <= 0:
                candidates.append(goal.cut(text))
        return candidates


class _InBars(_Draw):
    """Of tokens that are laid out in bars: portion by portion (draw/portions.py)."""

    def __init__(self, model: Model, request: Request, computing: Computing) -> None:
        super().__init__(model, request, computing)
        self.goals = bar_goals(
            request.length,
            request.count,
            tokenizer=model.tokenizer,
            bars=model.bars,
            lengths=model.lengths,
            seed=request.seed,
        )
        tracks = model.manifest.typical.tracks
        if not tracks:
            raise DiffmidiError(f"{model.path} does not say which tracks its music has: train it again.")
        stride = max(1, round(model.bars * (1 - request.overlap)))
        self.bars = Bars(model.tokenizer, tracks, model.length, model.bars, stride, model.process.order)

    def grown(self, pieces: Sequence[int]) -> list[Drawn]:
        """All at once, a portion of each at a time."""
        goals = [self.goals[piece] for piece in pieces]
        wanted = max(goal([]) for goal in goals)

        def tell(done: int) -> None:
            if self.computing.on_step is not None:
                self.computing.on_step(min(done, wanted), wanted if wanted < UNKNOWN else None)

        return grow_bars(goals, self.filling.by_portion(pieces), self.bars, tell)

    def proposed(self, piece: int, ids: Ids, number: int, random: np.random.Generator) -> list[Ids]:
        """A bar's notes, and how many they are."""
        tokenizer, tries = self.model.tokenizer, self.request.tries
        bars = bars_of(ids, tokenizer)
        bar = int(random.integers(len(bars)))
        cells = [[opened(cell, tokenizer) for cell in each] if at == bar else each for at, each in enumerate(bars)]
        no_sets = np.zeros((0, len(tokenizer.vocab)), dtype=bool)
        hole = Hole(tokenizer, cells, self.model.length, self.model.bars, self.model.process.order, no_sets)
        marks = [(number + 1, place) for place in range(tries)]
        fill = replace(self.filling, guided=False).by_portion([piece] * tries, marks, share=1 / self.model.bars)
        texts = bars_anew(hole, [cells[bar][place].ids for place in range(len(cells[bar]))], bar, fill, tries)
        before, after = ([cell.ids for each in some for cell in each] for some in (bars[:bar], bars[bar + 1 :]))
        return [np.concatenate([*before, *new, *after]).astype(np.int32) for new in texts]


class _Progress:
    """Reverse steps done, of those of all batches.

    Args:
        windows: of each piece of each batch, None where no one knows.
        steps: for each window.
        on_step: told of each step.
    """

    def __init__(self, windows: Sequence[Sequence[int | None]], steps: int, on_step: OnStep | None) -> None:
        known = [max(count or 0 for count in batch) for batch in windows]
        self.before = [steps * sum(known[:index]) for index in range(len(known))]
        self.total = None if any(count is None for batch in windows for count in batch) else steps * sum(known)
        self.steps, self.on_step = steps, on_step
        self.done = 0

    def begin(self, batch: int) -> None:
        """Batches are done in their order, though other ranks may do those between."""
        self.done = max(self.done, self.before[batch])

    def tell(self, done: int, steps: int) -> None:
        """So many steps of this window are done."""
        if self.on_step is not None:
            now = self.done + done
            self.on_step(now, None if self.total is None else max(now, self.total))

    def next_window(self) -> None:
        """All of them are."""
        self.done += self.steps
