"""Classifiers p(c | x_t): which value a label of a window has, told from what a process has made of it by noise.

They read what the denoiser of their model reads, at every level of its noise: embeddings with normal noise, which are
the model's own and stay as they are (Li et al. 2022, Diffusion-LM, section 5), or tokens that are partly masked
(Schiff et al. 2024, Discrete guidance, arXiv:2412.10193). A classifier is trained as a process is: its loss is the
cross entropy at one level a row, and its `bound` the bits of the label.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffmidi_core.contracts.backbone import Backbone
from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.places import EVERYWHERE, Places
from diffmidi_core.contracts.process import Bound, Process
from diffmidi_core.contracts.tokenizer import SPECIALS
from diffmidi_core.diffusion.categorical import draw_uniform
from diffmidi_core.diffusion.gaussian_diffusion import GaussianDiffusion
from diffmidi_core.diffusion.groups import grouped, side_by_side, ungrouped
from diffmidi_core.diffusion.masked_diffusion import MaskedDiffusion
from diffmidi_core.diffusion.neighbours import Neighbours
from diffmidi_core.diffusion.steps import draw_noise, q_sample
from diffmidi_core.diffusion.time_embedding import time_embedding
from diffmidi_core.diffusion.times import spread_times, uniform_levels
from diffmidi_core.errors import DiffmidiError

LN2 = math.log(2)
REACH, TIME_WIDTH, TIME_SCALE = 2, 128, 1000
EMBEDDING_STD = 0.5
WHOLE = 0.5
"""Share of the training rows of a plan that are whole windows, masked anywhere; the others end as drawing has them."""


class Classifier(Process):
    """p(c | x_t) of one label.

    Args:
        model: a process built as the one whose noised music is read; what is needed of it is taken, and not it.
        backbone: of its own, as long as the model's windows have positions (`length_for`).
        label: the name of the label, by which a batch's `condition` has its numbers.
        values: how many it has.
        inner: features of a token.
    """

    def __init__(self, model: Any, *, backbone: Backbone, label: str, values: int, inner: int) -> None:
        super().__init__(model.options, tokenizer=model.tokenizer, backbone=backbone, schedule=model.schedule)
        self.label, self.group = label, int(model.group)
        width = backbone.width
        self.enter = nn.Sequential(nn.Linear(self.group * inner, width), nn.Tanh(), nn.Linear(width, width))
        self.time = nn.Sequential(nn.Linear(TIME_WIDTH, width), nn.SiLU(), nn.Linear(width, width))
        self.neighbours = Neighbours(width, REACH)
        self.leave = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, values))

    @staticmethod
    def length_for(group: int, length: int) -> int:
        """How many positions windows of `length` tokens have, where `group` of them make one."""
        return length + 2 if group == 1 else -(-length // group)

    def take(self, model: Process) -> None:
        """Take from a trained model what stays as it is; nothing by default."""

    @abstractmethod
    def noised(self, batch: Batch, generator: torch.Generator, level: float | None = None) -> Callable[[], Tensor]:
        """What reads the batch noised: at a level in [0, 1), or at those that training draws. It answers as `read`."""

    def read(self, features: Tensor, level: Tensor, mask: Tensor | None) -> Tensor:
        """[B, C] log p(c | x_t) from features of tokens [B, L, inner], the level [B] and the padding mask [B, L]."""
        if self.group > 1:
            features, mask = side_by_side(features, self.group, mask)
        waves = time_embedding(TIME_SCALE * level.to(features.dtype), TIME_WIDTH)
        hidden = self.neighbours(self.enter(features) + self.time(waves)[:, None], mask)
        found = self.backbone(hidden, mask)
        if mask is None:
            pooled = found.mean(1)
        else:
            pooled = (found * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        logits: Tensor = self.leave(pooled)
        return logits.float().log_softmax(-1)

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """ "loss": nats of the label at one level a row, 0 where a row has none."""
        return {"loss": batch.mean(self._nats(batch, self.noised(batch, generator)()), "rows")}

    def bound(self, batch: Batch, generator: torch.Generator, *, levels: int | None = None) -> Bound:
        """Bits of the label as the one term "label" [B, 1], over so many levels; `tokens` counts 1 for a row with one.

        It bounds −log2 p(c | x_t) of the label, and nothing of the music.
        """
        count = levels or 1
        nats = [self._nats(batch, self.noised(batch, generator, (number + 0.5) / count)()) for number in range(count)]
        bits = torch.stack(nats).mean(0) / LN2
        return Bound({"label": bits[:, None]}, (self._numbers(batch) > 0).long())

    def _numbers(self, batch: Batch) -> Tensor:
        """[B] the numbers of the label, 0 where a row has none."""
        return batch.condition[self.label]

    def _nats(self, batch: Batch, log_p: Tensor) -> Tensor:
        number = self._numbers(batch)
        nats = -log_p.gather(-1, (number - 1).clamp(min=0)[:, None])[:, 0]
        return nats * (number > 0)

    def oracle(self, ids: Tensor) -> NoReturn:
        """A classifier predicts no tokens."""
        raise DiffmidiError("a classifier draws nothing: name the model that it was trained for.")


class GaussianClassifier(Classifier):
    """Of embeddings with normal noise. The embeddings are the model's, and no gradient changes them."""

    def __init__(self, model: GaussianDiffusion, *, backbone: Backbone, label: str, values: int) -> None:
        table = model.embeddings().detach().clone()
        super().__init__(model, backbone=backbone, label=label, values=values, inner=table.shape[1])
        self.levels, self.start_std = model.levels, model.start_std
        self.table: Tensor
        self.register_buffer("table", table)

    def take(self, model: Process) -> None:
        """The embeddings of a trained model."""
        assert isinstance(model, GaussianDiffusion)
        self.table.copy_(model.embeddings().detach())

    def log_p(self, x_t: Tensor, t: Tensor, places: Places = EVERYWHERE) -> Tensor:
        """[B, C] log p(c | x_t), x_t [B, L, D] at t [B] as in `GaussianDiffusion.denoise`."""
        return self.read(x_t, t, places.mask)

    def noised(self, batch: Batch, generator: torch.Generator, level: float | None = None) -> Callable[[], Tensor]:
        """x_t ~ q(x_t | w), t uniform over the levels."""
        count, clean = len(self.levels), F.embedding(batch.ids, self.table)

        def noise() -> Tensor:
            return batch.rows_of(lambda rows: draw_noise(generator, clean.new_empty(rows, *clean.shape[1:])))

        if level is None:
            t = uniform_levels(batch, generator, count)
        else:
            t = torch.full((len(clean),), int(level * count), device=clean.device)
        x_t = q_sample(self.levels, clean + self.start_std * noise(), t, noise())
        return lambda: self.log_p(x_t, t / count, batch.places())


