"""A tokenizer with a plan that is small enough to try all windows of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch

from diffmidi.api.process import Batch
from diffmidi_core.contracts.grammar import Grammar
from diffmidi_core.contracts.tokenizer import SPECIALS, Tokenizer
from diffmidi_core.declaration import Options

WORDS = {
    "bar": ("bar2", "bar3"),
    "tempo": ("q1", "q2"),
    "joint": ("and",),
    "held": ("q=",),
    "track": ("left", "right"),
    "count": ("c0", "c1", "c2"),
    "time": ("t0", "t1", "t2"),
    "pitch": ("p0", "p1"),
    "velocity": ("v",),
    "duration": ("d1", "d2"),
}
TYPES = ("special", *WORDS)
FIRST, FURTHER, NOTE = (("bar", "tempo", "track", "count"), ("joint", "held", "track", "count"), list(WORDS)[6:])


class Plan(Tokenizer):
    """Bars of 2 or 3 steps, in each the same tracks, each with up to 2 notes: `bar3 q1 left c1  t0 p1 v d2`."""

    group = 4
    plan = frozenset({"bar", "tempo", "joint", "held", "track", "count"})

    def __init__(self) -> None:
        super().__init__(Options())
        self._vocab = SPECIALS + tuple(itertools.chain(*WORDS.values()))
        sizes = [len(SPECIALS), *map(len, WORDS.values())]
        self._type_of = np.repeat(np.arange(len(TYPES)), sizes)

    @property
    def vocab(self):
        return self._vocab

    @property
    def grammar(self):
        # 0: a head or a note may begin; the rest of a group follows in one way.
        table = np.full((11, len(TYPES)), -1)
        for base, group in ((1, FIRST), (4, FURTHER), (7, NOTE)):
            states = [0, base, base + 1, base + 2, 0]
            for state, kind, after in zip(states, group, states[1:], strict=False):
                table[state, TYPES.index(kind)] = after
        return Grammar(TYPES, self._type_of, table)

    @property
    def roles(self):
        return {name: name for name in WORDS if name not in ("joint", "held")}

    def types(self, ids):
        ids = np.asarray(ids)
        of, place = np.zeros(len(ids), dtype=np.int64), np.flatnonzero((ids > 3) | (ids == 3))
        for group in place.reshape(-1, 4):
            head = self._type_of[ids[group[2]]] == TYPES.index("track")
            further = self._type_of[ids[group[0]]] == TYPES.index("joint")
            of[group] = [TYPES.index(name) for name in ((FURTHER if further else FIRST) if head else NOTE)]
        return of

    def steps_passed(self):
        return np.array([int(word[1:]) if word[0] == "t" else 0 for word in self._vocab])

    def bar_steps(self):
        return np.array([int(word[3:]) if word[:3] == "bar" else 0 for word in self._vocab])

    def unfold(self, ids):
        cells: list[list[int]] = []
        for group in np.asarray(ids).reshape(-1, 4).tolist():
            if self._vocab[group[2]] in WORDS["track"]:
                cells.append([])
            cells[-1] += group
        return np.array([token for cell in cells for token in (*cell, *self._missing(cell))])

    def _missing(self, cell):
        return [3] * (4 * int(self._vocab[cell[3]][1:]) + 4 - len(cell))

    def encode_counted(self, score):
        raise NotImplementedError

    def decode(self, ids, timeline=None):
        raise NotImplementedError

    def starts(self, ids):
        return np.flatnonzero([self._vocab[token] in WORDS["bar"] for token in ids])

    def count_notes(self, ids) -> int:
        return sum(self._vocab[token] == "v" for token in ids)


TOKENIZER = Plan()


def text(words: str) -> np.ndarray:
    """The ids of words, `?` being [MASK]."""
    return TOKENIZER.to_ids(["[MASK]" if word == "?" else word for word in words.split()])


def batch_of(texts: Sequence[Sequence[int]]) -> Batch:
    """Rows, padded to the longest."""
    rows = [torch.tensor([1, *ids, 2]) for ids in texts]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    tokens = torch.tensor([len(row) - 2 for row in rows])
    return Batch(ids, torch.arange(ids.shape[1]) < tokens[:, None] + 2, tokens)


def cells(tracks: Iterable[str], steps: int) -> Iterator[list[str]]:
    """All ways to fill the cells of a bar so that times add up to less than its steps: words of each."""

    def cell(head: str, track: str) -> Iterator[str]:
        for count in range(3):
            for times in itertools.product(range(3), repeat=count):
                if sum(times) < steps:
                    for rest in itertools.product("01", "12", repeat=count):
                        notes = (f"t{t} p{rest[2 * n]} v d{rest[2 * n + 1]}" for n, t in enumerate(times))
                        yield " ".join([f"{head} {track} c{count}", *notes])

    heads = ["bar{} {}", *["and q="] * 9]
    for tempo in WORDS["tempo"]:
        parts = [cell(heads[n].format(steps, tempo), track) for n, track in enumerate(tracks)]
        yield from (" ".join(found) for found in itertools.product(*map(list, parts)))


def all_windows(tracks: Sequence[str] = ("left",)) -> list[np.ndarray]:
    """All windows of one bar that break no rule."""
    return [text(words) for steps in (2, 3) for words in cells(tracks, steps)]
