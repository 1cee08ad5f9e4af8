"""Filling: canvases of pieces, by the sampler of a request, under what it asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.sampler import Denoise, Sampled, Sampler
from diffmidi_core.contracts.tokenizer import SPECIALS
from diffmidi_core.data.known_labels import asked_of
from diffmidi_core.diffusion.choosing import Choosing, Remembered
from diffmidi_core.diffusion.classifier_guidance import guide
from diffmidi_core.diffusion.labels import Guided
from diffmidi_core.diffusion.masked_diffusion import MaskedDiffusion
from diffmidi_core.draw.bars import Fill
from diffmidi_core.draw.classifiers import Asked, asked_for
from diffmidi_core.draw.controls import Controls, total
from diffmidi_core.draw.long import Filled
from diffmidi_core.draw.model import Model
from diffmidi_core.machine.build import build
from diffmidi_core.machine.seeds import generator_for
from diffmidi_core.registry import find
from diffmidi_core.request import Request

OnStep = Callable[[int, int | None], object]
"""Told (done, total) after each reverse step of a window; total is None where no one knows how many it takes."""
OnState = Callable[[torch.Tensor], object]
"""Told tokens [L], of which some are [MASK]."""


@dataclass(frozen=True)
class Computing:
    """How a draw is computed: mixed precision, which rank this is of how many, and whom to tell.

    `on_state` is told the tokens [L] of the first piece of a portion before each evaluation of a masked denoiser.
    `warn` is told that memory holds fewer pieces than a batch has, and how many are drawn together from then on.
    """

    autocast: Callable[[], AbstractContextManager[None]]
    rank: int = 0
    ranks: int = 1
    on_step: OnStep | None = None
    on_state: OnState | None = None
    warn: Callable[[str], None] = lambda message: None


@dataclass(frozen=True)
class Filling:
    """Fills the windows of pieces by the sampler of a request. A window follows from (seed, piece, window) alone."""

    model: Model
    request: Request
    computing: Computing
    sampler: Sampler
    controls: Controls
    classifiers: Sequence[Asked] = ()
    guided: bool = True
    whole: bool = False
    """`guided`: candidates are chosen from where controls judge music. `whole`: rows are whole pieces."""

    @classmethod
    def of(cls, model: Model, request: Request, computing: Computing) -> Filling:
        """With the request's sampler, controls and classifiers, built."""
        sampler = build("sampler", request.sampler)
        return cls(model, request, computing, sampler, Controls.of(request), asked_for(request, model))

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
        choosable = self._choosable(canvas)
        if not choosable.any() or choosable.all():
            return self._sampled(canvas, rows, steps, on_step, width, choosing=bool(choosable.any()))
        # So that a row is the same whatever is beside it.
        found = np.zeros(canvas.ids.shape, dtype=np.int64)
        record: dict[str, list[int]] = {}
        for which in (choosable, ~choosable):
            numbers = which.nonzero()[:, 0].tolist()
            some = [rows[number] for number in numbers]
            ids, told = self._sampled(canvas.rows(which), some, steps, None, width, choosing=which is choosable)
            found[numbers] = ids
            for name, values in told.items():
                for number, value in zip(numbers, values, strict=True):
                    record.setdefault(name, [0] * len(rows))[number] = value
        return found, record

    def _sampled(
        self,
        canvas: Canvas,
        rows: Sequence[tuple[int, ...]],
        steps: int,
        on_step: Callable[[int, int], object] | None,
        width: int,
        *,
        choosing: bool,
    ) -> Filled:
        """`filled`, with a choice among candidates at each step or without."""
        process, seed = self.model.process, self.request.seed
        device = next(process.parameters()).device
        canvas, labelled = self._asked(self.controls.prepared(canvas, self.model.tokenizer), [row[0] for row in rows])
        canvas, denoise = canvas.to(device), self.controls.wrapped(labelled, process)
        streams = [generator_for(seed, "sample", *row, device=device) for row in rows]
        chosen = Choosing(streams, width, self._losses, self.request.tries, self.request.tolerance)
        if choosing and isinstance(process, MaskedDiffusion):
            denoise = Remembered(denoise or process.denoiser())
        if self.computing.on_state is not None and isinstance(process, MaskedDiffusion):
            denoise = _watched(denoise or process.denoiser(), self.computing.on_state)
        asked: dict[str, Any] = {"steps": steps, "denoise": denoise, "on_step": on_step}
        asked |= {"draws": chosen if choosing else RowDraws(streams, width)}
        # Not inference_mode: what a part keeps from it for later could not be trained with, and training draws as well.
        with torch.no_grad(), self.computing.autocast():
            found = self.sampler.sample(process, canvas, **asked)
            if choosing and not chosen.chose:  # a sampler whose steps leave nothing to choose
                found = self._best(chosen, found, lambda: self.sampler.sample(process, canvas, **asked))
        return found.ids.cpu().numpy(), {name: values.tolist() for name, values in found.record.items()}

    def _choosable(self, canvas: Canvas) -> torch.Tensor:
        """[B] bool: in which rows controls can tell candidates apart: notes are drawn there, not heads alone."""
        rows = len(canvas.ids)
        if not self.guided or self.request.tries < 2 or not self.controls.judging(parts=not self.whole):
            return torch.zeros(rows, dtype=torch.bool)
        tokenizer = self.model.tokenizer
        if not tokenizer.plan or canvas.types is None:
            return torch.ones(rows, dtype=torch.bool)
        heads = torch.tensor([name in tokenizer.plan for name in tokenizer.grammar.types])
        return (~canvas.fixed & ~heads[canvas.types]).any(-1)

    def _losses(self, ids: torch.Tensor) -> torch.Tensor:
        """[B] what candidates [B, L] are chosen by."""
        tokenizer = self.model.tokenizer
        rows = [row[row >= len(SPECIALS)].astype(np.int32) for row in ids.cpu().numpy()]
        scores = [tokenizer.decode(row, self.model.timeline) for row in rows]
        losses = self.controls.losses(scores, parts=not self.whole)
        return torch.tensor([total(each) for each in losses], device=ids.device)

    def _best(self, choosing: Choosing, first: Sampled, again: Callable[[], Sampled]) -> Sampled:
        """For each row one of so many whole draws."""
        draws = [first, *(again() for _ in range(self.request.tries - 1))]
        losses = torch.stack([self._losses(each.ids) for each in draws], -1)
        kept = choosing.one_of(torch.arange(len(draws), device=losses.device)[:, None].expand(losses.T.shape), losses)
        rows = torch.arange(len(kept), device=kept.device)
        record = {name: torch.stack([each.record[name] for each in draws])[kept, rows] for name in first.record}
        return Sampled(torch.stack([each.ids for each in draws])[kept, rows], record)

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

    def by_portion(self, pieces: Sequence[int], marks: Sequence[tuple[int, ...]] = (), share: float = 1.0) -> Fill:
        """Fills portions of these pieces. The steps of a request are shared out over a window's portions.

        `marks` are numbers of each piece beside its own that decide its noise; `share` is that of a window which all
        the portions make up.
        """

        def fill(canvas: Canvas, rows: Sequence[tuple[int, int, int]], portions: int) -> Filled:
            numbers = [(pieces[row], window, part, *(marks[row] if marks else ())) for row, window, part in rows]
            return self.filled(canvas, numbers, self.steps_for(canvas, share / portions), width=self.model.length + 2)

        return fill

    def steps_for(self, canvas: Canvas, share: float) -> int:
        """Steps for a canvas that has such a share of what a window has to be drawn."""
        if find("sampler", self.request.sampler.spec).sampler().step_per_token:
            return max(1, int((~canvas.fixed).any(0).sum()))
        return max(1, round(self.request.steps * share))


def _watched(denoise: Denoise, tell: OnState) -> Denoise:
    def watched(z: torch.Tensor, *more: Any) -> Any:
        tell(z[0])
        return denoise(z, *more)

    return watched
