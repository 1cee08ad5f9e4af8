"""What categorical distributions are prepared with before something is drawn from them, and uniform numbers."""

from __future__ import annotations

import torch
from torch import Tensor


def exact(values: Tensor) -> Tensor:
    """The values in float64; on the CPU where their device has none."""
    return (values.cpu() if values.device.type == "mps" else values).double()


def draw_uniform(generator: torch.Generator, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Uniform numbers in [0, 1), float32, drawn where the generator lives."""
    return torch.rand(shape, generator=generator, device=generator.device).to(device, non_blocking=True)


def restricted(logits: Tensor, admitted: Tensor | None) -> Tensor:
    """The logits [B, L, V] with −inf at tokens that are not `admitted` [B, L, V] bool; None: all are."""
    return logits if admitted is None else logits.masked_fill(~admitted.to(logits.device), -torch.inf)


def nucleus(logits: Tensor, top_p: float) -> Tensor:
    """The logits [..., N] with −inf outside the fewest most probable that together have the share `top_p`.

    Holtzman et al. 2020, The Curious Case of Neural Text Degeneration, section 3.1.
    """
    if top_p >= 1:
        return logits
    p, order = logits.softmax(-1).sort(-1, descending=True)
    beyond = p.cumsum(-1) - p >= top_p
    return logits.masked_fill(torch.zeros_like(beyond).scatter(-1, order, beyond), -torch.inf)
