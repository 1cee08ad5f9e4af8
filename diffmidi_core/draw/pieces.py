"""pieces: what a model makes of a request, batch by batch. The one way to draw."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch

from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.sampler import Denoise, Sampler
from diffmidi_core.data.known_labels import asked_of
from diffmidi_core.diffusion.classifier_guidance import guide
from diffmidi_core.diffusion.labels import Guided
from diffmidi_core.draw.bar_goals import UNKNOWN, bar_goals
from diffmidi_core.draw.bars import Fill, grow_bars
from diffmidi_core.draw.classifiers import Asked, asked_for
from diffmidi_core.draw.length import goals_for
from diffmidi_core.draw.long import Drawn, Filled, Frame, grow
from diffmidi_core.draw.model import Model
from diffmidi_core.draw.portions import Bars
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.machine.build import blamed, build
from diffmidi_core.machine.memory import Halves
from diffmidi_core.machine.ranks import gathered
from diffmidi_core.machine.seeds import generator_for
from diffmidi_core.registry import find
from diffmidi_core.request import Request

OnStep = Callable[[int, int | None], object]
"""Told (done, total) after each reverse step of a window; total is None where no one knows how many it takes."""


@dataclass(frozen=True)
class Computing:
    """How a draw is computed: mixed precision, which rank this is of how many, and whom to tell.

    `warn` is told that memory holds fewer pieces than a batch has, and how many are drawn together from then on.
    """

    autocast: Callable[[], AbstractContextManager[None]]
    rank: int = 0
    ranks: int = 1
    on_step: OnStep | None = None
    warn: Callable[[str], None] = lambda message: None


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


@dataclass(frozen=True)
class Filling:
    """Fills the windows of pieces by the sampler of a request. A window follows from (seed, piece, window) alone."""

    model: Model
    request: Request
    computing: Computing
    sampler: Sampler
    classifiers: Sequence[Asked] = ()

    @classmethod
    def of(cls, model: Model, request: Request, computing: Computing) -> Filling:
        """With the request's sampler and classifiers, built."""
        return cls(model, request, computing, build("sampler", request.sampler), asked_for(request, model))

    def __call__(
        self, canvas: Canvas, pieces: Sequence[int], window: int, on_step: Callable[[int, int], object]
    ) -> Filled:
        """The tokens [B, L] of a canvas whose rows are of these pieces, and what to record of each."""
        return self.filled(canvas, [(piece, window) for piece in pieces], self.request.steps, on_step)

    def filled(
        self,
        canvas: Canvas,
        rows: Sequence[tuple[int, ...]],
        steps: int,
        on_step: Callable[[int, int], object] | None = None,
        width: int = 0,
    ) -> Filled:
        """The same in so many steps; the numbers of a row decide its noise, and `width` is that of `RowDraws`."""
        process, seed = self.model.process, self.request.seed
        device = next(process.parameters()).device
        canvas, denoise = self._asked(canvas, [row[0] for row in rows])
        draws = RowDraws([generator_for(seed, "sample", *row, device=device) for row in rows], width)
        # Not inference_mode: what a part keeps from it for later could not be trained with, and training draws as well.
        with torch.no_grad(), self.computing.autocast():
            found = self.sampler.sample(
                process, canvas.to(device), steps=steps, draws=draws, denoise=denoise, on_step=on_step
            )
        return found.ids.cpu().numpy(), {name: values.tolist() for name, values in found.record.items()}

    def _asked(self, canvas: Canvas, pieces: Sequence[int]) -> tuple[Canvas, Denoise | None]:
        """The canvas with what is asked of these pieces, and the denoiser that follows it."""
        request = self.request
        if not request.want:
            return canvas, None
        known = request.known(self.model.manifest.labels)
        asked = [asked_of(request.want, known, piece) for piece in pieces]
        led = {classifier.label.name for classifier in request.classifiers}
        condition = {
            label.name: torch.tensor([label.number(each[label.name]) for each in asked])
            for label in known
            if label.name in request.want and label.name not in led
        }
        follows = bool(request.guidance and condition)
        denoise: Denoise | None = Guided(self.model.process, request.guidance) if follows else None
        if self.classifiers and request.guidance:
            aims = [classifier.aim(asked) for classifier in self.classifiers]
            denoise = guide(self.model.process, denoise, aims, request.guidance)
        return replace(canvas, condition=condition), denoise

    def by_portion(self, pieces: Sequence[int]) -> Fill:
        """Fills portions of these pieces. The steps of a request are shared out over a window's portions."""
        by_token = find("sampler", self.request.sampler.spec).sampler().step_per_token

        def fill(canvas: Canvas, rows: Sequence[tuple[int, int, int]], portions: int) -> Filled:
            numbers = [(pieces[row], window, part) for row, window, part in rows]
            free = int((~canvas.fixed).any(0).sum())
            steps = free if by_token else max(1, round(self.request.steps / portions))
            return self.filled(canvas, numbers, max(1, steps), width=self.model.length + 2)

        return fill


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
        return self.halves(len(batch), lambda begin, end, _: self.grown(batch[begin:end]))

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
