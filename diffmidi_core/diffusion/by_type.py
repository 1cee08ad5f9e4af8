"""ByType: the tokens of a type side by side, so that what is drawn among them is looked up there and nowhere else."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from diffmidi_core.contracts.grammar import Grammar


class ByType(nn.Module):
    """The K types of a vocabulary, the largest of them of M tokens. Nothing in it is trained or saved.

    Attributes:
        tokens: [K, M] the tokens of each type, the last one (or 0) again and again where there are fewer than M.
        beyond: [K, M] bool, where that is.
        place: [V] the place of each token among those of its type.
    """

    tokens: Tensor
    beyond: Tensor
    place: Tensor

    def __init__(self, grammar: Grammar) -> None:
        super().__init__()
        type_of = torch.from_numpy(grammar.type_of.astype("int64"))
        rows = [(type_of == kind).nonzero()[:, 0].tolist() for kind in range(len(grammar.types))]
        most = max(map(len, rows))
        place = torch.zeros_like(type_of)
        for row in rows:
            place[row] = torch.arange(len(row))
        tables = {
            "tokens": torch.tensor([row + [row[-1] if row else 0] * (most - len(row)) for row in rows]),
            "beyond": torch.arange(most) >= torch.tensor([len(row) for row in rows])[:, None],
            "place": place,
        }
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)

    def within(self, logits: Tensor, types: Tensor) -> tuple[Tensor, Tensor]:
        """The logits [..., M] of the tokens of `types` [...] alone, −inf behind the last of them; and those tokens."""
        types = types.to(logits.device)
        tokens = self.tokens.to(logits.device)[types]
        return logits.gather(-1, tokens).masked_fill(self.beyond.to(logits.device)[types], -torch.inf), tokens
