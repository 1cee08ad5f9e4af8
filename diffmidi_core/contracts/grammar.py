"""Grammar: which type of token may follow which, as a small deterministic automaton over token types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Grammar:
    """An automaton over token types.

    Attributes:
        types: names of the token types, "special" first (it has no transitions: specials are never read).
        type_of: [V] the type of each token.
        next_state: [S, K] the state after reading a type in a state; -1 where that type may not stand.
        start: the states in which a window may start (a window may start inside a piece).
        final: the states in which a piece may end.
    """

    types: tuple[str, ...]
    type_of: NDArray[np.int64]
    next_state: NDArray[np.int64]
    start: tuple[int, ...] = (0,)
    final: tuple[int, ...] = (0,)

    def faults(self, ids: NDArray[np.integer]) -> int:
        """Tokens that may not stand where they stand. A faulty token is passed over: the state stays as it was.

        An end in a state that is not final is one fault more. No tokens: no fault. With several start states the
        kindest reading counts.
        """
        if len(ids) == 0:
            return 0
        table, final = self.next_state.tolist(), set(self.final)
        types = self.type_of[np.asarray(ids)].tolist()
        return min(_faults(table, types, state, final) for state in self.start)

    def longest(self, most: int) -> int:
        """The largest number of tokens, up to `most`, that some whole text has; `most` where there is no such text."""
        return max(self._lengths(most), default=most)

    def shortest(self) -> int:
        """The smallest number of tokens that some whole text has; 1 where there is no text at all."""
        return next(self._lengths(len(self.next_state) + 1), 1)

    def _lengths(self, most: int) -> Iterator[int]:
        """How many tokens whole texts have, 1 to `most`, rising."""
        states = np.array(self.start)
        for tokens in range(1, most + 1):
            after = self.next_state[states]
            states = np.unique(after[after >= 0])
            if np.isin(states, self.final).any():
                yield tokens


def _faults(table: list[list[int]], types: list[int], state: int, final: set[int]) -> int:
    wrong = 0
    for kind in types:
        following = table[state][kind]
        if following < 0:
            wrong += 1
        else:
            state = following
    return wrong + (state not in final)
