"""Labels that the user gives: a CSV file whose rows are joined to pieces by name."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from unicodedata import normalize

from diffmidi_core.data.labels import Label
from diffmidi_core.errors import UsageError
from diffmidi_core.files import check_regular
from diffmidi_core.wording import cut, listed, printable

NAME_COLUMNS = ("id", "path", "file", "filename", "file_name", "midi_filename", "midi", "name", "piece")
"""What the column that names the piece may be called, in any case; where there are several, the first of these."""
_SUFFIX = re.compile(r"\.(mid|midi|kar|rmi)$", re.IGNORECASE)
_DELIMITERS = ",;\t"

Row = dict[str, Label]


class GivenLabels:
    """The labels of a CSV file, by piece id.

    One column names the piece (`NAME_COLUMNS`): by its id, or by the file name alone where that is one piece's only;
    the suffix .mid may be left out, and accents may be written as macOS does or as others do (NFD, NFC). Every other
    column with a name is a label, of numbers where all its cells are; an empty cell is none.

    Args:
        path: the file: UTF-8, with or without a byte order mark, separated by commas, semicolons or tabs.
        ids: of every piece there is.

    Attributes:
        names: the labels that the file gives.
        pieces, rows: how many there are.
        unmatched_rows: what the rows say that name no piece, or more than one.
        unmatched_pieces: how many pieces have no row.

    Raises UsageError, in one sentence, where the file cannot be read as such a table, or no row names any piece.
    """

    def __init__(self, path: Path, ids: Iterable[str]) -> None:
        rows = _read(path)
        self.path, self.rows, self.pieces, example = path, len(rows), 0, ""
        self.names = tuple(dict.fromkeys(name for row in rows.values() for name in row))
        candidates: dict[str, list[str]] = {}
        for piece in ids:
            self.pieces, example = self.pieces + 1, example or piece
            if (name := next((name for name in _called(piece) if name in rows), None)) is not None:
                candidates.setdefault(name, []).append(piece)
        self._rows: dict[str, Row] = {}
        for name, named in candidates.items():
            exact = [piece for piece in named if name in (_nfc(piece), _SUFFIX.sub("", _nfc(piece)))]
            if len(sure := exact or named) == 1:
                self._rows[sure[0]] = rows[name]
        matched = {name for name, named in candidates.items() if any(piece in self._rows for piece in named)}
        self.unmatched_rows = [name for name in rows if name not in matched]
        self.unmatched_pieces = self.pieces - len(self._rows)
        if self.pieces and not self._rows:
            which = "the only piece" if self.pieces == 1 else f"one of the {self.pieces:,} pieces"
            raise UsageError(
                f"no row of {printable(path)} names {which}: its first is called "
                f"'{printable(next(iter(rows)))}', and the first piece '{printable(example)}'."
            )

    def of(self, piece_id: str) -> Row:
        """The labels of a piece; none where no row names it."""
        return dict(self._rows.get(piece_id, {}))

    def override(self, labels: Row, piece_id: str) -> Row:
        """These labels with the piece's given ones over them. A column belongs to the file alone."""
        return {name: value for name, value in labels.items() if name not in self.names} | self.of(piece_id)

    def remark(self) -> str | None:
        """One sentence on what did not match, or None where everything did."""
        remarks = []
        if self.unmatched_pieces:
            remarks.append(f"{self.unmatched_pieces:,} of {self.pieces:,} pieces have no row")
        if self.unmatched_rows:
            first = printable(self.unmatched_rows[0])
            remarks.append(
                f"{len(self.unmatched_rows):,} of {self.rows:,} rows name no single piece (the first: '{first}')"
            )
        return f"labels of {printable(self.path)}: {' and '.join(remarks)}." if remarks else None


def _nfc(text: str) -> str:
    """With each accent part of its letter: file systems and editors write it in either way."""
    return normalize("NFC", text)


def _called(piece_id: str) -> Iterator[str]:
    """What a row may call a piece, from the surest on."""
    piece_id = _nfc(piece_id)
    for name in dict.fromkeys((piece_id, piece_id.rpartition("/")[2])):
        yield name
        if (bare := _SUFFIX.sub("", name)) != name:
            yield bare


def _read(path: Path) -> dict[str, Row]:
    """The labels of each row, by the name in it."""
    file_name = printable(path)
    try:
        check_regular(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = max(_DELIMITERS, key=file.readline().count)
            file.seek(0)
            lines = csv.reader(file, delimiter=delimiter, strict=True)
            header = [_nfc(cell.strip()) for cell in next(lines, [])]
            column = _name_column(header, file_name)
            rows: dict[str, list[str]] = {}
            for line in lines:
                if any(cells := [cell.strip() for cell in line]):
                    _add(rows, cells, column, len(header), f"line {lines.line_num} of {file_name}")
    except OSError as error:
        raise UsageError(f"the labels in {file_name} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file_name} is not UTF-8 text: save it again as 'CSV UTF-8'.") from None
    except csv.Error as error:
        raise UsageError(f"line {lines.line_num} of {file_name} is not CSV: {error}.") from None
    if not rows:
        raise UsageError(f"{file_name} has a header and no rows: give one row for each piece.")
    numeric = {index for index in range(len(header)) if _are_numbers([cells[index] for cells in rows.values()])}
    return {
        name: {
            header[index]: float(cell) if index in numeric else cell
            for index, cell in enumerate(cells)
            if cell and header[index] and index != column
        }
        for name, cells in rows.items()
    }


def _add(rows: dict[str, list[str]], cells: list[str], column: int, width: int, where: str) -> None:
    if len(cells) != width:
        raise UsageError(
            f"{where} has {len(cells)} cells, and the header {width}: quote a cell that holds a separator."
        )
    if not (name := _nfc(cells[column]).replace("\\", "/").removeprefix("./")):
        raise UsageError(f"{where} names no piece: its cell is empty.")
    if name in rows:
        raise UsageError(f"{where} is the second one for '{printable(name)}': keep one of them.")
    rows[name] = cells


def _name_column(header: list[str], file_name: str) -> int:
    if not header:
        raise UsageError(f"{file_name} is empty: it needs a header and one row for each piece.")
    if twice := [name for name, count in Counter(header).items() if name and count > 1]:
        raise UsageError(f"{file_name} has two columns called '{cut(printable(twice[0]))}': rename one.")
    lower = [name.lower() for name in header]
    for name in NAME_COLUMNS:
        if name in lower:
            return lower.index(name)
    raise UsageError(
        f"{file_name} has no column that names the piece ({', '.join(NAME_COLUMNS)}); its columns are {listed(header)}."
    )


def _are_numbers(cells: Collection[str]) -> bool:
    return any(cells) and all(_is_number(cell) for cell in cells if cell)


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell)) and "_" not in cell
    except ValueError:
        return False
