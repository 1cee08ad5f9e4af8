"""Columns of lists read from a memory-mapped Arrow file, many rows at a time."""

import numpy as np
import pyarrow as pa
import pytest

from diffmidi_core.data.ragged import ArrowFile, Ragged
from diffmidi_core.errors import DiffmidiError

BATCHES = (3, 1, 0, 40, 7)


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(0)
    return [np.sort(random.integers(0, 60, random.integers(0, 25))).tolist() for _ in range(sum(BATCHES))]


@pytest.fixture(scope="module")
def file(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("arrow") / "rows.arrow"
    schema = pa.schema([("name", pa.string()), ("values", pa.list_(pa.int32())), ("key", pa.int64())])
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        begin = 0
        for count in BATCHES:
            part = range(begin, begin + count)
            columns = [[f"row {row}" for row in part], [rows[row] for row in part], [row**9 for row in part]]
            arrays = [pa.array(each, field.type) for each, field in zip(columns, schema, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            begin += count
    return ArrowFile(path)


def test_rows_are_views_of_the_file(file, rows):
    ragged = Ragged(file, "values")
    for row, values in enumerate(rows):
        assert ragged[row].tolist() == values
        assert ragged[row].base is not None
    assert ragged.lengths(np.arange(len(rows))).tolist() == [len(values) for values in rows]


def test_other_columns(file, rows):
    assert file.numbers("key").tolist() == [row**9 for row in range(len(rows))]
    assert [file.value("name", row) for row in (0, 3, 4, 50)] == ["row 0", "row 3", "row 4", "row 50"]


def test_values_are_found_in_many_rows_at_once(file, rows):
    random = np.random.default_rng(1)
    some = random.integers(0, len(rows), 500)
    limit = random.integers(-5, 70, 500)
    ragged = Ragged(file, "values")
    expected = [np.searchsorted(rows[row], bound, side="right") for row, bound in zip(some, limit, strict=True)]
    assert ragged.count_up_to(some, limit).tolist() == expected
    filled = some[ragged.lengths(some) > 0]
    assert ragged.at(filled, ragged.lengths(filled) - 1).tolist() == [rows[row][-1] for row in filled]


def test_a_damaged_file_is_said_to_be(tmp_path):
    (tmp_path / "rows.arrow").write_bytes(b"no Arrow at all")
    with pytest.raises(DiffmidiError, match=r"cannot be read as Arrow.*prepare the data again"):
        ArrowFile(tmp_path / "rows.arrow")
