"""BarTime: times that add up: the notes of a cell are drawn so that all of them begin within their bar.

A note's time is told since the note before it, so whether one is possible hangs on all others of its cell. They are
drawn from the product of the network's distributions given that the sum stays below the bar's length. Where times
that were drawn each by itself do so, they are such a draw (von Neumann 1951, rejection), and of a trained network most
do. The others are drawn jointly: forward filtering, backward sampling over the time that has passed (as `Support` does
over states of a grammar). With `top_p` below 1 a time is cut before it is drawn by itself, and given
those before it where it is drawn jointly.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from diffmidi_core.contracts.draws import RowDraws, inverse
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.diffusion.by_type import ByType
from diffmidi_core.diffusion.categorical import exact, nucleus
from diffmidi_core.diffusion.groups import grouped
from diffmidi_core.diffusion.parts import Laid
from diffmidi_core.errors import DiffmidiError


class Cells(NamedTuple):
    """Cells of texts [B, L] in which times may be drawn. Positions are those in the texts laid end to end, [B · L].

    Attributes:
        at: [C, R] where the times of each cell stand.
        there: [C, R] bool, where there is one; cells have up to R.
        bar: [C] where the token stands that opens its bar; 0 where none does.
        row: [C] its row, rising.
    """

    at: Tensor
    there: Tensor
    bar: Tensor
    row: Tensor

    def some(self, which: Tensor) -> Cells:
        """Those that `which` [C] bool says."""
        return Cells(*(each[which] for each in self))


class BarTime(nn.Module):
    """What a tokenizer's times pass, and how long its bars are. Nothing in it is trained or saved."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        passed, bars, roles = tokenizer.steps_passed(), tokenizer.bar_steps(), tokenizer.roles
        self.adds_up, self.mask_id = passed is not None and bars is not None, tokenizer.mask_id
        if passed is None or bars is None:
            return
        types, type_of = tokenizer.grammar.types, torch.as_tensor(tokenizer.grammar.type_of).long()
        is_time, is_bar = (torch.tensor([roles.get(name) == role for name in types]) for role in ("time", "bar"))
        tokens = is_time[type_of].nonzero()[:, 0]
        longest = torch.as_tensor(bars).max()
        every = torch.where(is_time[type_of], torch.as_tensor(passed).long(), longest + 1)
        every[self.mask_id] = 0
        tables = {
            "is_time": is_time,
            "is_bar": is_bar,
            "type_of": type_of,
            "place": ByType(tokenizer.grammar).place,
            "tokens": tokens,
            "steps": torch.as_tensor(passed).long()[tokens],
            "passed": every,
            "bars": torch.where(torch.as_tensor(bars) > 0, torch.as_tensor(bars), longest).long(),
        }
        self.is_time: Tensor  # [K] bool
        self.is_bar: Tensor  # [K] bool
        self.type_of: Tensor  # [V]
        self.place: Tensor  # [V] as in ByType
        self.tokens: Tensor  # [T] the tokens of time
        self.steps: Tensor  # [T] what they pass
        self.passed: Tensor  # [V] what each token passes; another than a time, more than a bar has; [MASK], nothing
        self.bars: Tensor  # [V] how long the bar is that a token opens; the longest, if it opens none
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)

    def cells(self, laid: Laid, free: Tensor) -> Cells | None:
        """Those in which times may be drawn where `free` [B, L] bool; None where there are none.

        There are none in texts whose times do not add up.
        """
        if not self.adds_up:
            return None
        group = laid.types.shape[-1]
        place = grouped(torch.arange(free.numel(), device=free.device).view(free.shape), group)  # [B, P, g]
        is_time = self.is_time[laid.types] & laid.real[..., None]
        due = (is_time & grouped(free, group)).any(-1)  # [B, P]
        if not bool(due.any()):
            return None
        shape = (len(free), int(laid.cells.max()) + 1)
        none = torch.zeros(shape, dtype=torch.int64, device=free.device)
        rows, cells = (none.scatter_reduce(1, laid.cells, due.long(), "amax") > 0).nonzero(as_tuple=True)
        notes = is_time.nonzero(as_tuple=True)
        table = torch.full((*shape, int(laid.stand.rank.max()) + 1), -1, device=free.device)
        table[notes[0], laid.cells[notes[:2]], laid.stand.rank[notes[:2]]] = place[notes]
        opened = (place * self.is_bar[laid.types]).sum(-1)  # [B, P]
        by_bar = none.scatter_reduce(1, laid.stand.bar, opened, "amax")
        bar_of = none.scatter_reduce(1, laid.cells, laid.stand.bar, "amax")
        at = table[rows, cells]
        return Cells(at.clamp(min=0), at >= 0, by_bar.gather(1, bar_of)[rows, cells], rows)

    def late(self, z: Tensor, at: Tensor, found: Tensor, cells: Cells) -> Tensor:
        """[C] bool: the cells of z [B · L] whose notes do not all begin within their bar, `found` [K] put in `at` [K].

        Where the bar is not known yet, it is taken for the longest.
        """
        passed = self.passed[z.index_put((at,), found)[cells.at]] * cells.there
        return passed.sum(-1) >= self.bars[z[cells.bar]]

    def drawn(
        self,
        z: Tensor,
        at: Tensor,
        found: Tensor,
        cells: Cells,
        draws: RowDraws,
        *,
        types: Tensor,
        log_p: Tensor,
        top_p: float,
    ) -> Tensor:
        """`found` [K] for the masked places `at` [K] of z [B · L], which rise, the times of some cells drawn jointly.

        `types` [K] are those of the places, `log_p` [K, M] of the tokens of these (`ByType`); `top_p` is the nucleus of
        each time given those before it. Raises DiffmidiError where no times are possible.
        """
        tokens = z[cells.at]
        masked = cells.there & (tokens == self.mask_id)
        # What counts is the sum alone: what stands takes its part of the bar, and the others share what is left.
        left = self.bars[z[cells.bar]] - (self.passed[tokens] * cells.there).sum(-1)
        if bool((left <= 0).any()):
            raise _no_time()
        some = (~masked).to(torch.uint8).argsort(dim=-1, stable=True)[:, : int(masked.sum(-1).max())]  # [C, N]
        masked = masked.gather(1, some)
        number = torch.searchsorted(at, cells.at.gather(1, some)).clamp(max=len(at) - 1)  # in [0, K)
        short = self.steps < int(left.max())  # no others fit into any of these bars
        tokens, steps = self.tokens[short], self.steps[short]  # [T]
        other = self.type_of[tokens] != types[number][..., None]
        weights = exact(log_p[number][..., self.place[tokens]].masked_fill(other, -torch.inf)).to(steps.device)
        mine = masked.nonzero(as_tuple=True)
        u = draws.numbers(cells.row[mine[0]])
        u = u.new_zeros(masked.shape).masked_scatter(masked.to(u.device), u)
        chosen = _chosen(weights, steps, masked, left, u, top_p)
        return found.index_put((number[mine],), tokens[chosen[mine]])


