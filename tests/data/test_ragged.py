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


def written(path, **columns):
    """A file of one batch."""
    batch = pa.record_batch(columns)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, batch.schema) as stream:
        stream.write_batch(batch)
    return path


def offsets(*values):
    return pa.py_buffer(np.array(values, dtype=np.int32))


@pytest.mark.parametrize("wrong", [(0, 2, -5, 4), (0, 9, 2, 4), (0, 2**30, 2, 4)])
def test_rows_that_would_lie_outside_of_the_file_are_refused(tmp_path, wrong):
    lists = pa.Array.from_buffers(
        pa.list_(pa.int32()), 3, [None, offsets(*wrong)], children=[pa.array([1, 2, 3, 4], pa.int32())]
    )
    file = ArrowFile(written(tmp_path / "rows.arrow", values=lists))
    with pytest.raises(DiffmidiError, match=r"rows\.arrow is damaged \(its column 'values'\): prepare the data again"):
        Ragged(file, "values")


@pytest.mark.parametrize("wrong", [(0, 2, -5, 4), (0, 2, 2**20, 4)])
def test_a_text_that_would_lie_outside_of_the_file_is_refused(tmp_path, wrong):
    texts = pa.StringArray.from_buffers(3, offsets(*wrong), pa.py_buffer(b"abcd"))
    file = ArrowFile(written(tmp_path / "rows.arrow", id=texts))
    assert file.value("id", 0) == "ab"
    with pytest.raises(DiffmidiError, match="its column 'id'"):
        file.value("id", 1)


def test_a_text_that_is_none_is_refused(tmp_path):
    texts = pa.StringArray.from_buffers(1, offsets(0, 2), pa.py_buffer(b"\xff\xfe"))
    with pytest.raises(DiffmidiError, match="its column 'id'"):
        ArrowFile(written(tmp_path / "rows.arrow", id=texts)).value("id", 0)


def test_columns_of_another_type_are_refused(tmp_path):
    file = ArrowFile(
        written(tmp_path / "rows.arrow", side=pa.array(["a"]), ids=pa.array([1]), notes_hash=pa.array([2]))
    )
    for read in (lambda: file.numbers("side"), lambda: Ragged(file, "ids"), lambda: file.hashes("notes_hash")):
        with pytest.raises(DiffmidiError, match="is damaged"):
            read()
    missing = ArrowFile(written(tmp_path / "none.arrow", side=pa.array([1, None], pa.int8())))
    with pytest.raises(DiffmidiError, match="is damaged"):
        missing.numbers("side")
