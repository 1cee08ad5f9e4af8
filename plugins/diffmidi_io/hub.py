"""hub: a data set on the Hugging Face hub, downloaded once and kept by `datasets`, memory-mapped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from diffmidi.api import DiffmidiError, UsageError
from diffmidi.api.source import Piece, Score, Source, printable
from diffmidi_io.declarations import HubOptions
from diffmidi_io.table import music_column, no_such_row, row_of, score_in

PREFIX = "hub:"
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


class Hub(Source):
    """Rows of one split of a data set, one piece each; ids are "SPLIT:ROW".

    `--data hub:NAME`, where NAME is what the hub calls it ("user/set"), or a local folder laid out like one. `datasets`
    downloads it and keeps it in its cache (HF_HOME), so that it is read from the disk, a row at a time and in any
    order, and offline from then on. No code that comes with a data set is run.
    """

    options: HubOptions

    def pieces(self) -> Iterator[Piece]:
        """Every row. Raises DiffmidiError where the data set cannot be had, UsageError where it holds no music."""
        if not len(self._rows):
            raise DiffmidiError(f"split '{self.options.split}' of {self._said} has no rows.")
        for row in range(len(self._rows)):
            yield Piece(f"{self.options.split}:{row}")

    def read(self, piece: Piece) -> Score:
        """The row as a score. Raises RefusedError."""
        return self.read_counted(piece)[0]

    def read_counted(self, piece: Piece) -> tuple[Score, Mapping[str, int]]:
        """The row as a score, and what was counted as it was read. Raises RefusedError."""
        split, row = row_of(piece.id)
        if split != self.options.split or row >= len(self._rows):
            raise no_such_row(piece.id)
        # In Arrow's own form: `datasets` would open what it takes for sound or pictures.
        return score_in(self._rows[row].column(0)[0].as_py(), f"row {row} of split '{split}' of {self._said}")

    def stamp(self, piece: Piece) -> str:
        """Where `datasets` keeps the rows, which names their version."""
        return self._kept_at

    @property
    def _name(self) -> str:
        name = (self.data or "").removeprefix(PREFIX)
        if not name:
            raise UsageError("the source 'hub' needs to know which data set: give --data hub:NAME.")
        if not Path(name).is_dir() and not _NAME.fullmatch(name):
            raise UsageError(f"'{printable(name)}' is not the name of a data set (user/set), nor a folder.")
        return name

    @property
    def _said(self) -> str:
        return f"the data set {printable(self._name)}"

    @cached_property
    def _kept_at(self) -> str:
        return " ".join(sorted({str(file["filename"]) for file in self._rows.cache_files}))

    @cached_property
    def _rows(self) -> Any:
        import datasets

        name, options = self._name, self.options
        try:
            table = datasets.load_dataset(
                name, options.config, split=options.split, revision=options.revision, streaming=False
            )
        except datasets.exceptions.DatasetNotFoundError:
            raise DiffmidiError(
                f"the Hugging Face hub has no data set {name} that you may see: check the name, and if it is private "
                f"or gated, run `hf auth login`."
            ) from None
        except ConnectionError:
            raise DiffmidiError(
                f"the Hugging Face hub cannot be reached, and {self._said} is not in the cache: try again online, or "
                f"download its Parquet files and give --data FOLDER --source parquet."
            ) from None
        # A data set may be wrong in any way, and `datasets` raises what it meets.
        except Exception as error:
            raise DiffmidiError(f"{self._said} cannot be opened: {_line(error)}.") from None
        column = music_column(table.features.arrow_schema, options.column, self._said)
        return table.select_columns([column]).with_format("arrow")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
