"""A convolution that shows each position its neighbours before attention has learned to look for them."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Neighbours(nn.Module):
    """[B, L, H] features to y + conv(y), y their LayerNorm: each position and `reach` positions on either side.

    Which token stands so many places away is what says most of a hidden or noised one, and an encoder with a table of
    positions must learn it place by place; a convolution knows distances from the first step on. Put before attention
    by Gulati et al. 2020 (Conformer, arXiv:2005.08100) and Jiang et al. 2020 (ConvBERT, arXiv:2008.02496); here it is
    one dense layer, of (2 reach + 1) H² weights. A `causal` one sees those before alone, and has reach + 1.
    """

    def __init__(self, width: int, reach: int, *, causal: bool = False) -> None:
        super().__init__()
        size = reach + 1 if causal else 2 * reach + 1
        self.behind = reach if causal else 0
        self.norm = nn.LayerNorm(width)
        self.convolution = nn.Conv1d(width, width, size, padding=0 if causal else reach)
        nn.init.normal_(self.convolution.weight, std=(width * size) ** -0.5)
        if self.convolution.bias is not None:
            nn.init.zeros_(self.convolution.bias)

    def forward(self, hidden: Tensor, mask: Tensor | None = None, runs: Tensor | None = None) -> Tensor:
        """Features [B, L, H] to features [B, L, H]; positions that `mask` [B, L] leaves out are seen by none.

        `runs` [B, L] are numbers of runs of positions; those of one run alone see each other.
        """
        normed = self.norm(hidden)
        seen = normed if mask is None else normed * mask[..., None]
        if self.behind:
            causal: Tensor = normed + self.convolution(F.pad(seen.mT, (self.behind, 0))).mT
            return causal
        mixed: Tensor = normed + (self.convolution(seen.mT).mT if runs is None else self._within(seen, runs))
        return mixed

    def _within(self, seen: Tensor, runs: Tensor) -> Tensor:
        """The convolution, position by position of its kernel, so that none reaches over the end of a run."""
        weight, reach = self.convolution.weight, self.convolution.kernel_size[0] // 2
        padded = F.pad(seen, (0, 0, reach, reach))
        numbers = F.pad(runs, (reach, reach), value=-1)
        length = seen.shape[1]
        mixed = F.linear(seen, weight[..., reach], self.convolution.bias)
        for place in range(2 * reach + 1):
            if place != reach:
                same = numbers[:, place : place + length] == runs
                mixed = mixed + F.linear(padded[:, place : place + length] * same[..., None], weight[..., place])
        return mixed
