"""NoteHead: the tokens of a group one after the other, each given what is known of the group before it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class NoteHead(nn.Module):
    """Features of each of g tokens, into which those before it in the group are mixed: a small model inside a note.

    A layer for each place after the first takes the embeddings of all tokens before it, side by side. What follows (a
    `TokenHead` with its transform) joins them with the backbone's features. One position of a backbone can so predict a
    whole group exactly, as p(time) p(pitch | time) p(velocity | time, pitch) ...
    """

    def __init__(self, group: int, width: int) -> None:
        super().__init__()
        self.mix = nn.ModuleList(nn.Linear(place * width, width, bias=False) for place in range(1, group))

    def forward(self, features: Tensor, tokens: Tensor) -> Tensor:
        """Features [B, N, g, D] with the embeddings tokens [B, N, g, D] of those before mixed in."""
        mixed = [torch.zeros_like(features[:, :, 0])]
        mixed += [layer(tokens[:, :, : place + 1].flatten(2)) for place, layer in enumerate(self.mix)]
        return features + torch.stack(mixed, 2)
