"""Draws from categorical distributions, in float64.

In float32 the usual draw by Gumbel noise is colder than it says, and the words fewer (Zheng et al. 2024, Masked
Diffusion Models are Secretly Time-Agnostic Masked Models, arXiv:2409.02908).
"""

from __future__ import annotations

import torch
from torch import Tensor

from diffmidi_core.diffusion.rows import drawn


def exact(values: Tensor) -> Tensor:
    """The values in float64; on the CPU where their device has none."""
    return (values.cpu() if values.device.type == "mps" else values).double()


def draw_uniform(generator: torch.Generator, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Uniform numbers in [0, 1), float32, drawn where the generator lives."""
    numbers = drawn(lambda some, of: torch.rand(some, generator=of, device=of.device), generator, shape)
    return numbers.to(device, non_blocking=True)


def draw_categorical(logits: Tensor, generator: torch.Generator, *, row_of: Tensor | None = None) -> Tensor:
    """Indices [...] drawn from softmax(logits [..., N]); −inf is never drawn where anything else can be.

    Where the logits are not [B, ...] but [M, N], of some positions, `row_of` [M] says to which row each belongs.

    An exponential race: of clocks that ring at rates p_n, the n-th rings first with probability p_n.
    """

    def exponential(shape: tuple[int, ...], of: torch.Generator) -> Tensor:
        return torch.empty(shape, dtype=logits.dtype, device=of.device).exponential_(generator=of)

    clocks = drawn(exponential, generator, logits.shape, row_of)
    return (logits.softmax(-1) / clocks.to(logits.device)).argmax(-1)


def nucleus(logits: Tensor, top_p: float) -> Tensor:
    """The logits [..., N] with −inf outside the fewest most probable that together have the share `top_p`.

    Holtzman et al. 2020, The Curious Case of Neural Text Degeneration, section 3.1.
    """
    if top_p >= 1:
        return logits
    p, order = logits.softmax(-1).sort(-1, descending=True)
    beyond = p.cumsum(-1) - p >= top_p
    return logits.masked_fill(torch.zeros_like(beyond).scatter(-1, order, beyond), -torch.inf)
