"""Columns of lists in an Arrow file, read where they lie: a million rows open without being looped over or copied."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import check_regular, may_not_be_read
from diffmidi_core.wording import short

Column = NDArray[np.int64]


class ArrowFile:
    """An Arrow stream of record batches, memory-mapped; only its headers are read here.

    Raises DiffmidiError where it is damaged. What is read of it later is checked as it is read: Arrow trusts offsets,
    and by a damaged one it would read outside of the file.
    """

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        try:
            check_regular(path)
            buffer = pa.memory_map(str(path)).read_buffer()
            self.batches = [batch for batch in pa.ipc.open_stream(buffer) if batch.num_rows]
            for batch in self.batches:
                batch.validate()
            self._names = self.batches[0].schema.names if self.batches else []
        except FileNotFoundError:
            raise DiffmidiError(f"there is no {path}: prepare the data again.") from None
        except PermissionError:
            raise may_not_be_read(path) from None
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise DiffmidiError(f"{path} cannot be read as Arrow ({short(error)}): prepare the data again.") from None
        self.path = path
        self.address = int(buffer.address)
        self.int32: NDArray[np.int32] = np.frombuffer(buffer, dtype=np.int32, count=len(buffer) // 4)
        self._rows_before = np.cumsum([0, *(batch.num_rows for batch in self.batches)])

    def numbers(self, name: str) -> Column:
        """A column of integers, copied into memory as int64. Raises DiffmidiError where there is none of that name."""
        import pyarrow as pa

        columns = [numbers(each).astype(np.int64) for each in self.columns(name, pa.types.is_integer)]
        return np.concatenate(columns) if columns else np.zeros(0, dtype=np.int64)

    def hashes(self, name: str) -> NDArray[np.uint64]:
        """[N, 2] a column of 16 bytes, copied into memory."""
        columns = [hashes(each) for each in self.columns(name, lambda kind: str(kind) == "fixed_size_binary[16]")]
        return np.concatenate(columns) if columns else np.zeros((0, 2), dtype=np.uint64)

    def value(self, name: str, row: int) -> Any:
        """One value of a column, as Python has it. Raises DiffmidiError where it is damaged."""
        import pyarrow as pa

        batch = int(np.searchsorted(self._rows_before, row, side="right")) - 1
        value = self.columns(name, lambda kind: True)[batch].slice(row - int(self._rows_before[batch]), 1)
        try:
            value.validate(full=True)
        except pa.ArrowInvalid:
            raise self.damaged(name) from None
        return value[0].as_py()

    def columns(self, name: str, fits: Callable[[Any], bool]) -> list[Any]:
        """A column of every batch. Raises DiffmidiError where there is none of that name, or not of a type that `fits`
        and without missing values.
        """
        if self.batches and name not in self._names:
            raise DiffmidiError(
                f"{self.path} was written by another version of diffmidi, and has no '{name}': prepare the data again."
            )
        if self.batches and self._names.count(name) > 1:
            raise self.damaged(name)
        columns = [batch.column(name) for batch in self.batches]
        if not all(fits(each.type) and not each.null_count for each in columns):
            raise self.damaged(name)
        return columns

    def damaged(self, name: str) -> DiffmidiError:
        """The error for a column that is not as `prepare` writes it."""
        return DiffmidiError(f"{self.path} is damaged (its column '{name}'): prepare the data again.")


def numbers(column: Any) -> NDArray[Any]:
    """[N] an Arrow array of numbers, none of them missing, where it lies: without pandas, which `to_numpy` imports."""
    return np.from_dlpack(column)


def hashes(column: Any) -> NDArray[np.uint64]:
    """[N, 2] an Arrow array of 16 bytes each as numbers."""
    data = np.frombuffer(column.buffers()[1] or b"", dtype="<u8").reshape(-1, 2)
    return data[column.offset : column.offset + len(column)].astype(np.uint64)


_LISTS = ("list<item: int32>", "list<item: int32 not null>", "list<element: int32>")


class Ragged:
    """A column of lists of int32. Rows are looked up by arrays of row numbers, and cost no memory until they are read.

    Attributes:
        flat: the whole file as int32; `bounds` says where in it a row lies.
    """

    def __init__(self, file: ArrowFile, name: str) -> None:
        self.flat = file.int32
        columns = file.columns(name, lambda kind: str(kind) in _LISTS)
        try:
            for each in columns:
                each.validate(full=True)  # of numbers, only where its rows begin and end
        except ValueError:
            raise file.damaged(name) from None
        if any(each.values.null_count for each in columns):
            raise file.damaged(name)
        # Where in `flat` each batch keeps the offsets of its rows, and the values which they count from.
        self._offsets_at = np.array(
            [(column.buffers()[1].address - file.address) // 4 + column.offset for column in columns]
        )
        self._values_at = np.array(
            [(column.buffers()[3].address - file.address) // 4 + column.values.offset for column in columns]
        )
        self._rows_before = np.cumsum([0, *map(len, columns)])

    def __getitem__(self, row: int | np.integer) -> NDArray[np.int32]:
        """A row, a view of the file."""
        begin, end = self.bounds(np.asarray([row]))
        return self.flat[begin[0] : end[0]]

    def bounds(self, rows: Column) -> tuple[Column, Column]:
        """Where in `flat` each of the rows [N] begins and ends."""
        batch = np.searchsorted(self._rows_before, rows, side="right") - 1
        offset = self._offsets_at[batch] + rows - self._rows_before[batch]
        values = self._values_at[batch]
        return values + self.flat[offset], values + self.flat[offset + 1]

    def lengths(self, rows: Column) -> Column:
        """How many values each of the rows [N] has."""
        begin, end = self.bounds(rows)
        return end - begin

    def at(self, rows: Column, place: Column) -> Column:
        """The value at a place in each of the rows [N]."""
        values: Column = self.flat[self.bounds(rows)[0] + place].astype(np.int64)
        return values

    def count_up_to(self, rows: Column, limit: Column) -> Column:
        """How many values of each of the rows [N], which rise, are at most its limit: np.searchsorted for many rows."""
        begin, high = self.bounds(rows)
        low = begin
        while (unsure := low < high).any():
            middle = (low + high) // 2
            below = self.flat.take(middle, mode="clip") <= limit
            low, high = np.where(unsure & below, middle + 1, low), np.where(unsure & ~below, middle, high)
        return low - begin
