"""Signatures of many pieces in a file, of which only what is looked at is in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.uint32]
ITEM = np.dtype(np.uint32).itemsize


class SignatureFile:
    """A table [N, P] that answers `table[:, column]` and `table[rows]` as an array does, by reading them.

    It lies in the file twice, by columns and by rows, so that either is read in one piece. A mapped file would be read
    as easily, but all of it ends in the memory of the process.
    """

    def __init__(self, file: BinaryIO, shape: tuple[int, int]) -> None:
        self._file, self.shape = file, shape

    @classmethod
    @contextmanager
    def at(cls, path: Path, shape: tuple[int, int]) -> Iterator[SignatureFile]:
        """A new one, whose file is removed at the end."""
        with path.open("w+b", buffering=max(ITEM * shape[1], 2)) as file:  # it reads no more ahead than a row
            try:
                yield cls(file, shape)
            finally:
                file.close()
                path.unlink()

    def __len__(self) -> int:
        return self.shape[0]

    def write(self, first: int, rows: Table) -> None:
        """Put some rows in their place."""
        count, width = self.shape
        for column in range(width):
            self._write(column * count + first, rows[:, column])
        self._write(width * (count + first), rows)

    def __getitem__(self, place: tuple[slice, int] | NDArray[np.int64]) -> Table:
        count, width = self.shape
        if isinstance(place, tuple):
            return np.frombuffer(self._read(count * place[1], count), dtype=np.uint32)
        raw = b"".join(self._read(width * (count + row), width) for row in place.tolist())
        return np.frombuffer(raw, dtype=np.uint32).reshape(-1, width)

    def _write(self, place: int, numbers: Table) -> None:
        self._file.seek(ITEM * place)
        self._file.write(numbers.tobytes())

    def _read(self, place: int, count: int) -> bytes:
        self._file.seek(ITEM * place)
        return self._file.read(ITEM * count)