class MaskedClassifier(Classifier):
    """Of tokens that are partly masked. How many are is read off them."""

    def __init__(self, model: MaskedDiffusion, *, backbone: Backbone, label: str, values: int) -> None:
        super().__init__(model, backbone=backbone, label=label, values=values, inner=backbone.width)
        self.table = nn.Parameter(torch.randn(len(model.tokenizer.vocab), backbone.width) * EMBEDDING_STD)
        self.plan, self.order = model.plan, model.order
        self.type_of: Tensor
        self.register_buffer("type_of", model.type_of.clone(), persistent=False)

    def log_p(self, z: Tensor, places: Places = EVERYWHERE) -> Tensor:
        """[B, C] log p(c | z) of tokens z [B, L], partly masked."""
        return self.of_features(F.embedding(z, self.table), z, places)

    def of_features(self, features: Tensor, z: Tensor, places: Places = EVERYWHERE) -> Tensor:
        """The same with the embeddings [B, L, H] of the tokens, so that one can ask for their gradient."""
        hidden = (z == self.tokenizer.mask_id).sum(-1)
        share = hidden / (hidden + (z >= len(SPECIALS)).sum(-1)).clamp(min=1)
        return self.read(features, share, places.mask)

    def noised(self, batch: Batch, generator: torch.Generator, level: float | None = None) -> Callable[[], Tensor]:
        """Each token of music is masked with probability m, uniform; of a plan, half of the rows end as drawing has it.

        There, the bars after one are not yet there, and in it the heads alone are, masked; or its notes are masked.
        """
        length, device = batch.ids.shape[1], batch.ids.device
        m = spread_times(batch, generator) if level is None else torch.full((len(batch.ids),), level, device=device)
        chance = batch.rows_of(lambda rows: draw_uniform(generator, (rows, length), device))
        if self.plan is None:
            z = batch.ids.masked_fill(batch.loss_mask() & (chance < m[:, None]), self.tokenizer.mask_id)
            return lambda: self.log_p(z, batch.places())
        choice = batch.rows_of(lambda rows: draw_uniform(generator, (rows, 3), device))
        if level is not None:
            choice = torch.zeros_like(choice)
        z, places = self._as_drawn(batch, chance < m[:, None], choice)
        return lambda: self.log_p(z, places)

    def _as_drawn(self, batch: Batch, masked: Tensor, choice: Tensor) -> tuple[Tensor, Places]:
        """Windows [B, L] of a plan, some tokens `masked` [B, L] of what may be; uniform numbers [B, 3] say how much of
        a window is there.
        """
        assert self.plan is not None
        laid = self.plan.laid(self.type_of[batch.ids], batch.attention_mask)
        whole, where, stage = (each[:, None] for each in choice.unbind(-1))
        whole, heads = whole < WHOLE, stage < 0.5
        bars = laid.stand.bar.masked_fill(~laid.real, 0).amax(-1, keepdim=True) + 1
        last = (where * bars).long() if self.order == "bars" else bars - 1
        new = laid.stand.bar == last if self.order == "bars" else torch.ones_like(laid.real)  # [B, P] what is drawn now
        there = laid.real & (whole | (laid.stand.bar <= last) & ~(new & heads & ~laid.head))
        may = laid.drawn & (whole | new & (laid.head == heads))[..., None]
        z = grouped(batch.ids, self.group)
        z = z.masked_fill(may & grouped(masked, self.group), self.tokenizer.mask_id)
        kept = (~there).long().argsort(dim=-1, stable=True)  # what is there moves together
        z = z.gather(1, kept[..., None].expand(z.shape))
        count = self.group * there.sum(-1, keepdim=True)  # [B, 1] tokens
        place = torch.arange(batch.ids.shape[1], device=z.device)
        ids = ungrouped(z, self.group, len(place)).masked_fill(place > count, self.tokenizer.pad_id)
        ids = torch.where(
            place == 0, self.tokenizer.cls_id, torch.where(place == count + 1, self.tokenizer.sep_id, ids)
        )
        return ids, replace(batch.places(), mask=place < count + 2)


def classifier_for(
    model: Process, make_backbone: Callable[[int], Backbone], length: int, label: str, values: int
) -> Classifier:
    """The classifier that fits a process. Raises DiffmidiError for one that none fits."""
    if not isinstance(model, GaussianDiffusion | MaskedDiffusion):
        raise DiffmidiError(
            f"{type(model).__name__} cannot be led by a classifier: train a model with --process masked or gaussian."
        )
    backbone = make_backbone(Classifier.length_for(model.group, length))
    if isinstance(model, GaussianDiffusion):
        return GaussianClassifier(model, backbone=backbone, label=label, values=values)
    return MaskedClassifier(model, backbone=backbone, label=label, values=values)
