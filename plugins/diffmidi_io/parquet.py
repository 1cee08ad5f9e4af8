"""parquet: a table of MIDI files in one Parquet file or a folder of them, read a block at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from diffmidi.api import DiffmidiError, RefusedError, UsageError
from diffmidi.api.source import Piece, Score, Source, printable
from diffmidi_io.declarations import ParquetOptions
from diffmidi_io.pages import DELTA_BYTE_ARRAY, pages
from diffmidi_io.table import music_column, no_such_row, row_of, score_in

BLOCK_BYTES = 8 * 2**20
"""How much music is unpacked at once; a row group may hold a whole data set."""
MOST_PAGE = 2**28
"""Bytes that one page of the column may unpack to: it is unpacked as a whole, however few rows are asked for."""
MOST_VALUES = 2**23
"""Values that one page may hold: notes, where its cells are lists of them."""
MOST_NOTES = 2**20
"""Notes in a cell."""
BLOCKS = 8
"""How many blocks are kept, so that rows near each other are read once, in whatever order they are asked for."""

FILES = 4
"""How many are open at once."""


class Parquet(Source):
    """Rows of Parquet files, one piece each; ids are "FILE:ROW", the file by its path inside the folder.

    Listing reads no music, only how many rows there are. Reading unpacks the block of rows around a piece and keeps the
    last few: rows in order cost what they hold, and a row far from the last ones costs its row group up to there.
    """

    options: ParquetOptions

    def __init__(self, options: ParquetOptions, *, data: str | None) -> None:
        super().__init__(options, data=data)
        self._open: dict[str, _Table] = {}

    def pieces(self) -> Iterator[Piece]:
        """Every row of every file, files sorted. Raises DiffmidiError where there is none, UsageError without music."""
        if not any(self._rows.values()):
            raise DiffmidiError(f"the Parquet table {printable(self._data)} has no rows.")
        for name, rows in self._rows.items():
            for row in range(rows):
                yield Piece(f"{name}:{row}")

    def read(self, piece: Piece) -> Score:
        """The row as a score. Raises RefusedError."""
        return self.read_counted(piece)[0]

    def read_counted(self, piece: Piece) -> tuple[Score, Mapping[str, int]]:
        """The row as a score, and what was counted as it was read. Raises RefusedError."""
        name, row = row_of(piece.id)
        if row >= self._rows.get(name, 0):
            raise no_such_row(piece.id)
        said = f"row {row} of {printable(name)}"
        try:
            cell = self._table(name).cell(row)
        except (OSError, ValueError, MemoryError) as error:
            raise RefusedError("corrupt", f"{said} cannot be read: {_line(error)}.") from None
        return score_in(cell, said)

    def stamp(self, piece: Piece) -> str:
        """Size and time of the row's file."""
        return self._stamps.get(piece.id.rpartition(":")[0], "")

    @property
    def _data(self) -> Path:
        if self.data is None:
            raise UsageError("the source 'parquet' needs to know where the table is: give --data FILE.parquet.")
        return Path(self.data)

    @cached_property
    def _paths(self) -> dict[str, Path]:
        data = self._data
        if data.is_file():
            return {data.name: data}
        if not data.is_dir():
            raise DiffmidiError(f"--data {printable(data)} does not exist: give a Parquet file, or a folder of them.")
        paths = (path for path in data.rglob("*") if path.suffix.lower() == ".parquet" and path.is_file())
        # What begins with a dot or an underscore is how the programs that write Parquet note things for themselves.
        found = {path.relative_to(data).as_posix(): path for path in paths if path.name[0] not in "._"}
        if not found:
            raise DiffmidiError(f"there are no .parquet files in {printable(data)} or below it.")
        return dict(sorted(found.items()))

    @cached_property
    def _stamps(self) -> dict[str, str]:
        told = {name: path.stat() for name, path in self._paths.items()}
        return {name: f"{status.st_size}:{status.st_mtime_ns}" for name, status in told.items()}

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: self._table(name).rows for name in self._paths}

    def _table(self, name: str) -> _Table:
        if name not in self._open:
            # A data set may have more files than a process may open.
            if len(self._open) >= FILES:
                self._open.pop(next(iter(self._open))).close()
            self._open[name] = _Table.open(self._paths[name], self.options.column)
        return self._open[name]


@dataclass
class _Block:
    """Rows from `first` on of one column."""

    first: int
    cells: pa.Array


