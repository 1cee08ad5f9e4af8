"""Groups: several tokens that make one position of a backbone, as the tokens of a note do, and whatever reads them.

The embeddings of a group stand side by side and go through one linear map into the backbone, and one linear map out of
it gives as many features again: so a backbone of some length sees as many times more music. Each token is still masked,
predicted and paid for by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from diffmidi_core.contracts.tokenizer import Tokenizer


@dataclass(frozen=True)
class Stand:
    """Where positions stand in a plan, [B, N] int64 each.

    Attributes:
        bar: the number of the bar in the window, from 0.
        cell: the number of the cell in its bar, from 0.
        rank: 0 at a cell's head, then 1 for its first note, and so on.
    """

    bar: Tensor
    cell: Tensor
    rank: Tensor


@dataclass(frozen=True)
class Seen:
    """What a network reads: N positions of g tokens.

    Attributes:
        ids: [B, N, g] int64.
        level: [B], or [B, N] where it differs by position: the share of noise.
        real: [B, N] bool, the positions that are no padding; None: all.
        sees: [B, N, N] bool, True where row may see column; None: all see all that are real.
        positions: [B, N] int64 or None, as `Backbone.forward` takes it.
        types: [B, N, g] int64, the type of each token; None where it is not known before the tokens.
        stand: where the positions stand in the plan; None where there is none.
        runs: [B, N] int64, numbers of runs of positions that all see each other, and within which a convolution stays;
            None: all are one run.
        asked: how many positions, from the first on, the network is asked about; None: all of them.
        condition: [B] int64 labels by name, as in Places.
    """

    ids: Tensor
    level: Tensor
    real: Tensor | None = None
    sees: Tensor | None = None
    positions: Tensor | None = None
    types: Tensor | None = None
    stand: Stand | None = None
    runs: Tensor | None = None
    asked: int | None = None
    condition: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def mask(self) -> Tensor | None:
        """What `Backbone.forward` takes for its attention mask."""
        return self.real if self.sees is None else self.sees


def grouped(tokens: Tensor, group: int, fill: int = 0) -> Tensor:
    """[B, L] with [CLS] and [SEP] to [B, P, group] without them; what is missing in the last group is `fill`.

    Groups of 1 are the positions as they are, [CLS] and [SEP] among them.
    """
    if group == 1:
        return tokens[..., None]
    tokens = tokens[:, 1:-1]
    return F.pad(tokens, (0, -tokens.shape[1] % group), value=fill).view(len(tokens), -1, group)


def ungrouped(values: Tensor, group: int, length: int) -> Tensor:
    """[B, P, group, ...] to [B, length, ...], 0 at [CLS] and [SEP]: the way back from `grouped`."""
    if group == 1:
        return values.squeeze(2)
    values = values.flatten(1, 2)[:, : length - 2]
    return F.pad(values, (*[0] * 2 * (values.dim() - 2), 1, 1))


def side_by_side(features: Tensor, group: int, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """[B, L, D] with [CLS] and [SEP] to [B, P, group · D] without them, and which of the groups are real [B, P].

    `mask` [B, L] are the real positions; None: all, and so are all groups.
    """
    real = None
    if mask is not None:
        real = music_mask(mask)
        features, real = features * real[..., None], grouped(real, group)[..., 0]
    features = features[:, 1:-1]
    features = F.pad(features, (0, 0, 0, -features.shape[1] % group))
    return features.reshape(len(features), -1, group * features.shape[-1]), real


def music_mask(mask: Tensor) -> Tensor:
    """[B, L] bool, the tokens of music: those real positions of a mask [B, L] that are neither first nor last."""
    return F.pad(mask[:, 2:], (1, 1), value=False)


class Groups(nn.Module):
    """The linear maps between g tokens of `inner` features each and one position of `width`; none where g is 1."""

    def __init__(self, group: int, inner: int, width: int) -> None:
        super().__init__()
        self.group, self.inner = group, inner
        self.enter = nn.Linear(group * inner, width) if group > 1 else None
        self.leave = nn.Linear(width, group * inner) if group > 1 else None

    def together(self, features: Tensor) -> Tensor:
        """[B, N, g, inner] to [B, N, width]."""
        if self.enter is None:
            return features.squeeze(2)
        entered: Tensor = self.enter(features.flatten(2))
        return entered

    def apart(self, features: Tensor) -> Tensor:
        """[B, N, width] to [B, N, g, inner]."""
        if self.leave is None:
            return features[:, :, None]
        left: Tensor = self.leave(features)
        return left.view(*features.shape[:-1], self.group, self.inner)


BAR_PLACES, CELL_PLACES, MOST_CELLS, MOST_RANK = 32, 8, 8, 63
"""Places of a backbone from a bar to the next, and from a cell to the next; cells and ranks that are told apart."""


def places_for(bars: int) -> int:
    """How many places a backbone needs for windows of so many bars."""
    return BAR_PLACES * bars + CELL_PLACES * (MOST_CELLS - 1) + MOST_RANK + 1


def places_of_groups(tokenizer: Tokenizer, length: int, bars: int, *, notes: bool) -> int:
    """How many places a backbone needs whose positions are groups, where `notes` or a plan says so; else tokens."""
    if tokenizer.plan:
        return places_for(bars)
    return -(-length // tokenizer.group) if notes and tokenizer.group > 1 else length + 2


def places_of(stand: Stand, most: int) -> Tensor:
    """[B, N] the places at which positions stand for a backbone, below `most`.

    They hang on bar, cell and rank alone: how many notes other cells have cannot be read off them. Positions of two
    cells may share a place; `StandEmbedding` tells them apart.
    """
    cell, rank = stand.cell.clamp(max=MOST_CELLS - 1), stand.rank.clamp(max=MOST_RANK)
    return (BAR_PLACES * stand.bar + CELL_PLACES * cell + rank).clamp(max=most - 1)


class StandEmbedding(nn.Module):
    """Learned vectors of a position's bar in the window, cell in the bar and rank in the cell.

    Args:
        width: of the vectors.
        places: the backbone's, of which follows how many bars are told apart.
        std: standard deviation before training.
    """

    def __init__(self, width: int, places: int, std: float) -> None:
        super().__init__()
        bars = max(1, (places - places_for(0)) // BAR_PLACES)
        self.bar, self.cell, self.rank = (
            nn.Parameter(torch.randn(count, width) * std) for count in (bars, MOST_CELLS, MOST_RANK + 1)
        )

    def forward(self, stand: Stand) -> Tensor:
        """[B, N, width]."""
        by = ((self.bar, stand.bar), (self.cell, stand.cell), (self.rank, stand.rank))
        return torch.stack([F.embedding(number.clamp(max=len(table) - 1), table) for table, number in by]).sum(0)
