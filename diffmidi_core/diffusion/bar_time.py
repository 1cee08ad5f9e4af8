"""BarTime: times that add up: the notes of a cell are drawn so that all of them begin within their bar.

A note's time is told since the note before it, so whether one is possible hangs on all others of its cell. They are
drawn jointly, from the product of the network's distributions given that the sum stays below the bar's length: forward
filtering, backward sampling over the time that has passed (as `Support` does over states of a grammar).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from diffmidi_core.contracts.draws import RowDraws, inverse
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.diffusion.categorical import exact, nucleus
from diffmidi_core.diffusion.groups import grouped
from diffmidi_core.diffusion.parts import Laid
from diffmidi_core.errors import DiffmidiError


class BarTime(nn.Module):
    """What a tokenizer's times pass, and how long its bars are. Nothing in it is trained or saved."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        passed, bars, roles = tokenizer.steps_passed(), tokenizer.bar_steps(), tokenizer.roles
        self.adds_up = passed is not None and bars is not None
        if passed is None or bars is None:
            return
        types, type_of = tokenizer.grammar.types, torch.as_tensor(tokenizer.grammar.type_of)
        is_time, is_bar = (torch.tensor([roles.get(name) == role for name in types]) for role in ("time", "bar"))
        tokens = is_time[type_of].nonzero()[:, 0]
        tables = {
            "is_time": is_time,
            "is_bar": is_bar,
            "tokens": tokens,
            "steps": torch.as_tensor(passed).long()[tokens],
            "passed": torch.where(is_time[type_of], torch.as_tensor(passed).long(), torch.as_tensor(bars).max() + 1),
            "bars": torch.as_tensor(bars).long(),
        }
        self.is_time: Tensor  # [K] bool
        self.is_bar: Tensor  # [K] bool
        self.tokens: Tensor  # [T] the tokens of time
        self.steps: Tensor  # [T] what they pass
        self.passed: Tensor  # [V] what each token passes; another than a time, more than a bar has
        self.bars: Tensor  # [V] how long the bar is that a token opens
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)

    def draw(
        self,
        log_p: Tensor,
        number: Tensor,
        z: Tensor,
        laid: Laid,
        draws: RowDraws,
        *,
        wanted: Tensor,
        mask_id: int,
        top_p: float = 1.0,
    ) -> Tensor:
        """z [B, L] with the masked times drawn that are `wanted` [B, L] bool, from log_p [K, V] of masked places, which
        are numbered in `number` [B, L].

        They are drawn jointly with what could stand at the others of their cells; what stands stays as it is. Where the
        bar is not known yet, it is taken for the longest. Raises DiffmidiError where no times are possible.
        """
        if not self.adds_up:
            return z
        group = laid.types.shape[-1]
        place = grouped(torch.arange(z.shape[1], device=z.device).expand_as(z), group)  # [B, P, g] in z
        is_time = self.is_time[laid.types] & laid.real[..., None]
        due = (is_time & grouped(wanted & (z == mask_id), group)).any(-1)  # [B, P]
        if not bool(due.any()):
            return z
        shape = (len(z), int(laid.cells.max()) + 1)
        notes = is_time.nonzero(as_tuple=True)
        table = torch.full((*shape, int(laid.stand.rank.max()) + 1), -1, device=z.device)
        table[notes[0], laid.cells[notes[:2]], laid.stand.rank[notes[:2]]] = place[notes]
        rows, cells = _marked(shape, laid.cells, due).nonzero(as_tuple=True)
        where = table[rows, cells]  # [M, R] places in z, -1 where there is none
        there, at = where >= 0, where.clamp(min=0)
        stands = z[rows[:, None], at] != mask_id
        # What counts is the sum alone: what stands takes its part of the bar, and the others share what is left.
        taken = (self.passed[z[rows[:, None], at]] * (there & stands)).sum(-1)
        left = self._lengths(z, laid, shape)[rows, cells] - taken
        if bool((left <= 0).any()):
            raise _no_time()
        # One for each rank up to a cell's last note, whether it is drawn or not.
        most = (there * torch.arange(1, there.shape[1] + 1, device=z.device)).amax(-1)
        u = draws.numbers(rows, most)  # [M, at most R]
        masked = there & ~stands
        some = (~masked).to(torch.uint8).argsort(dim=-1, stable=True)[:, : int(masked.sum(-1).max())]  # [M, K]
        masked, at, u = masked.gather(1, some), at.gather(1, some), u.gather(1, some.to(u.device))
        short = self.steps < int(left.max())  # no others fit into any of these bars
        tokens, steps = self.tokens[short], self.steps[short]
        free = log_p[number[rows[:, None], at].to(log_p.device)][..., tokens.to(log_p.device)]
        chosen = _chosen(exact(free).to(steps.device), steps, masked, left, u, top_p)
        asked = (masked & wanted[rows[:, None], at]).nonzero(as_tuple=True)
        return z.index_put((rows[asked[0]], at[asked]), tokens[chosen[asked]])

    def _lengths(self, z: Tensor, laid: Laid, shape: tuple[int, int]) -> Tensor:
        """[B, C] how long the bar of each cell is."""
        opened = (self.bars[grouped(z, laid.types.shape[-1])] * self.is_bar[laid.types]).sum(-1)  # [B, P]
        by_bar = opened.new_zeros(shape).scatter_reduce(1, laid.stand.bar, opened, "amax")
        bar_of = opened.new_zeros(shape).scatter_reduce(1, laid.cells, laid.stand.bar, "amax")
        lengths = by_bar.gather(1, bar_of)
        return torch.where(lengths > 0, lengths, self.bars.max())


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


def _marked(shape: tuple[int, int], index: Tensor, marks: Tensor) -> Tensor:
    """[B, C] bool: the numbers in `index` [B, P] at which some mark [B, P] is set."""
    return torch.zeros(shape, device=marks.device).scatter_reduce(1, index, marks.float(), "amax") > 0
