"""The Kullback-Leibler divergence of two normal distributions."""

from __future__ import annotations

from torch import Tensor


def normal_kl(mean: Tensor, log_variance: Tensor, other_mean: Tensor, other_log_variance: Tensor) -> Tensor:
    """KL(N(mean, e^log_variance) ‖ N(other_mean, e^other_log_variance)) in nats, elementwise; shapes broadcast.

    ½ (ln v₂ − ln v₁ + v₁/v₂ + (m₁−m₂)²/v₂ − 1).
    """
    gap = log_variance - other_log_variance
    return 0.5 * (gap.expm1() - gap + (mean - other_mean) ** 2 * (-other_log_variance).exp())
