"""Choosing: candidates drawn from a model, of which one is kept by a loss that has no gradient.

A rule gives a piece w a loss f(w); what is wanted is the model tilted by it,

    π(w) ∝ p(w) exp(−f(w) / τ),

which at τ = 0 is the model's own distribution among the pieces of the least loss.

1. **Best of k a step.** A sampler proposes k next states out of one, guesses from each which piece comes of it, and
   goes on from one with odds exp(−f(guess) / τ). With normal noise and τ = 0 this is stochastic control guidance (Huang
   et al. 2024, Symbolic Music Generation with Non-Differentiable Rule Guided Diffusion, arXiv:2402.14285); of
   discrete chains it is one particle of Feynman-Kac steering a step (Singhal et al. 2025, arXiv:2501.06848). It is a
   heuristic: what it draws is not π.
2. **Drawing passages anew.** Of a piece that stands, k candidates for one passage are drawn from p(passage | the rest),
   and one of them or the passage as it is is kept, with odds exp(−f / τ) of the whole pieces. That leaves π as it is,
   exactly, for any k and any passage that is chosen without regard to what is in it: it is Gibbs sampling in which the
   conditional is drawn by iterated sampling importance resampling (Tjelmeland 2004; Andrieu, Lee and Vihola 2018,
   Uniform ergodicity of the iterated conditional SMC and geometric ergodicity of particle Gibbs samplers, section 2).
   It is exact as far as the sampler draws from p(passage | the rest).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from diffmidi_core.contracts.draws import RowDraws

Loss = Callable[[Tensor], Tensor]
"""Tokens [B, L] to losses [B]."""


def log_odds(losses: Tensor, tolerance: float) -> Tensor:
    """Losses [..., K] of candidates to log-odds [..., K]; with no tolerance the first of the least has all of them."""
    if tolerance > 0:
        return -losses / tolerance
    best = losses.argmin(-1, keepdim=True)
    return torch.full_like(losses, -torch.inf).scatter(-1, best, 0.0)


class Choosing(RowDraws):
    """Draws of which each step of a sampler takes one among some candidates, row by row.

    Args:
        streams, width: as RowDraws has them.
        loss: of the guessed tokens of all rows.
        tries: how many candidates, k.
        tolerance: τ.
    """

    def __init__(
        self, streams: Sequence[torch.Generator], width: int, loss: Loss, tries: int, tolerance: float = 0.0
    ) -> None:
        super().__init__(streams, width)
        self._loss, self._tries, self._tolerance = loss, tries, tolerance
        self.chose = False
        """Whether anything was chosen; a sampler may have steps in which nothing is random."""

    def chosen(self, propose: Callable[[RowDraws], Tensor], guess: Callable[[Tensor], Tensor]) -> Tensor:
        """One of k proposals for each row."""
        self.chose = True
        states = [propose(self) for _ in range(self._tries)]
        return self.one_of(torch.stack(states), torch.stack([self._loss(guess(state)) for state in states], -1))

    def one_of(self, states: Tensor, losses: Tensor) -> Tensor:
        """[B, ...] of states [K, B, ...] one for each row, by losses [B, K]."""
        kept = self.categorical(log_odds(losses.double(), self._tolerance)).to(states.device)
        return states[kept, torch.arange(states.shape[1], device=states.device)]


class Remembered:
    """A denoiser that is asked about the same state several times, once for each proposal, and answers it once."""

    def __init__(self, denoise: Callable[..., Any]) -> None:
        self._denoise = denoise
        self._last: tuple[Tensor, Any] | None = None

    def __call__(self, state: Tensor, *more: Any, **named: Any) -> Any:
        """What the denoiser says of the state; the rest is taken to be what it was."""
        if self._last is None or self._last[0] is not state:
            self._last = state, self._denoise(state, *more, **named)
        return self._last[1]
