"""The corruption q of tokens: drawn, and its probabilities, from which posteriors and guidance follow.

Each token by itself stays with probability 1 − m, else noise takes its place, drawn from π:

    q(z | w) = (1 − m) 1[z = w] + m π(z)

(Austin et al. 2021, D3PM, arXiv:2107.03006; Sahoo et al. 2024, MDLM, arXiv:2406.07524, eq. 1). π is all at [MASK] in
masked diffusion, and even over tokens in uniform diffusion. The levels m form a chain: from m_s to m_t ≥ m_s it is the
same law again, at level 1 − (1 − m_t) / (1 − m_s).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class Corruption(nn.Module):
    """q at any level m. Nothing in it is trained or saved.

    Args:
        noise: π, [V] for all positions alike, or [L, V]; rows sum to 1.
    """

    def __init__(self, noise: Tensor) -> None:
        super().__init__()
        self.noise: Tensor
        self.register_buffer("noise", noise.float(), persistent=False)
        self._only = int(noise.argmax()) if noise.ndim == 1 and int(noise.count_nonzero()) == 1 else None

    def draw(self, ids: Tensor, m: Tensor, uniform: Callable[[], Tensor]) -> Tensor:
        """z [B, L] ~ q(z | ids) at levels m [B]; `uniform` makes [B, L] numbers in [0, 1).

        It is asked once, and a second time where π is not all at one token.
        """
        noisy = uniform() < m[:, None]
        if self._only is not None:
            return ids.masked_fill(noisy, self._only)
        shares = self._pi(ids.shape[1]).double().cumsum(-1)
        places = uniform().to(shares.dtype).mT.contiguous() * shares[:, -1:]  # [L, B]
        drawn = torch.searchsorted(shares, places, right=True).mT.clamp(max=shares.shape[-1] - 1)
        return torch.where(noisy, drawn, ids)

    def log_probability(self, z: Tensor, ids: Tensor, m: Tensor) -> Tensor:
        """[B, L] ln q(z | ids) at levels m [B]."""
        m = m[:, None].to(self.noise.dtype)
        return ((1 - m) * (z == ids) + m * self._of(z)).log()

    def log_probabilities(self, z: Tensor, m: Tensor) -> Tensor:
        """[B, L, V] ln q(z | w) for every token w there could have been, at levels m [B]."""
        return self._each(z, m).log()

    def posterior(self, z: Tensor, m: Tensor, before: Tensor, p: Tensor) -> Tensor:
        """[B, L, V] Σ_w p(w) q(z_s | z_t = z, w): where the chain was at the level `before` [B] ≤ m [B].

        `p` [B, L, V] are probabilities of the tokens before all noise, a network's or those of one token. By Bayes'
        rule, q(z_s | z_t, w) = q(z_t | z_s) q(z_s | w) / q(z_t | w): D3PM, eq. 3 and 4. Tokens w that
        cannot have become z are passed over.
        """
        step = 1 - (1 - m) / (1 - before).clamp(min=torch.finfo(p.dtype).tiny)
        likely = self._each(z, m).to(p.dtype)
        ratio = torch.where(likely > 0, p / likely.where(likely > 0, 1), 0)  # p(w) / q(z_t | w)
        s = before[:, None, None].to(p.dtype)
        reached = (1 - s) * ratio + s * self._pi(z.shape[1]).to(p.dtype) * ratio.sum(-1, keepdim=True)
        return self._each(z, step).to(p.dtype) * reached

    def _each(self, z: Tensor, m: Tensor) -> Tensor:
        """[B, L, V] q(z | w) for every w."""
        m = m[:, None, None].to(self.noise.dtype)
        same = torch.arange(self.noise.shape[-1], device=z.device) == z[..., None]
        return (1 - m) * same + m * self._of(z)[..., None]

    def _pi(self, length: int) -> Tensor:
        """π [L, V]."""
        return self.noise.expand(length, -1) if self.noise.ndim == 1 else self.noise[:length]

    def _of(self, z: Tensor) -> Tensor:
        """[B, L] π(z)."""
        return self._pi(z.shape[1]).expand(len(z), -1, -1).gather(-1, z[..., None]).squeeze(-1)