def _chosen(weights: Tensor, steps: Tensor, there: Tensor, lengths: Tensor, u: Tensor, top_p: float) -> Tensor:
    """[M, K] which time each note of M cells has, from log-weights [M, K, T] and a uniform number each, u [M, K].

    They add up to less than `lengths` [M]; `steps` [T] is what the times pass. `there` [M, K] says where a note is.
    """
    most = int(lengths.max())
    time = torch.arange(most + 1, device=weights.device)
    after = (time[:, None] + steps).clamp(max=most)  # [U + 1, T]; no bar has so much time: U is too late
    zero = weights.new_zeros(())
    ahead = [torch.where(time < lengths[:, None], zero, -torch.inf)]  # [M, U + 1] of all ways on from each time
    for note in reversed(range(weights.shape[1])):
        ways = (weights[:, note, None] + ahead[-1][:, after]).logsumexp(-1)
        ahead.append(torch.where(there[:, note, None], ways, ahead[-1]))
    ahead = ahead[::-1]
    if bool(ahead[0][:, 0].isneginf().any()):
        raise _no_time()
    now, chosen = torch.zeros_like(lengths), []
    for note in range(weights.shape[1]):
        odds = weights[:, note] + ahead[note + 1].gather(1, after[now])
        odds = torch.where(there[:, note, None], odds, zero)
        index = inverse(nucleus(odds, top_p), u[:, note])
        now = torch.where(there[:, note], after[now, index], now)
        chosen.append(index)
    return torch.stack(chosen, 1)


def _no_time() -> DiffmidiError:
    return DiffmidiError(
        "what is kept or allowed leaves no way to let all notes of a cell begin within their bar: keep fewer of its "
        "times, or allow more."
    )
