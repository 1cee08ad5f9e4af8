"""Words of several types, most of which say a number: which id says what, and tables from words to other words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diffmidi.api.tokenizer import SPECIALS, Ids

Column = NDArray[np.int64]


@dataclass(frozen=True)
class Block:
    """The words of one type, in the order of their ids, and the number that each says; none say 0, 1, 2, ..."""

    kind: int
    words: Sequence[str]
    numbers: Column | None = None


class Vocabulary:
    """The specials, then blocks of words.

    Attributes:
        words: [V] of all of them.
        type_of: [V] uint8, type 0 for the specials.
        number_of: [V] what each word says.
        first: the id of the first word of each type.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        blocks = [Block(0, SPECIALS), *blocks]
        sizes = [len(block.words) for block in blocks]
        kinds = [block.kind for block in blocks]
        self.words = tuple(word for block in blocks for word in block.words)
        self.type_of = np.repeat(np.array(kinds, dtype=np.uint8), sizes)
        numbers = [np.arange(len(block.words)) if block.numbers is None else block.numbers for block in blocks]
        self.number_of = np.concatenate(numbers).astype(np.int64)
        self.first = dict(zip(kinds, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))

    def said(self, kind: int) -> Column:
        """[M] what the words of a type say, in the order of their ids."""
        said: Column = self.number_of[self.type_of == kind]
        return said

    def of(self, kind: int, place: Column) -> Ids:
        """[N] places among the words of a type -> their ids."""
        ids: Ids = (self.first[kind] + place).astype(np.int32)
        return ids

    def saying(self, numbers: Mapping[int, Column]) -> Ids:
        """A table [V] of the words themselves, but for some types: the words that say these numbers [M], or -1.

        The words of these types say rising numbers.
        """
        table = np.arange(len(self.words), dtype=np.int32)
        for kind, wanted in numbers.items():
            words, said = np.flatnonzero(self.type_of == kind), self.said(kind)
            place = np.searchsorted(said, wanted).clip(max=len(said) - 1)
            table[words] = np.where(said[place] == wanted, words[place], -1)
        return table
