"""The sinusoid that tells a network the time."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def time_embedding(tau: Tensor, width: int, *, longest_period: float = 10_000) -> Tensor:
    """[B] times to [B, width] features: cos(τ w_i), then sin(τ w_i), w_i = longest_period^(−i/⌊width/2⌋).

    Vaswani et al. 2017, section 3.5, in the order of Nichol & Dhariwal 2021. `tau` is in thousandths of the chain
    (τ = 1000 t); an odd width ends in a zero.
    """
    half = width // 2
    rates = torch.exp(torch.arange(half, dtype=tau.dtype, device=tau.device) * (-math.log(longest_period) / half))
    angles = tau[:, None] * rates  # [B, half]
    waves = torch.cat([angles.cos(), angles.sin()], dim=-1)
    return torch.nn.functional.pad(waves, (0, width % 2))
