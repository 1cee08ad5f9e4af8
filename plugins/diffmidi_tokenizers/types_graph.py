"""MidiTok's graph of token types as a Grammar, and what a passage of tokens says of itself: boundaries, notes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from diffmidi.api.tokenizer import SPECIALS, Grammar, Role

NOTES = frozenset({"Pitch", "NoteOn"})
"""Types of the token that says a note's pitch: as many of them as notes."""
TIMES = frozenset({"Bar", "TimeSig", "Position", "TimeShift", "Rest"})
"""Types of the tokens that lead from one onset to the next."""

ROLES: Mapping[str, Role] = {
    **dict.fromkeys(NOTES, "pitch"),
    "Velocity": "velocity",
    "Duration": "duration",
    **dict.fromkeys(("Bar", "Beat", "Position", "TimeShift", "Rest", "MicroTiming"), "time"),
    "TimeSig": "metre",
    "Tempo": "tempo",
    "Program": "track",
}
"""Of MidiTok's types. `NoteOff` tells a pitch and an end, `Pattern` onsets and lengths; `Chord`, what others do too."""

Expansion = tuple[str, ...]
"""The tokens that one word stands for: one, or several where the vocabulary was learned by BPE."""


def type_of(token: str) -> str:
    """`Pitch` of `Pitch_60`."""
    return token.partition("_")[0]


class TypesGraph:
    """A deterministic automaton whose states are the types read last, and one before anything is read.

    A piece, or a window of one, may begin with a token of time, or with a note where onsets need none (there are no
    bars, or a note may be the first token of one); it may end where a note may be followed by a token of time.
    """

    def __init__(
        self, graph: Mapping[str, Collection[str]], expansions: Sequence[Expansion], times: frozenset[str] = TIMES
    ) -> None:
        used = {type_of(token) for expansion in expansions for token in expansion}
        self._names = sorted(used)
        state = {name: 1 + index for index, name in enumerate(self._names)}
        self._next: list[dict[str, int]] = [{}]
        timeless = "Bar" not in used or "Pitch" in graph["Bar"]
        begins = used & (times | NOTES | {"Chord"} if timeless else times)
        self._next[0] = {name: state[name] for name in begins}
        for name in self._names:
            self._next.append({other: state[other] for other in graph.get(name, ()) if other in used})
        self._final = {
            state[name] for name in self._names if name not in times and times & set(graph.get(name, ())) & used
        }
        self.grammar = self._grammar(expansions)

    def _grammar(self, expansions: Sequence[Expansion]) -> Grammar:
        kinds = [tuple(type_of(token) for token in expansion) for expansion in expansions]
        distinct = sorted(set(kinds), key=lambda kind: (len(kind), kind))
        index = {kind: 1 + place for place, kind in enumerate(distinct)}
        table = np.full((len(self._next), 1 + len(distinct)), -1)
        for state in range(len(self._next)):
            for kind, column in index.items():
                table[state, column] = self._after(state, kind)
        types = np.array([0] * len(SPECIALS) + [index[kind] for kind in kinds])
        names = ("special", *("+".join(kind) for kind in distinct))
        return Grammar(names, types, table, (0,), tuple(sorted(self._final)))

    def _after(self, state: int, kinds: Sequence[str]) -> int:
        for kind in kinds:
            state = self._next[state].get(kind, -1)
            if state < 0:
                return -1
        return state

    def allowed(self, tokens: Sequence[str]) -> list[str]:
        """The tokens without those that may not stand where they stand, nor a note left unfinished at the end."""
        return [tokens[place] for place in self.legal(tokens)]

    def legal(self, tokens: Sequence[str]) -> list[int]:
        """Where in the tokens those of `allowed` stand."""
        kept: list[int] = []
        state, whole = 0, 0
        for place, token in enumerate(tokens):
            following = self._next[state].get(type_of(token), -1)
            if following >= 0:
                kept.append(place)
                state = following
                if state in self._final:
                    whole = len(kept)
        return kept[:whole]


def roles_of(types: Sequence[str]) -> dict[str, Role]:
    """The roles of a grammar's types; those of learned ones (`Rest+Rest`) where they are of one role."""
    found: dict[str, Role] = {}
    for name in types:
        roles = {ROLES.get(part) for part in name.split("+")}
        if len(roles) == 1 and (role := roles.pop()) is not None:
            found[name] = role
    return found


def boundaries(tokens: Sequence[str], times: frozenset[str] = TIMES) -> NDArray[np.int64]:
    """Where a piece may be cut: before each run of tokens of time; and the beginning."""
    timed = np.array([type_of(token) in times for token in tokens], dtype=bool)
    starts = timed & ~np.concatenate([[False], timed[:-1]])
    starts[:1] = True
    return np.flatnonzero(starts)
