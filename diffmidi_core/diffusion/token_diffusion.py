"""TokenDiffusion: a process that corrupts tokens one by one, put together from its parts.

What a process of this kind is made of: the corruption `q`, the network that answers to it (`denoise`), how times are
drawn (`spread_times`), and the objective, whose mean over times and corruptions is the bound.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from diffmidi_core.contracts.backbone import Backbone
from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.places import EVERYWHERE, Places
from diffmidi_core.contracts.process import Process
from diffmidi_core.contracts.schedule import NoiseSchedule
from diffmidi_core.contracts.tokenizer import SPECIALS, Tokenizer
from diffmidi_core.declaration import Options
from diffmidi_core.diffusion.categorical import draw_uniform
from diffmidi_core.diffusion.corruption import Corruption
from diffmidi_core.diffusion.support import Support
from diffmidi_core.diffusion.times import spread_times


class TokenDiffusion(Process):
    """Tokens of music are corrupted each by itself; [CLS], [SEP] and [PAD] follow from their number, and never are.

    A subclass gives `corruption`, `denoise`, `level`, `objective` and `bound`.

    Args:
        typed: leave out of the softmax the tokens whose type cannot stand at their position (`Support`).
        group: how many tokens make a position of the backbone.
    """

    corruption: Corruption
    least_time: ClassVar[float] = 0.0
    """Training draws t from here to 1."""

    def __init__(
        self,
        options: Options,
        *,
        tokenizer: Tokenizer,
        backbone: Backbone,
        schedule: NoiseSchedule,
        typed: bool,
        group: int = 1,
    ) -> None:
        super().__init__(options, tokenizer=tokenizer, backbone=backbone, schedule=schedule)
        length = backbone.length if group == 1 else group * backbone.length + 2
        self.support = Support(tokenizer.grammar, length) if typed and not tokenizer.plan else None

    @abstractmethod
    def denoise(self, z: Tensor, m: Tensor, places: Places = EVERYWHERE) -> Tensor:
        """Logits [B, L, V] of the tokens before all noise, from z [B, L] int64 at the level m [B].

        m in [0, 1] is the share of noise, which means the same under any schedule.
        """

    @abstractmethod
    def level(self, t: Tensor) -> Tensor:
        """The level m [B] of the corruption at times t [B] in [0, 1]."""

    @abstractmethod
    def objective(self, batch: Batch, z: Tensor, t: Tensor) -> Tensor:
        """[B, L] nats, 0 where no token of music stands: what is to be averaged over t [B] and z ~ q."""

    def log_probabilities(self, logits: Tensor) -> Tensor:
        """[B, L, V] log p(w_l | z) of the logits of `denoise`; −inf for specials and what the support leaves out."""
        if self.support is None:
            never = torch.arange(logits.shape[-1], device=logits.device) < len(SPECIALS)
        else:
            never = ~self.support.allowed(logits.shape[1]).to(logits.device)
        return logits.masked_fill(never, -torch.inf).log_softmax(-1)

    def corrupted(self, batch: Batch, m: Tensor, generator: torch.Generator) -> Tensor:
        """z [B, L] ~ q at levels m [B], at tokens of music; the rest stays."""
        length, device = batch.ids.shape[1], batch.ids.device

        def uniform() -> Tensor:
            return batch.rows_of(lambda rows: draw_uniform(generator, (rows, length), device))

        return torch.where(batch.loss_mask(), self.corruption.draw(batch.ids, m, uniform), batch.ids)

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """ "loss": the objective in nats per token, at one t a row."""
        t = spread_times(batch, generator, self.least_time)
        z = self.corrupted(batch, self.level(t), generator)
        return {"loss": batch.mean(self.objective(batch, z, t), "tokens")}

    def oracle(self, ids: Tensor) -> Callable[..., Tensor]:
        """A denoiser that is sure of the tokens, whatever it is shown."""
        sure = torch.zeros(*ids.shape, len(self.tokenizer.vocab), device=ids.device)
        sure = sure.fill_(-torch.inf).scatter(-1, ids[..., None], 0)
        return lambda z, m, places=EVERYWHERE: sure
