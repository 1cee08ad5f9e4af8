"""NextWord: what a grammar lets follow, given all that was read before: the support of a model from left to right.

`Support` says what can stand at a position whatever stands elsewhere. Who reads from left to right knows more: in which
state the grammar's automaton is. The states of a whole window come from a parallel prefix of its tokens, each a map
from states to states (Hillis and Steele 1986, Data Parallel Algorithms): log2 L gathers, and no loop over positions.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from diffmidi_core.contracts.grammar import Grammar
from diffmidi_core.diffusion import prefix
from diffmidi_core.errors import DiffmidiError


class NextWord(nn.Module):
    """A grammar's automaton, followed from each of its N start states. Nothing in it is trained or saved.

    Of S states, number S is nowhere: it is reached by a token that may not stand, and never left. Specials leave every
    state as it is.
    """

    def __init__(self, grammar: Grammar) -> None:
        super().__init__()
        states, kinds = grammar.next_state.shape
        following = np.full((states + 1, kinds), states)
        following[:-1] = np.where(grammar.next_state < 0, states, grammar.next_state)
        following[:, 0] = np.arange(states + 1)
        final = np.isin(np.arange(states + 1), grammar.final)
        self.type_of: Tensor
        self.register_buffer("type_of", torch.from_numpy(grammar.type_of.astype(np.int64)), persistent=False)
        self._following: Tensor  # [S + 1, K]
        self.register_buffer("_following", torch.from_numpy(following), persistent=False)
        self._final: Tensor  # [S + 1]
        self.register_buffer("_final", torch.from_numpy(final), persistent=False)
        self._start: Tensor  # [N]
        self.register_buffer("_start", torch.tensor(grammar.start), persistent=False)

    def states(self, ids: Tensor) -> Tensor:
        """[B, L + 1, N] the state before each token of `ids` [B, L], and after the last, from each start state."""
        return prefix.walked(self._moves(ids), self._start.expand(len(ids), -1))

    def begun(self, rows: int) -> Tensor:
        """[rows, N] the states in which texts begin."""
        return self._start.expand(rows, -1)

    def after(self, states: Tensor, ids: Tensor) -> Tensor:
        """[B, N] the states after `ids` [B, L] from `states` [B, N]; token by token, for a few of them."""
        for types in self.type_of[ids].unbind(1):
            states = self._following[states, types[:, None]]
        return states

    def allowed(self, states: Tensor, ahead: Tensor | None = None) -> Tensor:
        """[..., V] bool: the tokens that may be read in one of `states` [..., N]; specials never.

        `ahead` [..., S + 1] bool allows only those that lead to a state from where it goes on; see `ahead`.
        """
        following = self._following[states]  # [..., N, K]
        if ahead is None:
            open_ = following < len(self._following) - 1
        else:
            open_ = ahead[..., None, :].expand(*following.shape[:-1], -1).gather(-1, following)
        types = open_.any(-2)
        types[..., 0] = False
        return types[..., self.type_of]

    def ahead(self, ids: Tensor, fixed: Tensor, admitted: Tensor | None = None) -> Tensor:
        """[B, L + 1, S + 1] bool, before each token and after the last: is there still a legal way to the end?

        `fixed` [B, L] bool says where `ids` [B, L] is given; elsewhere any tokens may stand, or those of `admitted`
        [B, L, V] bool. Texts end in a final state, unless none of that many tokens does. Raises DiffmidiError where no
        legal text is of tokens that are allowed.
        """
        steps = self._steps(ids, fixed, admitted)
        levels = prefix.tree(steps, prefix.any_product)
        nowhere = torch.arange(len(self._following), device=ids.device) == len(self._following) - 1
        end = self._final.expand(len(ids), -1)
        stuck = ~self._begun(levels, end)
        end = torch.where(stuck[:, None], ~nowhere, end)
        if bool((~self._begun(levels, end)).any()):
            raise DiffmidiError(
                "what is kept or allowed leaves no way to fill the rest so that the tokenizer's grammar allows it all: "
                "keep whole notes, beginning with the first token of one, or allow more."
            )
        later = prefix.following(levels, end.float(), prefix.any_product)
        first = prefix.any_product(steps[:, 0], later[:, 0, :, None])[:, None, :, 0]
        return torch.cat([first, later], 1) > 0

    def _begun(self, levels: list[Tensor], end: Tensor) -> Tensor:
        """[B] bool: does some start state lead through all positions to one of `end` [B, S + 1]?"""
        whole = prefix.any_product(levels[-1][:, 0], end.float()[..., None])[..., 0]
        return (whole[:, self._start] > 0).any(-1)

    def _steps(self, ids: Tensor, fixed: Tensor, admitted: Tensor | None) -> Tensor:
        """[B, L, S + 1, S + 1] 1 where a token that may stand at a position leads from one state to another, else 0."""
        states = len(self._following)
        leads = torch.nn.functional.one_hot(self._following, states).float()  # [S + 1, K, S + 1]
        given = torch.nn.functional.one_hot(self._moves(ids), states).float()
        if admitted is None:
            free = leads[:, 1:].amax(1).expand_as(given)
        else:
            free = torch.einsum("blk,skn->blsn", self._types(admitted)[..., 1:].float(), leads[:, 1:]).clamp(max=1)
        return torch.where(fixed[..., None, None], given, free)

    def _types(self, admitted: Tensor) -> Tensor:
        """[B, L, K] bool: the types of which some token is `admitted` [B, L, V]."""
        found = torch.zeros(*admitted.shape[:-1], self._following.shape[1], device=admitted.device)
        return found.index_add(-1, self.type_of, admitted.to(found.dtype)) > 0

    def _moves(self, ids: Tensor) -> Tensor:
        """[B, L, S + 1] what each token makes of each state."""
        return self._following.T[self.type_of[ids]]
