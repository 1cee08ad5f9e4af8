"""AutoregressiveProcess: one token after the other, each given those before it. No noise, and an exact likelihood.

    −log p(w) = Σ_l −log p(w_l | w_1 ... w_{l−1})

It is no diffusion: it is what the bounds of diffusion are to be measured against, over the same tokens, backbones and
windows. A window's tokens have this probability given that there are N of them, as the bounds do: the model says
beginnings of music, and those of N tokens have probabilities that sum to one.

[CLS], [SEP] and [PAD] follow from the number of tokens, and cost nothing.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from diffmidi_core.contracts.backbone import Backbone
from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.process import Bound, Process
from diffmidi_core.contracts.schedule import NoiseSchedule
from diffmidi_core.contracts.tokenizer import SPECIALS, Tokenizer
from diffmidi_core.declaration import Options
from diffmidi_core.diffusion.categorical import exact, nucleus
from diffmidi_core.diffusion.next_word import NextWord
from diffmidi_core.errors import DiffmidiError

NOT_ASKED = -100


class AutoregressiveProcess(Process):
    """Tokens from left to right. The family "autoregressive"; the schedule is not used. A subclass gives `predict`.

    Args:
        typed: leave out of the softmax the tokens that the tokenizer's grammar does not let follow (`NextWord`).
    """

    exact = True

    def __init__(
        self, options: Options, *, tokenizer: Tokenizer, backbone: Backbone, schedule: NoiseSchedule, typed: bool
    ) -> None:
        super().__init__(options, tokenizer=tokenizer, backbone=backbone, schedule=schedule)
        self.next_word = NextWord(tokenizer.grammar) if typed else None

    @abstractmethod
    def predict(self, ids: Tensor) -> Tensor:
        """Logits [B, L, V] of each token of ids [B, L], from those before it alone; at position 0 anything.

        [PAD] needs no mask: it stands at the end, where no token looks.
        """

    def allowed(self, ids: Tensor, ahead: Tensor | None = None) -> Tensor:
        """[B, L, V] bool: what may stand at each position of ids [B, L], given the tokens before it.

        `ahead`, as `NextWord.ahead` gives it for a canvas that begins with `ids`, allows only what leads on there.
        """
        if self.next_word is None:
            return (torch.arange(len(self.tokenizer.vocab), device=ids.device) >= len(SPECIALS)).expand(*ids.shape, -1)
        states = self.next_word.states(ids)[:, :-1]
        return self.next_word.allowed(states, None if ahead is None else ahead[:, 1 : ids.shape[1] + 1])

    def draw(
        self,
        logits: Tensor,
        allowed: Tensor,
        draws: RowDraws,
        *,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
    ) -> Tensor:
        """Tokens [B] from softmax(logits / temperature) over those `allowed` [B, V]; logits [B, V] as from `predict`.

        Of the allowed tokens the `top_k` most probable are kept (0: all), and of those the fewest that together have
        the share `top_p`.
        """
        logits = exact(logits).masked_fill(~allowed.to(logits.device), -torch.inf) / temperature
        if 0 < top_k < logits.shape[-1]:
            logits = logits.masked_fill(logits < logits.topk(top_k).values[..., -1:], -torch.inf)
        return draws.categorical(nucleus(logits, top_p)).to(allowed.device)

    def oracle(self, ids: Tensor) -> Callable[..., Tensor]:
        """What stands in for `predict` and is sure of the tokens [B, L], whatever it is shown."""
        sure = torch.zeros(*ids.shape, len(self.tokenizer.vocab), device=ids.device)
        sure = sure.fill_(-torch.inf).scatter(-1, ids[..., None], 0)
        return lambda seen: sure[:, : seen.shape[1]]

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """ "loss": cross-entropy in nats per token. Nothing is drawn."""
        is_word = batch.loss_mask()
        return {"loss": batch.mean(self._nats(batch, self.allowed(batch.ids), is_word), "tokens")}

    def bound(self, batch: Batch, generator: torch.Generator, *, levels: int | None = None) -> Bound:
        """−log2 p(tokens | their number) itself, in the one term "tokens", whatever `levels`.

        Raises DiffmidiError where tokens stand that the grammar does not allow.
        """
        is_word, allowed = batch.loss_mask(), self.allowed(batch.ids)
        if (~allowed.gather(-1, batch.ids[..., None]).squeeze(-1) & is_word).any():
            raise DiffmidiError(
                "a window holds tokens that the tokenizer's grammar does not allow where they stand, as one that begins"
                " inside a note does: choose a --length that holds the longest note, or set process.typed=false."
            )
        return Bound(terms={"tokens": self._nats(batch, allowed, is_word) / math.log(2)}, tokens=batch.tokens)

    def _nats(self, batch: Batch, allowed: Tensor, is_word: Tensor) -> Tensor:
        """[B, L] −log p of each token, 0 elsewhere."""
        # Where no token is asked for, perhaps none is allowed: a softmax over nothing would spoil the gradient.
        never = ~allowed & is_word[..., None]
        return F.cross_entropy(
            self.predict(batch.ids).float().masked_fill(never, -torch.inf).mT,
            batch.ids.masked_fill(~is_word, NOT_ASKED),
            reduction="none",
            ignore_index=NOT_ASKED,
        )
