"""Support: which tokens may stand where, and legal texts: drawn, or the most probable, among all a grammar allows.

A tokenizer's grammar is an automaton over a few types of token. Two things follow from it. At each position of a window
only some types can stand, whatever else stands there: in the `aligned` layout of `mmm` exactly one. And of the texts
that independent distributions over the positions would give, one that the grammar allows can be drawn jointly (forward
filtering, backward sampling), or the most probable one found (Viterbi 1967). The tokens of a type are summed up first,
so that this takes O(L S K) for S states and K types, however many tokens there are.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.canvas import Canvas
from diffmidi_core.contracts.draws import RowDraws
from diffmidi_core.contracts.grammar import Grammar
from diffmidi_core.contracts.tokenizer import SPECIALS
from diffmidi_core.diffusion.categorical import exact, nucleus, restricted
from diffmidi_core.errors import DiffmidiError

Reduce = Callable[[Tensor, int], Tensor]
"""How log-probabilities are joined over a dimension: `torch.logsumexp` to draw, `torch.amax` to find the best."""
Choose = Callable[[Tensor], Tensor]
"""Log-weights [..., N] to indices [...]: a draw, or the largest."""


class Support(nn.Module):
    """What a grammar allows in windows of up to `length` positions. Nothing in it is trained or saved.

    Position 0 holds [CLS], position l the l-th token. A text begins in a start state. (Where a grammar has several,
    each begins texts of its own: one that two of them allow is drawn twice as often.)
    """

    def __init__(self, grammar: Grammar, length: int) -> None:
        super().__init__()
        table = grammar.next_state
        # The automaton runs on the CPU: its tables are tiny, and each step waits for the one before.
        self._next = torch.from_numpy(np.where(table < 0, len(table), table))  # [S, K]; state S is nowhere
        self._start = torch.tensor(grammar.start)
        self._final = torch.full((len(table) + 1,), -torch.inf, dtype=torch.float64)
        self._final[list(grammar.final)] = 0
        self._anywhere = torch.zeros_like(self._final)
        self._anywhere[-1] = -torch.inf
        self.type_of: Tensor
        self.register_buffer("type_of", torch.from_numpy(grammar.type_of.astype(np.int64)), persistent=False)
        self.admitted: Tensor
        self.register_buffer("admitted", _open_types(grammar, length)[:, self.type_of], persistent=False)

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
        """Raises DiffmidiError where no legal text is of tokens that a canvas allows."""
        admitted = canvas.admitted()
        if admitted is not None:
            blank = torch.zeros(admitted.shape, device=admitted.device)
            self.legal_argmax(restricted(blank, admitted), canvas.ids, canvas.fixed)

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
        canvas does not allow, are never drawn, nor anything that would leave only such ones further on. Raises
        DiffmidiError where no legal text is possible.
        """
        logits = exact(logits)

        types = self._types(self._by_type(logits, torch.logsumexp), ids, fixed, torch.logsumexp, draws.categorical)
        at = (~fixed if wanted is None else wanted & ~fixed).to(logits.device).nonzero(as_tuple=True)
        likely = nucleus(self._within(logits[at], types.to(logits.device)[at]), top_p)
        tokens = draws.categorical(likely, row_of=at[0])
        return _replaced(ids, at, tokens)

    def legal_argmax(self, logits: Tensor, ids: Tensor, fixed: Tensor) -> Tensor:
        """The most probable legal text [B, L] under the product of softmax(logits); the rest as in `draw`."""
        logits = exact(logits).log_softmax(-1)
        best = self._types(
            self._by_type(logits, torch.amax), ids, fixed, torch.amax, lambda weights: weights.argmax(-1)
        )
        at = (~fixed).to(logits.device).nonzero(as_tuple=True)
        return _replaced(ids, at, self._within(logits[at], best.to(logits.device)[at]).argmax(-1))

    def _by_type(self, logits: Tensor, reduce: Reduce) -> Tensor:
        """[B, L, K] log-weights of the types: those of their tokens [B, L, V], joined."""
        shape = (*logits.shape[:-1], self._next.shape[1])
        index = self.type_of.to(logits.device).expand_as(logits)
        highest = logits.new_full(shape, -torch.inf).scatter_reduce(-1, index, logits, "amax")
        if reduce is torch.amax:
            return highest
        # A type may be as good as impossible next to another and still be the only one that is legal.
        offset = highest.masked_fill(highest.isneginf(), 0)
        total = torch.zeros_like(offset).scatter_add(-1, index, (logits - offset.gather(-1, index)).exp())
        return total.log() + offset

    def _within(self, logits: Tensor, types: Tensor) -> Tensor:
        """The logits [..., V] with −inf at tokens of other types than `types` [...]."""
        return logits.masked_fill(self.type_of.to(logits.device) != types[..., None], -torch.inf)

    def _types(self, weights: Tensor, ids: Tensor, fixed: Tensor, reduce: Reduce, choose: Choose) -> Tensor:
        """[B, L] on the CPU: the type at each position of a legal text, from log-weights [B, L, K]; 0 at specials."""
        weights, ids, fixed = weights.cpu(), ids.cpu(), fixed.cpu()
        reads = ~fixed | (ids >= len(SPECIALS))  # [B, L]; a fixed special leaves the state as it is
        given = torch.full_like(weights, -torch.inf).scatter(-1, self.type_of.cpu()[ids][..., None], 0.0)
        weights = torch.where(fixed[..., None], given, weights)
        end = self._final.expand(len(ids), -1)
        ahead = self._ahead(weights, reads, end, reduce)
        if (stuck := ahead[0][:, self._start].isneginf().all(-1)).any():
            end = torch.where(stuck[:, None], self._anywhere, end)
            ahead = self._ahead(weights, reads, end, reduce)
        if ahead[0][:, self._start].isneginf().all(-1).any():
            raise DiffmidiError(
                "what is kept or allowed leaves no way to fill the rest so that the tokenizer's grammar allows it all: "
                "keep whole notes, beginning with the first token of one, or allow more."
            )
        state = self._start[choose(ahead[0][:, self._start])]  # [B]
        following = torch.stack(ahead[1:], 1)[..., self._next]  # [B, L, S, K]
        chosen = choose(weights[:, :, None] + following)  # [B, L, S], of which each row follows one path
        types = torch.zeros_like(ids)
        rows = torch.arange(len(ids))
        for place in range(ids.shape[1]):
            kind = chosen[rows, place, state.clamp(max=len(self._next) - 1)]
            types[:, place] = kind.where(reads[:, place], 0)
            state = torch.where(reads[:, place], self._next[state, kind], state)
        return types

    def _ahead(self, weights: Tensor, reads: Tensor, end: Tensor, reduce: Reduce) -> list[Tensor]:
        """[B, S + 1] for each of the L + 1 places between tokens: log-weight of all legal ways from a state to the end.

        The recursion of Baum et al. 1970, or with `amax` Viterbi's, from the end to the beginning.
        """
        ahead = [end]
        for place in reversed(range(reads.shape[1])):
            ways = reduce(weights[:, place, None] + ahead[-1][:, self._next], -1)  # [B, S]
            ways = torch.nn.functional.pad(ways, (0, 1), value=-torch.inf)
            ahead.append(torch.where(reads[:, place, None], ways, ahead[-1]))
        return ahead[::-1]


def _replaced(ids: Tensor, at: tuple[Tensor, ...], tokens: Tensor) -> Tensor:
    """A copy of `ids` with other tokens at some places."""
    return ids.index_put(tuple(each.to(ids.device) for each in at), tokens.to(ids.device))


def _open_types(grammar: Grammar, length: int) -> Tensor:
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
