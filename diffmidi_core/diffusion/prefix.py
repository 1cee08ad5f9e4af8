"""Parallel prefixes: what a walk through L maps or matrices passes, in about log2 L rounds and no loop over positions.

Products of neighbours, of pairs of neighbours and so on make a tree over the positions (Blelloch 1990, Prefix Sums and
Their Applications); what follows a position is put together on the way down it. Nothing waits for the device.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Product = Callable[[Tensor, Tensor], Tensor]
"""[..., S, S] and [..., S, N] to [..., S, N]: an associative product of matrices, in whichever semiring."""


def tree(steps: Tensor, product: Product) -> list[Tensor]:
    """The products over 1, 2, 4, ... of the matrices [B, L, S, S], down to [B, 1, S, S], the product of all of them."""
    levels = [steps]
    while (count := levels[-1].shape[1]) > 1:
        even = count - count % 2
        pairs = product(levels[-1][:, 0:even:2], levels[-1][:, 1:even:2])
        levels.append(torch.cat([pairs, levels[-1][:, even:]], 1))
    return levels


def following(levels: list[Tensor], end: Tensor, product: Product) -> Tensor:
    """[B, L, S]: behind each of L positions, the product of all that come later, and of `end` [B, S].

    `levels` are the `tree` of the matrices at the positions.
    """
    behind = end[:, None]
    for level in reversed(levels[:-1]):
        pairs = level.shape[1] // 2
        later = behind[:, :pairs]
        sooner = product(level[:, 1 : 2 * pairs : 2], later[..., None])[..., 0]
        behind = torch.cat([torch.stack([sooner, later], 2).flatten(1, 2), behind[:, pairs:]], 1)
    return behind


def walked(maps: Tensor, start: Tensor) -> Tensor:
    """[B, L + 1, N]: where a walk is from each of `start` [B, N], before each of the maps [B, L, S] and after the last.

    A map says for each of S places where it leads. (Hillis and Steele 1986, Data Parallel Algorithms: each round joins
    each map with the one that the maps since then lead to.)
    """
    through, reach = maps, 1
    while reach < maps.shape[1]:
        longer = through[:, reach:].gather(-1, through[:, :-reach])
        through, reach = torch.cat([through[:, :reach], longer], 1), 2 * reach
    after = through.gather(-1, start[:, None].expand(-1, maps.shape[1], -1))
    return torch.cat([start[:, None], after], 1)


def log_sum_product(a: Tensor, b: Tensor) -> Tensor:
    """log(exp(a) @ exp(b)): sums over all ways."""
    return (a[..., :, :, None] + b[..., None, :, :]).logsumexp(-2)


def max_product(a: Tensor, b: Tensor) -> Tensor:
    """The best way from s to n: max over the states between of a + b (Viterbi 1967)."""
    return (a[..., :, :, None] + b[..., None, :, :]).amax(-2)


def any_product(a: Tensor, b: Tensor) -> Tensor:
    """Whether there is a way, as 1 or 0 in floating point."""
    return (a @ b).clamp(max=1)