class _Table:
    """One file: a column of it, row by row, without ever holding much of it."""

    def __init__(self, path: Path, file: pq.ParquetFile, column: str) -> None:
        self._path, self._file, self._column = path, file, column
        groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
        self._first_row = np.cumsum([0, *(group.num_rows for group in groups)])
        self._kept: deque[_Block] = deque(maxlen=BLOCKS)
        self._reading: Iterator[_Block] = iter(())
        self._group, self._at = -1, 0
        self._known: dict[int, int | ValueError] = {}

    @classmethod
    def open(cls, path: Path, column: str | None) -> _Table:
        """Read its footer. Raises DiffmidiError where it is not Parquet, UsageError where no column is music.

        A table of more rows than it has bytes holds nothing that is worth to be read, and its rows alone would fill the
        memory.
        """
        try:
            # Without pre-buffering and with a buffer, a column is read as it goes, not a row group at once.
            file = pq.ParquetFile(path, pre_buffer=False, buffer_size=2**20)
        except (OSError, pa.ArrowException) as error:
            raise DiffmidiError(f"{printable(path)} cannot be read as Parquet: {_line(error)}.") from None
        if file.metadata.num_rows > (size := path.stat().st_size):
            raise DiffmidiError(
                f"{printable(path)} says that it has {file.metadata.num_rows:,} rows, in {size:,} bytes: write it anew."
            )
        return cls(path, file, music_column(file.schema_arrow, column, printable(path)))

    @property
    def rows(self) -> int:
        """How many there are."""
        return int(self._first_row[-1])

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def cell(self, row: int) -> Any:
        """What stands in the column, as Python sees it. Raises OSError or ValueError where it cannot be read."""
        for block in self._kept:
            if block.first <= row < block.first + len(block.cells):
                return _as_python(block.cells[row - block.first])
        group = int(np.searchsorted(self._first_row, row, side="right")) - 1
        if group != self._group or row < self._at:
            self._group, self._at, self._reading = group, int(self._first_row[group]), self._blocks(group)
        try:
            block = next(block for block in self._reading if self._passed(block) > row)
        except StopIteration:
            self._group = -1
            raise OSError("it ends before its last row") from None
        except Exception:
            self._group = -1  # what failed is not gone on with
            raise
        if block.cells.nbytes <= 2 * BLOCK_BYTES:
            self._kept.append(block)
        return _as_python(block.cells[row - block.first])

    def _passed(self, block: _Block) -> int:
        """The row after a block's last one, which reading has come to."""
        self._at = block.first + len(block.cells)
        return self._at

    def _at_once(self, group: int) -> int:
        """How many rows of a row group are unpacked at once: as many as take about BLOCK_BYTES, and one at least.

        What the file says of its size is not believed where its pages say more: of a dictionary, or of texts that share
        their beginnings, each row may be as long as all of it. Raises ValueError where one page alone is too much.
        """
        told = self._file.metadata.row_group(group)
        columns = [told.column(index) for index in range(told.num_columns)]
        size, longest = 0, 0
        for each in columns:
            if each.path_in_schema.split(".")[0] != self._column:
                continue
            begins = [at for at in (each.dictionary_page_offset, each.data_page_offset) if at]
            told_pages = list(pages(self._path, min(begins, default=0), each.total_compressed_size))
            for page in told_pages:
                if page.size > MOST_PAGE:
                    raise ValueError(
                        f"a page of it unpacks to {page.size:,} bytes, and more than {MOST_PAGE:,} are too many"
                    )
                if page.values > MOST_VALUES:
                    raise ValueError(f"a page of it holds {page.values:,} values, more than {MOST_VALUES:,}")
            shared = [page.size for page in told_pages if page.dictionary or page.encoding == DELTA_BYTE_ARRAY]
            if each.physical_type == "BYTE_ARRAY":
                longest = max(longest, *shared, 0)
            size += max(each.total_uncompressed_size, sum(page.size for page in told_pages))
            size += 8 * sum(page.values for page in told_pages)
        rows = int(told.num_rows * BLOCK_BYTES / max(size, BLOCK_BYTES))
        return max(1, min(rows, BLOCK_BYTES // max(longest, 1)))

    def _blocks(self, group: int) -> Iterator[_Block]:
        """The rows of a row group, about BLOCK_BYTES at a time. Raises ValueError before one that fills the memory."""
        if group not in self._known:
            try:
                self._known[group] = self._at_once(group)
            except ValueError as error:
                self._known[group] = error
        rows = self._known[group]
        if isinstance(rows, ValueError):
            raise rows
        first = int(self._first_row[group])
        for batch in self._file.iter_batches(batch_size=rows, row_groups=[group], columns=[self._column]):
            yield _Block(first, batch.column(0))
            first += batch.num_rows


def _as_python(cell: pa.Scalar) -> Any:
    """A cell as Python sees it. Raises ValueError for one of more notes than any piece has."""
    lists = cell.values() if isinstance(cell, pa.StructScalar) else [cell]
    if any(isinstance(each, pa.ListScalar) and each.is_valid and len(each) > MOST_NOTES for each in lists):
        raise ValueError(f"it holds more than {MOST_NOTES:,} notes")
    return cell.as_py()


def _line(error: Exception) -> str:
    return printable(str(error).strip().partition("\n")[0].rstrip(".")) or type(error).__name__
