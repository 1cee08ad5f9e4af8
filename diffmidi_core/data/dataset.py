"""TokenDataset: the words of every piece, memory-mapped, cut into windows at note boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diffmidi_core.contracts.batch import Batch
from diffmidi_core.contracts.tokenizer import Tokenizer
from diffmidi_core.data.prepare import REPORT, TOKENS
from diffmidi_core.data.split import is_heldout
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import read_json


@dataclass(frozen=True)
class Window:
    """A stretch of a piece: words start to end, both at note boundaries."""

    piece: int
    start: int
    end: int


class TokenDataset:
    """What `prepare` wrote, opened without reading it into memory.

    Args:
        folder: where it lies.
        tokenizer: the one it was written with; another is refused.
        length: words in a window at most.
    """

    def __init__(self, folder: Path, tokenizer: Tokenizer, *, length: int) -> None:
        from datasets import Dataset

        self.report: dict[str, Any] = read_json(folder / REPORT)
        if self.report["tokenizer"] != tokenizer.fingerprint:
            raise DiffmidiError(
                f"{folder} was prepared with another tokenizer or other options of it: begin a new run for these."
            )
        self.length = length
        table = Dataset.from_file(str(folder / TOKENS)).data
        self._words = _Ragged(table.column("ids"))
        self._starts = _Ragged(table.column("starts"))
        self._names = table.column("id")
        keys = table.column("key").to_numpy()
        held = is_heldout(keys, self.report["heldout_share"])
        self.train_pieces, self.heldout_pieces = np.flatnonzero(~held), np.flatnonzero(held)
        # How many of a piece's note boundaries may begin a window: those with a whole window behind them, or the first.
        choices = [
            max(1, int(np.searchsorted(self._starts[piece], len(self._words[piece]) - length, side="right")))
            for piece in self.train_pieces
        ]
        self._choices_before = np.cumsum([0, *choices])

    @property
    def fingerprint(self) -> str:
        """Names the words of all pieces."""
        return str(self.report["fingerprint"])

    def window(self, piece: int, boundary: int) -> Window:
        """The longest window of at most `length` words that begins at a piece's note boundary."""
        starts, total = self._starts[piece], len(self._words[piece])
        start = int(starts[boundary])
        if total - start <= self.length:
            return Window(piece, start, total)
        last = int(np.searchsorted(starts, start + self.length, side="right")) - 1
        # A single note of more words than a window holds is cut where the window ends.
        return Window(piece, start, int(starts[last]) if last > boundary else start + self.length)

    def draw(self, count: int, *, seed: int, step: int) -> list[Window]:
        """`count` training windows, uniform over note boundaries: a function of (seed, step) alone."""
        total = int(self._choices_before[-1])
        if not total:
            raise DiffmidiError("there is nothing to train on: the only piece is held out. Add more music.")
        drawn = np.random.default_rng((seed, step)).integers(total, size=count)
        rows = np.searchsorted(self._choices_before, drawn, side="right") - 1
        return [
            self.window(int(self.train_pieces[row]), int(choice - self._choices_before[row]))
            for row, choice in zip(rows, drawn, strict=True)
        ]

    def heldout(self, count: int | None = None, *, seed: int = 0) -> list[Window]:
        """Windows that tile the held-out pieces without overlap; `count` of them in an order that `seed` decides."""
        tiled: list[Window] = []
        for piece in self.heldout_pieces:
            starts, end = self._starts[piece], 0
            while end < len(self._words[piece]):
                window = self.window(int(piece), int(np.searchsorted(starts, end, side="right")) - 1)
                tiled.append(Window(window.piece, end, max(window.end, end + 1)))
                end = tiled[-1].end
        order = np.random.default_rng((seed, 0)).permutation(len(tiled))
        return [tiled[index] for index in order[:count]]

    def words(self, window: Window) -> NDArray[np.int32]:
        """The ids of a window, a view of the file."""
        return self._words[window.piece][window.start : window.end]

    def piece(self, piece: int | np.integer) -> NDArray[np.int32]:
        """The ids of a whole piece, a view of the file."""
        return self._words[piece]

    def name(self, piece: int | np.integer) -> str:
        """What the source calls a piece."""
        return str(self._names[int(piece)].as_py())

    def batch(self, windows: Sequence[Window]) -> Batch:
        """[CLS] words [SEP] and [PAD] to the end, `length + 2` positions a row."""
        ids = np.full((len(windows), self.length + 2), Tokenizer.pad_id, dtype=np.int64)
        counts = np.array([window.end - window.start for window in windows], dtype=np.int64)
        ids[:, 0] = Tokenizer.cls_id
        for row, window in enumerate(windows):
            ids[row, 1 : counts[row] + 1] = self.words(window)
        ids[np.arange(len(windows)), counts + 1] = Tokenizer.sep_id
        whole = bool((counts == self.length).all())
        keep = None if whole else torch.from_numpy(np.arange(self.length + 2) < counts[:, None] + 2)
        return Batch(torch.from_numpy(ids), keep, torch.from_numpy(counts))


class _Ragged:
    """A column of lists as views of the memory-mapped file, without Arrow's per-value Python objects."""

    def __init__(self, column: Any) -> None:
        self._values = [chunk.values.to_numpy(zero_copy_only=True) for chunk in column.chunks]
        self._offsets = [chunk.offsets.to_numpy() for chunk in column.chunks]
        self._rows_before = np.cumsum([0, *(len(chunk) for chunk in column.chunks)])

    def __len__(self) -> int:
        return int(self._rows_before[-1])

    def __getitem__(self, row: int | np.integer) -> NDArray[np.int32]:
        chunk = int(np.searchsorted(self._rows_before, row, side="right")) - 1
        offsets, at = self._offsets[chunk], int(row - self._rows_before[chunk])
        view: NDArray[np.int32] = self._values[chunk][offsets[at] : offsets[at + 1]]
        return view
