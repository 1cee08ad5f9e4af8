"""Modern: an encoder as they are built today, of torch alone, with a cached forward.

Pre-norm blocks on a plain residual stream; RMSNorm (Zhang & Sennrich 2019); queries and keys normed before they meet
(Henry et al. 2020), and turned by their places (rotary positions, Su et al. 2021, RoFormer); SwiGLU (Shazeer 2020);
no biases; attention by torch's fused kernel. Llama and ModernBERT (Warner et al. 2024) differ from it in details.
"""

from __future__ import annotations

import math
import warnings

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from diffmidi.api.backbone import Backbone, Past
from diffmidi_backbones.declarations import ModernOptions

Turn = tuple[Tensor, Tensor]
"""Cosine and sine [B or 1, 1, N, D / 2] of the angles at the places of N positions."""

# Under autocast norms keep fp32 weights and promote, as they should; torch warns once that it could be quicker.
warnings.filterwarnings("ignore", "Mismatch dtype between input and weight", UserWarning)


class Modern(Backbone):
    """Features are normed, go through the layers, and are normed again."""

    options: ModernOptions
    caches = True

    def __init__(self, options: ModernOptions, *, length: int) -> None:
        super().__init__(options, length=length)
        self.width = options.width
        self._recompute = False
        self.table = nn.Embedding(length, options.width) if options.table else None
        self.enter = nn.RMSNorm(options.width, eps=options.norm_eps)
        self.dropout = nn.Dropout(options.dropout)
        self.layers = nn.ModuleList(Layer(options) for _ in range(options.layers))
        self.leave = nn.RMSNorm(options.width, eps=options.norm_eps)
        half = options.width // options.heads // 2
        self.rates: Tensor  # [D / 2] radians a place
        self.register_buffer("rates", options.rotary_base ** (-torch.arange(half) / half), persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=options.initializer_range)
        # Radford et al. 2019, GPT-2: what is added up over the layers starts as large as one of them.
        for name, parameter in self.named_parameters():
            if name.endswith(("out.weight", "down.weight")):
                nn.init.normal_(parameter, std=options.initializer_range / math.sqrt(2 * options.layers))

    def checkpointing(self, on: bool) -> None:
        """Recompute each layer's activations in the backward pass, or keep them."""
        self._recompute = on

    def forward(self, hidden: Tensor, attention_mask: Tensor | None = None, positions: Tensor | None = None) -> Tensor:
        """[B, L, H] to [B, L, H]."""
        return self._through(hidden, None, attention_mask, positions)[0]

    def cached(
        self,
        hidden: Tensor,
        past: Past | None,
        attention_mask: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> tuple[Tensor, Past]:
        """[B, N, H] to [B, N, H]; the past is keys and values [B, heads, P, D], layer by layer."""
        return self._through(hidden, past, attention_mask, positions)

    def _through(
        self, hidden: Tensor, past: Past | None, mask: Tensor | None, positions: Tensor | None
    ) -> tuple[Tensor, Past]:
        if positions is None:
            before = past[0].shape[2] if past else 0
            positions = torch.arange(before, before + hidden.shape[1], device=hidden.device)[None]
        if mask is not None:
            mask = mask[:, None, None] if mask.dim() == 2 else mask[:, None]  # [B, 1, 1 or N, P + N]
        angles = (positions[..., None] * self.rates)[:, None]
        turn = (angles.cos(), angles.sin())
        if self.table is not None:
            hidden = hidden + self.table(positions)
        hidden, kept = self.dropout(self.enter(hidden)), []
        earlier = [past[2 * number : 2 * number + 2] if past else None for number in range(len(self.layers))]
        for layer, before_it in zip(self.layers, earlier, strict=True):
            if self._recompute and self.training:
                hidden, *both = checkpoint(layer, hidden, mask, turn, before_it, use_reentrant=False)
            else:
                hidden, *both = layer(hidden, mask, turn, before_it)
            kept += both
        return self.leave(hidden), tuple(kept)


class Layer(nn.Module):
    """x + attention(norm x), then x + SwiGLU(norm x)."""

    def __init__(self, options: ModernOptions) -> None:
        super().__init__()
        width, inner = options.width, options.feed_forward
        self.heads, self.attention_dropout = options.heads, options.attention_dropout
        self.norm = nn.RMSNorm(width, eps=options.norm_eps)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.query_norm = nn.RMSNorm(width // options.heads, eps=options.norm_eps)
        self.key_norm = nn.RMSNorm(width // options.heads, eps=options.norm_eps)
        self.out = nn.Linear(width, width, bias=False)
        self.feed_norm = nn.RMSNorm(width, eps=options.norm_eps)
        self.gate_up = nn.Linear(width, 2 * inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)
        self.dropout = nn.Dropout(options.dropout)

    def forward(
        self, hidden: Tensor, mask: Tensor | None, turn: Turn, past: tuple[Tensor, ...] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """[B, N, H] to [B, N, H], and the keys and values [B, heads, P + N, D]."""
        rows, length, width = hidden.shape
        split = self.query_key_value(self.norm(hidden)).view(rows, length, 3, self.heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # each [B, heads, N, D]
        query, key = (
            _turned(norm(each.float()), turn) for norm, each in ((self.query_norm, query), (self.key_norm, key))
        )
        query, key = query.to(value.dtype), key.to(value.dtype)
        if past is not None:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        dropout = self.attention_dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
        hidden = hidden + self.dropout(self.out(mixed.transpose(1, 2).reshape(rows, length, width)))
        gate, up = self.gate_up(self.feed_norm(hidden)).chunk(2, -1)
        return hidden + self.dropout(self.down(F.silu(gate) * up)), key, value


def _turned(features: Tensor, turn: Turn) -> Tensor:
    """Pairs (x_i, x_{i + D/2}) of features [B, heads, N, D], turned by their angles."""
    first, second = features.chunk(2, -1)
    cosine, sine = turn
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)
