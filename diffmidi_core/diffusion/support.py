"""Support: which tokens may stand where, and legal texts: drawn, or the most probable, among all a grammar allows.

A tokenizer's grammar is an automaton over a few types of token. Two things follow from it. At each position of a window
only some types can stand, whatever else stands there: in the `aligned` layout of `mmm` exactly one. And of the texts
that independent distributions over the positions would give, one that the grammar allows can be drawn jointly (forward
filtering, backward sampling), or the most probable one found (Viterbi 1967). The tokens of a type are summed up first,
so that this takes O(L S³) for S states, however many tokens there are, and in O(log L) rounds, as the ways through are
put together by a tree (`prefix`). Where a grammar leaves one type a position, all of this is a look into a table. None
of it waits for the device.
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.grammar import Grammar
from diffmidi_core.contracts.tokenizer import SPECIALS
from diffmidi_core.diffusion import prefix
from diffmidi_core.diffusion.by_type import ByType
from diffmidi_core.diffusion.categorical import exact, nucleus, restricted
from diffmidi_core.errors import DiffmidiError


class Support(nn.Module):
    """What a grammar allows in windows of up to `length` positions. Nothing in it is trained or saved.

    Position 0 holds [CLS], position l the l-th token. A text begins in a start state. (Where a grammar has several,
    each begins texts of its own: one that two of them allow is drawn twice as often.)
    """

    def __init__(self, grammar: Grammar, length: int) -> None:
        super().__init__()
        table, type_of = grammar.next_state, torch.from_numpy(grammar.type_of.astype(np.int64))
        opened = open_types(grammar, length + 1)
        final = np.isin(np.arange(len(table)), grammar.final)
        self._sizes = torch.bincount(type_of, minlength=table.shape[1]).tolist()
        self._tokens = ByType(grammar)
        self._one_type = bool((opened[1:].sum(-1) == 1).all())
        self.type_of: Tensor
        self.admitted: Tensor
        self._next: Tensor  # [S, K]; state S is nowhere
        self._start: Tensor  # [N]
        self._final: Tensor  # [S] bool
        self._by_type: Tensor  # [V] the tokens, those of a type together
        self._only: Tensor  # [length + 1] the type of the n-th token of a text, where it has one
        for name, tensor in {
            "type_of": type_of,
            "admitted": opened[:length, type_of],
            "_next": torch.from_numpy(np.where(table < 0, len(table), table).astype(np.int64)),
            "_start": torch.tensor(grammar.start),
            "_final": torch.from_numpy(final),
            "_by_type": type_of.argsort(stable=True),
            "_only": opened.int().argmax(-1),
        }.items():
            self.register_buffer(name, tensor, persistent=False)

    def allowed(self, length: int) -> Tensor:
        """[L, V] bool: the tokens to which some beginning of a text leads, position by position. Specials nowhere.

        Nothing is asked of the end: a window may be cut, where one note has more tokens than it. At position 0, where
        no token stands, and past the longest text all tokens are allowed.
        """
        return self.admitted[:length]

    def excluded(self, ids: Tensor) -> Tensor:
        """[B, L] bool: where `ids` [B, L] are tokens that `allowed` leaves out, specials among them."""
        return ~self.allowed(ids.shape[1])[torch.arange(ids.shape[1], device=ids.device), ids]

    def check(self, batch: Batch) -> None:
        """Raises DiffmidiError where the tokens of a batch, without its [CLS] and [SEP], are not all allowed."""
        if bool((self.excluded(batch.ids) & batch.loss_mask()).any()):
            raise DiffmidiError(
                "a window begins inside a note, with tokens that the tokenizer's grammar does not allow there: "
                "choose a --length that holds the longest note, or set process.typed=false."
            )

    def check_canvas(self, canvas: Canvas) -> None:
        """Raises DiffmidiError where no legal text is of tokens that a canvas allows.

        It waits for the device: it is for before the first step.
        """
        blank = torch.zeros((), device=canvas.ids.device).expand(*canvas.ids.shape, len(self.type_of))
        _, legal = self._types(restricted(blank, canvas.admitted()), canvas.ids, canvas.fixed, None)
        if not legal.all():
            _refuse()

    def draw(
        self,
        logits: Tensor,
        ids: Tensor,
        fixed: Tensor,
        draws: RowDraws,
        *,
        top_p: float = 1.0,
        wanted: Tensor | None = None,
    ) -> Tensor:
        """Texts [B, L] from the product of softmax(logits [B, L, V]), given what is fixed and that they are legal.

        `fixed` [B, L] bool says where `ids` [B, L] is given; specials there are passed over. Texts end in a final
        state, unless none of that many tokens does. `top_p` is the nucleus among the tokens of a type: types themselves
        are not cut, so that a way through remains. `wanted` [B, L] bool: the positions to draw, jointly with what
        could stand at the others; those come back as they are in `ids`. Tokens whose logit is −inf, as those that a
        canvas does not allow, are never drawn, nor anything that would leave only such ones further on.

        Raises DiffmidiError where no legal text is possible; on a device, which would have to be waited for, tokens
        are then drawn that make no legal text, and `check_canvas` is what finds it out beforehand.
        """
        types = self._legal_types(logits, ids, fixed, draws)
        of_type, tokens = self._tokens.within(logits, types)
        found = draws.categorical(nucleus(of_type, top_p)).to(tokens.device)
        at = ~fixed if wanted is None else wanted & ~fixed
        return torch.where(at, tokens.gather(-1, found[..., None])[..., 0].to(ids.device), ids)

    def legal_argmax(self, logits: Tensor, ids: Tensor, fixed: Tensor) -> Tensor:
        """The most probable legal text [B, L] under the product of softmax(logits); the rest as in `draw`."""
        of_type, tokens = self._tokens.within(logits, self._legal_types(logits, ids, fixed, None))
        best = tokens.gather(-1, of_type.argmax(-1, keepdim=True))[..., 0]
        return torch.where(fixed, ids, best.to(ids.device))

    def _legal_types(self, logits: Tensor, ids: Tensor, fixed: Tensor, draws: RowDraws | None) -> Tensor:
        types, legal = self._types(logits, ids, fixed, draws)
        if legal.device.type == "cpu" and not legal.all():
            _refuse()
        return types

    def _types(self, logits: Tensor, ids: Tensor, fixed: Tensor, draws: RowDraws | None) -> tuple[Tensor, Tensor]:
        """[B, L] the type at each position of a legal text, 0 at specials, and [B] bool: is there one?

        Drawn, or where there are no `draws`, those of the most probable text.
        """
        ids, fixed = ids.to(logits.device), fixed.to(logits.device)
        reads = ~fixed | (ids >= len(SPECIALS))  # [B, L]; a fixed special leaves the state as it is
        if self._one_type:
            place = reads.cumsum(-1) * reads  # the number of tokens up to here, 0 at specials
            types = self._only.to(logits.device)[place].masked_fill(~reads, 0)
            possible = ~self._tokens.within(logits, types)[0].isneginf().all(-1)
            given = self.type_of.to(logits.device)[ids] == types
            return types, (torch.where(fixed, given, possible) | ~reads).all(-1)
        weights = exact(self._weights(logits, draws is not None))  # [B, L, K]
        at = weights.device
        return self._walked(weights, ids.to(at), fixed.to(at), reads.to(at), draws)

    def _weights(self, logits: Tensor, summed: bool) -> Tensor:
        """[B, L, K] log-weights of the types: those of their tokens [B, L, V], summed or the best of them."""
        parts = torch.split(logits.index_select(-1, self._by_type.to(logits.device)), self._sizes, -1)
        # A type may be as good as impossible next to another and still be the only one that is legal.
        joined = [torch.logsumexp(part, -1) if summed else part.amax(-1) for part in parts if part.shape[-1]]
        never = torch.full_like(logits[..., 0], -torch.inf)
        held = iter(joined)
        return torch.stack([next(held) if size else never for size in self._sizes], -1)

    def _walked(
        self, weights: Tensor, ids: Tensor, fixed: Tensor, reads: Tensor, draws: RowDraws | None
    ) -> tuple[Tensor, Tensor]:
        """`_types` from log-weights [B, L, K], by the recursion of Baum et al. 1970 or Viterbi's."""
        product = prefix.log_sum_product if draws else prefix.max_product
        after, start, final, type_of = (
            each.to(weights.device) for each in (self._next, self._start, self._final, self.type_of)
        )
        states = len(after)
        given = torch.full_like(weights, -torch.inf).scatter(-1, type_of[ids][..., None], 0.0)
        weights = torch.where(fixed[..., None], given, weights)
        steps = self._steps(weights, reads, after, product is prefix.log_sum_product)  # [B, L, S, S]
        levels = prefix.tree(steps, product)

        def begun(end: Tensor) -> Tensor:  # [B, N] log-weight of all ways from each start state
            return product(levels[-1][:, 0], end[..., None])[..., 0][:, start]

        anywhere = weights.new_zeros(len(ids), states)
        end = anywhere.masked_fill(~final, -torch.inf)
        end = torch.where(begun(end).isneginf().all(-1, keepdim=True), anywhere, end)
        first = begun(end)
        state = start[_chosen(first, draws)]  # [B]
        later = nn.functional.pad(prefix.following(levels, end, product), (0, 1), value=-torch.inf)  # [B, L, S + 1]
        ways = weights[:, :, None] + later[..., after]  # [B, L, S, K]
        chosen = _chosen(ways, draws)  # [B, L, S], of which each row follows one path
        onward = after.expand(*chosen.shape, -1).gather(-1, chosen[..., None])[..., 0].clamp(max=states - 1)
        onward = torch.where(reads[..., None], onward, torch.arange(states, device=onward.device))
        path = prefix.walked(onward, state[:, None])[:, :-1]  # [B, L, 1] the state before each token
        types = chosen.gather(-1, path)[..., 0].masked_fill(~reads, 0)
        return types, ~first.isneginf().all(-1)

    def _steps(self, weights: Tensor, reads: Tensor, after: Tensor, summed: bool) -> Tensor:
        """[B, L, S, S] log-weights of getting from one state to another by one token."""
        states = torch.arange(len(after), device=weights.device)
        never = after[:, None] != states[:, None]  # [S, S, K]: which types do not lead there
        ways = weights[:, :, None, None].masked_fill(never, -torch.inf)
        steps = ways.logsumexp(-1) if summed else ways.amax(-1)
        stay = torch.zeros_like(steps[0, 0]).masked_fill(states[:, None] != states, -torch.inf)
        return torch.where(reads[..., None, None], steps, stay)


def _chosen(weights: Tensor, draws: RowDraws | None) -> Tensor:
    """Log-weights [..., N] to indices [...]: a draw, or the largest."""
    return weights.argmax(-1) if draws is None else draws.categorical(weights)


def _refuse() -> NoReturn:
    raise DiffmidiError(
        "what is kept or allowed leaves no way to fill the rest so that the tokenizer's grammar allows it all: "
        "keep whole notes, beginning with the first token of one, or allow more."
    )


def open_types(grammar: Grammar, length: int) -> Tensor:
    """[L, K] bool: the types that may be read next after some l − 1 tokens, at each position l; all of them at 0."""
    opened = np.ones((length, len(grammar.types)), dtype=bool)
    readable = grammar.next_state >= 0
    states = np.array(grammar.start)
    for place in range(1, length):
        opened[place] = readable[states].any(0)
        if not opened[place].any():
            opened[place:] = True
            break
        after = grammar.next_state[states]
        states = np.unique(after[after >= 0])
    opened[:, 0] = False
    return torch.from_numpy(opened)
