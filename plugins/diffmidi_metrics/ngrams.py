"""N-grams by interpolated modified Kneser-Ney smoothing, in numpy: counted by sorting, asked a whole window at a time.

No library fits: NLTK's is slow and has one discount for all counts; KenLM's Python package cannot estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffmidi.api.metric import Grammar

Array = NDArray[np.float64]
Numbers = NDArray[np.int64]

FALLBACK: Array = np.array([0, 0.5, 1, 1.5])
"""Discounts where there are too few n-grams to estimate them from: those that KenLM suggests (--discount_fallback)."""


@dataclass(frozen=True)
class _Order:
    """Tokens counted by context, and discounted.

    Attributes:
        keys: [G] sorted: the number of a context times `size`, plus a token.
        discounted: [G] max(c - D(c), 0) over the total of the context.
        gamma: [C] the share of each context that goes to the order below; 1 for one that no token follows.
        size: how many tokens there are.
    """

    keys: Numbers
    discounted: Array
    gamma: Array
    size: int

    @classmethod
    def of(cls, keys: Numbers, counts: Numbers, contexts: int, size: int) -> _Order:
        """From how often each was counted [G], 0 where it is no token; of `contexts` contexts."""
        context = keys // size
        discounts = _discounts(np.bincount(counts, minlength=5)[1:5])[np.minimum(counts, 3)]
        total = np.bincount(context, weights=counts, minlength=contexts)
        left = np.bincount(context, weights=discounts, minlength=contexts)
        followed = total > 0
        total = np.where(followed, total, 1)
        return cls(keys, (counts - discounts) / total[context], np.where(followed, left / total, 1.0), size)

    def interpolated(self, contexts: Numbers, ids: Numbers, p: Array) -> tuple[Array, Numbers]:
        """[N] p(w | h) from that of the order below, and the numbers of h w; contexts and numbers -1 where unknown."""
        keys = contexts * self.size + ids
        at = np.searchsorted(self.keys, keys).clip(max=len(self.keys) - 1)
        known = contexts >= 0
        found = known & (self.keys[at] == keys)
        return np.where(known, np.where(found, self.discounted[at], 0) + self.gamma[contexts] * p, p), np.where(
            found, at, -1
        )


class KneserNey:
    """p(w | h) of a token given up to `order` − 1 tokens before it. It sums to one over the tokens.

    Chen and Goodman 1999, An empirical study of smoothing techniques for language modeling, section 3.1 and eq. 27:

        p(w | h) = max(c(h w) − D(c(h w)), 0) / Σ_v c(h v) + γ(h) p(w | h')      h' is h without its first token
        γ(h) = (D1 N1(h ·) + D2 N2(h ·) + D3+ N3+(h ·)) / Σ_v c(h v)
        D_i = i − (i + 1) Y n_{i+1} / n_i,  Y = n1 / (n1 + 2 n2), n_i of the n-grams of that order counted i times

    c counts occurrences for the highest order, and for those below the different tokens that precede. Below the lowest
    is the uniform distribution over `tokens`. A context that was never seen leaves all to the order below.

    Args:
        pieces: [N] ids each; no context reaches from one into the next.
        order: n, at least 1.
        size: V, ids are 0 to V − 1.
        tokens: [size] which of them are music: the others are specials.
    """

    def __init__(
        self, pieces: Sequence[NDArray[np.integer]], order: int, *, size: int, tokens: NDArray[np.bool_]
    ) -> None:
        self.order, self.size = order, size + 1  # one more for what stands before a piece
        self.uniform = np.append(tokens / tokens.sum(), 0.0)
        before = np.full(max(1, order - 1), size)
        text = np.concatenate([part for piece in pieces for part in (before, piece)]).astype(np.int64)
        is_token = text < size
        grams = np.zeros(len(text), dtype=np.int64)  # the (k−1)-gram that ends at each place, by number
        contexts = 1
        seen: list[tuple[Numbers, Numbers, Numbers, int]] = []
        for _ in range(order):
            previous = np.concatenate([[0], grams[:-1]])
            keys, first, numbers, counts = np.unique(
                previous * self.size + text, return_index=True, return_inverse=True, return_counts=True
            )
            if seen:  # how many different tokens precede each gram of the order below
                below = seen[-1]
                preceded = np.bincount(grams[first], minlength=len(below[0]))
                seen[-1] = below[0], below[1], preceded, below[3]
            seen.append((keys, first, counts, contexts))
            grams, contexts = numbers, len(keys)
        self._orders = [_Order.of(keys, counts * is_token[first], n, self.size) for keys, first, counts, n in seen]

    def probabilities(self, ids: NDArray[np.integer]) -> Array:
        """[N] p of each token of a window, given those before it in the window."""
        tokens = np.asarray(ids, dtype=np.int64)
        contexts = np.zeros(len(tokens), dtype=np.int64)
        p: Array = self.uniform[tokens]
        for order in self._orders:
            p, grams = order.interpolated(contexts, tokens, p)
            contexts = np.concatenate([[-1], grams])[:-1]
        return p


class TypedUnigram:
    """p(w | s) of a token given the state s of the grammar's automaton, which says its type: nothing else is known.

    Smoothed as a Kneser-Ney bigram whose contexts are the states, and whose counts are occurrences.
    """

    def __init__(
        self, pieces: Sequence[NDArray[np.integer]], grammar: Grammar, *, size: int, tokens: NDArray[np.bool_]
    ) -> None:
        self.grammar = grammar
        self.uniform = tokens / tokens.sum()
        states = np.concatenate([self._states(piece) for piece in pieces])
        keys, counts = np.unique(states * size + np.concatenate(pieces), return_counts=True)
        self._order = _Order.of(keys, counts, len(grammar.next_state), size)

    def probabilities(self, ids: NDArray[np.integer]) -> Array:
        """[N] p of each token of a window that begins where one may."""
        tokens = np.asarray(ids, dtype=np.int64)
        return self._order.interpolated(self._states(tokens), tokens, self.uniform[tokens])[0]

    def _states(self, ids: NDArray[np.integer]) -> Numbers:
        """[N] the state before each token; a token that may not stand leaves it as it is."""
        table, state, states = self.grammar.next_state.tolist(), self.grammar.start[0], []
        for kind in self.grammar.type_of[ids].tolist():
            states.append(state)
            state = table[state][kind] if table[state][kind] >= 0 else state
        return np.array(states, dtype=np.int64)


def _discounts(n: Numbers) -> Array:
    """D(0), D(1), D(2) and D(3 and more), from how many were counted 1, 2, 3 and 4 times."""
    n1, n2, n3, n4 = (int(each) for each in n)
    if not (n1 and n2 and n3):
        return FALLBACK
    y = n1 / (n1 + 2 * n2)
    found = np.array([0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    return found if (found >= 0).all() and (found <= np.arange(4)).all() else FALLBACK
