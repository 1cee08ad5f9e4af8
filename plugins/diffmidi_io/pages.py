"""The pages of a Parquet column: how large each becomes, told before any of it is unpacked.

A page is unpacked as a whole, and a few bytes can stand for gigabytes: zeros that were compressed, a run of one index
into a dictionary whose only entry is long, a text that shares its beginning with the one before. pyarrow does not show
pages, so that their headers are read here: Thrift's compact protocol, of which this is as much as they need
(github.com/apache/parquet-format, parquet.thrift, PageHeader).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

DELTA_BYTE_ARRAY = 7
"""The encoding of texts that share their beginnings."""
_DICTIONARY = 2
"""The type of the page that holds a dictionary."""
_STRUCT, _LIST, _SET, _MAP, _BINARY, _DOUBLE, _BYTE = 12, 9, 10, 11, 8, 7, 3
_TRUE, _FALSE = 1, 2
_DEEPEST = 16


@dataclass(frozen=True)
class Page:
    """One page of a column.

    Attributes:
        size: bytes that it has once it is unpacked.
        values: how many it holds, those of nested lists one by one.
        dictionary: whether it is what later pages point into.
        encoding: how its values are written.
    """

    size: int
    values: int
    dictionary: bool
    encoding: int


def pages(path: Path, begin: int, length: int) -> Iterator[Page]:
    """The pages that lie in `length` bytes of a file from `begin` on.

    Raises ValueError where their headers are none.
    """
    with path.open("rb") as file:
        file.seek(begin)
        while file.tell() < begin + length:
            header = _struct(file)
            size, packed = header.get(2), header.get(3)
            about = header.get(5) or header.get(8) or header.get(7) or {}
            if (
                not (isinstance(size, int) and isinstance(packed, int) and isinstance(about, dict))
                or min(size, packed) < 0
            ):
                raise ValueError("a page of it has no size")
            values, encoding = about.get(1, 0), about.get(4 if 8 in header else 2, 0)
            yield Page(size, int(values), header.get(1) == _DICTIONARY, int(encoding))
            file.seek(packed, 1)


def _struct(file: BinaryIO, depth: int = 0) -> dict[int, Any]:
    """Numbers and structs by the numbers of their fields; all else is passed over."""
    if depth > _DEEPEST:
        raise ValueError("a header of it is nested too deeply")
    fields: dict[int, Any] = {}
    number = 0
    while kind := _byte(file):
        number = number + (kind >> 4) if kind >> 4 else _signed(file)
        fields[number] = _value(file, kind & 15, depth)
    return fields


def _value(file: BinaryIO, kind: int, depth: int) -> Any:
    if kind in (_TRUE, _FALSE):
        return kind == _TRUE
    if kind == _STRUCT:
        return _struct(file, depth + 1)
    if kind in (_BYTE, _DOUBLE, _BINARY):
        file.seek({_BYTE: 1, _DOUBLE: 8}.get(kind) or _number(file), 1)
        return None
    if kind in (_LIST, _SET, _MAP):
        raise ValueError("a header of it holds a list, where there is none")
    return _signed(file)


def _byte(file: BinaryIO) -> int:
    found = file.read(1)
    if not found:
        raise ValueError("it ends within the header of a page")
    return found[0]


def _number(file: BinaryIO) -> int:
    """A number, seven bits a byte, the lowest first."""
    total, shift = 0, 0
    while True:
        byte = _byte(file)
        total |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return total
        if shift > 63:
            raise ValueError("a number in the header of a page does not end")


def _signed(file: BinaryIO) -> int:
    """A number whose lowest bit is its sign."""
    number = _number(file)
    return (number >> 1) ^ -(number & 1)
