"""Arrow arrays from numpy and from Python, by their buffers: pyarrow's own conversions import pandas first, which takes
a third of a second. The way back is `ragged.numbers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def number_column(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    """[N] numbers as an Arrow array of a type of numbers."""
    values = np.ascontiguousarray(values, dtype=kind.to_pandas_dtype())
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def column(rows: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """[N] rows as an Arrow array: numbers, texts, bytes of one length, or lists of numbers, as the type says."""
    if pa.types.is_fixed_size_binary(kind):
        return pa.Array.from_buffers(kind, len(rows), [None, pa.py_buffer(b"".join(rows))])
    if pa.types.is_string(kind):
        texts = [row.encode() for row in rows]
        return pa.StringArray.from_buffers(len(rows), _offsets(texts).buffers()[1], pa.py_buffer(b"".join(texts)))
    if not pa.types.is_nested(kind):
        return number_column(np.array(rows), kind)
    values = np.concatenate(rows or [[]], dtype=kind.value_type.to_pandas_dtype(), casting="unsafe")
    flat = number_column(values, kind.value_type)
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(flat, type=kind)
    return pa.ListArray.from_arrays(_offsets(rows), flat)


def _offsets(rows: Sequence[Any]) -> pa.Array:
    """[N + 1] where each row begins, and where the last one ends."""
    return number_column(np.cumsum([0, *map(len, rows)]), pa.int32())
