"""AutoregressiveProcess: one token after the other, each given those before it. No noise, and an exact likelihood.

    −log p(w) = Σ_l −log p(w_l | w_1 ... w_{l−1})

It is no diffusion: it is what the bounds of diffusion are to be measured against, over the same tokens, backbones and
windows. A window's tokens have this probability given that there are N of them, as the bounds do: the model says
beginnings of music, and those of N tokens have probabilities that sum to one.

[CLS], [SEP] and [PAD] follow from the number of tokens, and cost nothing. Where the tokenizer has a plan
(`Tokenizer.plan`), the types of all tokens are known before they are, heads coming before the notes that they count: a
window has its probability given its bars and tracks.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from diffmidi_core.contracts.backbone import Backbone
from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.places import EVERYWHERE, Places
from diffmidi_core.contracts.process import Bound, Process
from diffmidi_core.contracts.schedule import NoiseSchedule
from diffmidi_core.contracts.tokenizer import SPECIALS, Tokenizer
from diffmidi_core.declaration import Options
from diffmidi_core.diffusion.categorical import exact, nucleus
from diffmidi_core.diffusion.features import pooled
from diffmidi_core.diffusion.next_word import NextWord
from diffmidi_core.diffusion.plan_next import PlanNext, refuse
from diffmidi_core.errors import DiffmidiError

NOT_ASKED = -100


class AutoregressiveProcess(Process):
    """Tokens from left to right. The family "autoregressive"; the schedule is not used. A subclass gives `predict`.

    Args:
        typed: leave out of the softmax the tokens that the tokenizer's grammar does not let follow (`NextWord`). With a
            plan tokens of other types are always left out, and times past the end of the bar (`PlanNext`).
    """

    exact = True
    plans = True
    order = "cells"

    def __init__(
        self, options: Options, *, tokenizer: Tokenizer, backbone: Backbone, schedule: NoiseSchedule, typed: bool
    ) -> None:
        super().__init__(options, tokenizer=tokenizer, backbone=backbone, schedule=schedule)
        self.plan_next = PlanNext(tokenizer) if tokenizer.plan else None
        self.next_word = NextWord(tokenizer.grammar) if typed and not tokenizer.plan else None

    @abstractmethod
    def predict(self, ids: Tensor, places: Places = EVERYWHERE) -> Tensor:
        """Logits [B, L, V] of each token of ids [B, L], from those before it alone; at position 0 anything.

        [PAD] needs no mask: it stands at the end, where no token looks. With a plan `places` knows the types.
        """

    def predict_next(self, ids: Tensor, places: Places, past: Any) -> tuple[Tensor, Any]:
        """Logits [B, V] of the last token of ids [B, L], which is not looked at, and what the next call is given.

        The next call has the same tokens before that one, and is about a later one. `past` is None in the first. By
        default all is computed anew each time.
        """
        return self.predict(ids, places)[:, -1], None

    def denoiser(self) -> Callable[..., Tensor]:
        """What stands in for `predict` while a canvas is filled: logits [B, 1, V] of the last token, past kept."""
        past: Any = None

        def predict(ids: Tensor, places: Places = EVERYWHERE) -> Tensor:
            nonlocal past
            logits, past = self.predict_next(ids, places, past)
            return logits[:, None]

        return predict

    def placed(self, places: Places, ids: Tensor) -> Places:
        """`places` with the types of texts ids [B, L], perhaps partly masked, where the tokenizer has a plan."""
        if self.plan_next is None or places.types is not None:
            return places
        return replace(places, types=self.plan_next.plan.types(ids))

    def allowed(self, ids: Tensor, places: Places = EVERYWHERE) -> Tensor:
        """[B, L, V] bool: what may stand at each position of ids [B, L], given the tokens before it."""
        if self.plan_next is not None:
            types = self.placed(places, ids).types
            assert types is not None
            return self.plan_next.allowed(ids, types)
        if self.next_word is None:
            return self._music(ids.device).expand(*ids.shape, -1)
        return self.next_word.allowed(self.next_word.states(ids)[:, :-1])

    def _music(self, device: torch.device) -> Tensor:
        """[V] bool: all tokens but specials."""
        return torch.arange(len(self.tokenizer.vocab), device=device) >= len(SPECIALS)

    def reader(self, canvas: Canvas) -> Reader:
        """What follows a canvas from left to right, as it is filled."""
        return Reader(self, canvas)

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
        refuse(~allowed.any(-1))
        logits = exact(logits).masked_fill(~allowed.to(logits.device), -torch.inf) / temperature
        if 0 < top_k < logits.shape[-1]:
            logits = logits.masked_fill(logits < logits.topk(top_k).values[..., -1:], -torch.inf)
        return draws.categorical(nucleus(logits, top_p)).to(allowed.device)

    def oracle(self, ids: Tensor) -> Callable[..., Tensor]:
        """What stands in for `predict` and is sure of the tokens [B, L], whatever it is shown."""
        sure = torch.zeros(*ids.shape, len(self.tokenizer.vocab), device=ids.device)
        sure = sure.fill_(-torch.inf).scatter(-1, ids[..., None], 0)
        return lambda seen, places=EVERYWHERE: sure[:, : seen.shape[1]]

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """ "loss": cross-entropy in nats per token. Nothing is drawn."""
        places, is_word = self._known(batch)
        return {"loss": batch.mean(self._nats(batch, places, self.allowed(batch.ids, places), is_word), "tokens")}

    def bound(self, batch: Batch, generator: torch.Generator, *, levels: int | None = None) -> Bound:
        """−log2 p(tokens | their number) itself, in the one term "tokens", whatever `levels`.

        Raises DiffmidiError where tokens stand that the grammar does not allow.
        """
        places, is_word = self._known(batch)
        allowed = self.allowed(batch.ids, places)
        if (~allowed.gather(-1, batch.ids[..., None]).squeeze(-1) & is_word).any():
            raise DiffmidiError(
                "a window holds tokens that the tokenizer's grammar does not allow where they stand, as one that begins"
                " inside a note does: choose a --length that holds the longest note, or set process.typed=false."
            )
        nats = self._nats(batch, places, allowed, is_word)
        return Bound(terms={"tokens": nats / math.log(2)}, tokens=batch.tokens)

    def features(self, batch: Batch) -> Tensor:
        """[B, H] what the backbone makes of the tokens, averaged over positions; rows are of one length."""
        return pooled(self.backbone, lambda: self.predict(batch.ids, self._known(batch)[0]))

    def _known(self, batch: Batch) -> tuple[Places, Tensor]:
        """What is known before the tokens are, and [B, L] bool which tokens are to be predicted."""
        places, is_word = self.placed(batch.places(), batch.ids), batch.loss_mask()
        if self.plan_next is not None:
            is_word = is_word & self.plan_next.plan.open[places.types]
        if places.given is not None:
            is_word = is_word & ~places.given
        return places, is_word

    def _nats(self, batch: Batch, places: Places, allowed: Tensor, is_word: Tensor) -> Tensor:
        """[B, L] −log p of each token, 0 elsewhere."""
        # Where no token is asked for, perhaps none is allowed: a softmax over nothing would spoil the gradient.
        never = ~allowed & is_word[..., None]
        return F.cross_entropy(
            self.predict(batch.ids, places).float().masked_fill(never, -torch.inf).mT,
            batch.ids.masked_fill(~is_word, NOT_ASKED),
            reduction="none",
            ignore_index=NOT_ASKED,
        )


class Reader:
    """A canvas read from left to right: what comes next by the network, and what may by grammar, plan and canvas.

    Of what the network kept and of the grammar's states it remembers as far as it has read.
    """

    def __init__(self, process: AutoregressiveProcess, canvas: Canvas) -> None:
        self._process = process
        self._places = process.placed(canvas.places(), canvas.ids)
        self._admitted = canvas.admitted()
        self._past: Any = None
        self._read = 0
        if (word := process.next_word) is not None:
            self._ahead = word.ahead(canvas.ids, canvas.fixed, self._admitted)
            self._states = word.begun(len(canvas.ids))
        elif (plan := process.plan_next) is not None:
            assert self._places.types is not None
            self._later = plan.later(canvas.ids, self._places.types, canvas.fixed, self._admitted)

    def logits(self, ids: Tensor, predict: Callable[..., Tensor] | None) -> Tensor:
        """[B, V] of the last token of ids [B, L], which is not looked at; by `predict` where it stands in."""
        places = self._places.until(ids.shape[1])
        if predict is not None:
            return predict(ids, places)[:, -1]
        logits, self._past = self._process.predict_next(ids, places, self._past)
        return logits

    def allowed(self, ids: Tensor) -> Tensor:
        """[B, V] bool: what may stand last in ids [B, L], given what is before it and what the canvas is to become."""
        last = ids.shape[1] - 1
        if (word := self._process.next_word) is not None:
            self._states = word.after(self._states, ids[:, self._read : last])
            self._read = last
            allowed = word.allowed(self._states, self._ahead[:, last + 1])
        elif (plan := self._process.plan_next) is not None:
            types = self._places.until(last + 1).types
            assert types is not None
            allowed = plan.allowed_last(ids, types, self._later[:, last])
        else:
            allowed = self._process.allowed(ids[:, -1:])[:, 0]
        return allowed if self._admitted is None else allowed & self._admitted[:, last]
