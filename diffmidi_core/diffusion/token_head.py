"""TokenHead: what is round a backbone on either side: token embeddings below, logits over the tokens above."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TokenHead(nn.Module):
    """Embeddings E [V, D] of the tokens, and the logits M f(x) + b of features x.

    f is BERT's transform, a layer, GELU and LayerNorm (Devlin et al. 2019), or nothing. M is E itself where the head is
    tied (Press & Wolf 2017), and then stored once. Which tokens may stand where is the process's to know: `Support`,
    `NextWord`.

    Args:
        tokens: V.
        width: D, of the features on both sides.
        std: standard deviation of the embeddings before training.
        head_std: of M; None: M is E.
        transform: whether there is f.
        never: tokens whose logit is −inf.
    """

    def __init__(
        self,
        tokens: int,
        width: int,
        *,
        std: float,
        head_std: float | None = None,
        transform: bool = True,
        never: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(tokens, width) * std)
        self.transform = (
            nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width)) if transform else nn.Identity()
        )
        self.matrix = None if head_std is None else nn.Parameter(torch.randn(tokens, width) * head_std)
        self.bias = nn.Parameter(torch.zeros(tokens))
        closed = torch.zeros(tokens)
        closed[list(never)] = -torch.inf
        self.never: Tensor
        self.register_buffer("never", closed, persistent=False)

    def table(self) -> Tensor:
        """E [V, D]."""
        return self.embedding

    def embed(self, ids: Tensor) -> Tensor:
        """E[ids]: ids [B, L] to [B, L, D]."""
        return F.embedding(ids, self.table())

    def forward(self, features: Tensor) -> Tensor:
        """Logits [..., V] of features [..., D], in full precision also under autocast: the bits hang on it."""
        features = self.transform(features)
        matrix = self.table() if self.matrix is None else self.matrix
        with torch.autocast(features.device.type, enabled=False):
            return F.linear(features.to(matrix.dtype), matrix, self.bias + self.never)
