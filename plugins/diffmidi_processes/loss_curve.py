"""LossCurve: the loss as a function of t, learned while training, and noise levels drawn by it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

BINS = 32
GAIN = 30.0
"""Parameters are increments' logarithms over this: at the learning rates of networks, they keep up with the loss."""
UNIFORM = 0.1
"""Share of the draws that is uniform, so that what the curve is wrong about is seen too."""
FIT_WEIGHT = 1e-3
"""Of the fit's gradient: small, so that it takes no part in the clipping of the network's. Adam does not mind."""


class LossCurve(nn.Module):
    """F(t), rising and piecewise linear over [0, 1], fitted to the loss by least squares.

    Dieleman et al. 2022 (CDCD, arXiv:2211.15089): where t has the density F'(t), the loss is linear in the
    time that is drawn, and each stretch of it is as hard as the next ("warp"; not weighted, as the density is part of
    what is learned). With the density F(t), and each loss divided by it, the mean is that of uniform t with less
    variance ("importance"; Nichol & Dhariwal 2021, section 3.3, by the mean in place of the root mean square).

    The curve is a parameter like others: it is saved, resumed and shared between processes as they are.
    """

    def __init__(self, kind: Literal["importance", "warp"]) -> None:
        super().__init__()
        self.kind = kind
        self.log_rise = nn.Parameter(torch.full((BINS,), -torch.tensor(float(BINS)).log().item() / GAIN))

    def forward(self, t: Tensor) -> Tensor:
        """F [B] at t [B] in [0, 1]."""
        rises = (GAIN * self.log_rise.float()).exp()
        place = t * BINS
        index = place.long().clamp(max=BINS - 1)
        before = rises.cumsum(0) - rises
        height: Tensor = before[index] + (place - index) * rises[index]
        return height

    @torch.no_grad()
    def draw(self, offset: Tensor, rows: int) -> tuple[Tensor, Tensor]:
        """t [rows] in [0, 1), one in each of `rows` equal shares of the density, and the weight of each row's loss.

        `offset` [1] in [0, 1) says where in its share each row draws (Kingma et al. 2021, VDM, appendix I.1).
        """
        rises = (GAIN * self.log_rise.float()).exp().to(offset.device)
        mass = rises if self.kind == "warp" else rises.cumsum(0) - rises / 2
        p = (1 - UNIFORM) * mass / mass.sum() + UNIFORM / BINS
        edges = torch.cat([p.new_zeros(1), p.cumsum(0)])
        u = (offset + torch.arange(rows, device=offset.device) / rows) % 1 * edges[-1]
        index = (torch.searchsorted(edges, u, right=True) - 1).clamp(max=BINS - 1)
        t = (index + ((u - edges[index]) / p[index]).clamp(max=1)) / BINS
        weight = torch.ones_like(t) if self.kind == "warp" else 1 / (BINS * p[index])
        return t.clamp(max=1 - 1e-6), weight

    def misfit(self, t: Tensor, loss: Tensor) -> Tensor:
        """[B] (F(t) − loss)², 0 in value: it is there for its gradient, not to be added to what a run reports."""
        squared: Tensor = FIT_WEIGHT * (self(t) - loss.detach()) ** 2
        return squared - squared.detach()
