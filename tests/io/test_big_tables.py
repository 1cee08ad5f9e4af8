"""parquet: tables of any size, in any order and of any ill will are read in little memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diffmidi.api import DiffmidiError, RefusedError
from diffmidi.api.renderer import notes_of
from diffmidi.api.source import Piece
from diffmidi_io import parquet
from diffmidi_io.pages import pages

from .rows import NOTES, SCALE, SCALE_BYTES, build, ids, pitches, write
from .rows import offline as offline


def test_more_tables_than_are_open_at_once(tmp_path: Path):
    names = [f"{number:02}.parquet" for number in range(parquet.FILES * 2 + 1)]
    for name in names:
        write(tmp_path / name, {"midi": [SCALE_BYTES]})
    source = build("parquet", tmp_path)
    assert [len(pitches(source, f"{name}:0")) for name in reversed(names)] == [8] * len(names)


@pytest.mark.parametrize(
    "order", [range(0, 60), range(59, -1, -1), [30, 5, 59, 0, 31, 29, 5]], ids=["on", "back", "any"]
)
@pytest.mark.parametrize("rows", [7, 60], ids=["groups", "one group"])
def test_rows_are_read_in_any_order_from_small_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: list[int], rows: int
):
    monkeypatch.setattr(parquet, "BLOCK_BYTES", 4 * len(SCALE_BYTES))
    monkeypatch.setattr(parquet, "BLOCKS", 2)
    column = [SCALE.shift_pitch(row - 50).dumps_midi() for row in range(60)]
    options = {"row_group_size": rows, "use_dictionary": False, "compression": "none"}
    source = build("parquet", write(tmp_path / "a.parquet", {"midi": column}, **options))
    assert len(ids(source)) == 60
    lowest = min(notes_of(SCALE).pitch) - 50
    assert [min(pitches(source, f"a.parquet:{row}")) for row in order] == [lowest + row for row in order]


def test_listing_reads_no_music(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write(tmp_path / "a.parquet", {"midi": [SCALE_BYTES] * 3})
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", None)
    assert len(ids(build("parquet", path))) == 3


def test_one_huge_row_group_is_never_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parquet, "BLOCK_BYTES", 2**20)
    monkeypatch.setattr(parquet, "BLOCKS", 2)
    padded = [SCALE_BYTES + os.urandom(2**18) for _ in range(160)]  # 40 MiB; bytes after the last track do no harm
    path = write(tmp_path / "a.parquet", {"midi": padded}, use_dictionary=False, write_batch_size=4)
    del padded
    before, most = pa.total_allocated_bytes(), 0
    source = build("parquet", path)
    for piece in source.pieces():
        source.read(piece)
        most = max(most, pa.total_allocated_bytes() - before)
    assert 0 < most < 10 * 2**20


LONG, ROWS = 6 * 2**20, 400
"""Bytes of a text of zeros, and rows that hold it: 2.4 GB in a file of some kilobytes."""


def bomb(path: Path, kind: str) -> Path:
    noise = [os.urandom(8) for _ in range(ROWS)]  # so that the file has more bytes than rows
    zeros = b"\0" * LONG
    if kind == "dictionary":
        column = pa.DictionaryArray.from_arrays(pa.array([0] * ROWS, pa.int32()), pa.array([zeros]))
        return write(path, {"midi": column, "noise": noise}, store_schema=False, compression="zstd")
    if kind == "one page":
        return write(path, {"midi": [zeros] * ROWS, "noise": noise}, compression="zstd", use_dictionary=False)
    encoding = {"midi": "DELTA_BYTE_ARRAY", "noise": "PLAIN"}
    options = {"compression": "zstd", "use_dictionary": False, "column_encoding": encoding}
    return write(path, {"midi": [zeros] * ROWS, "noise": noise}, **options)


MEASURED = """
import sys, resource
from diffmidi.api import RefusedError
from diffmidi.api.source import Piece
from diffmidi_core.registry import find
source = find("source", "parquet").build({"column": "midi"}, data=sys.argv[1])
pieces = list(source.pieces())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for piece in pieces[::80]:
    try:
        source.read(piece)
    except RefusedError as error:
        print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("kind", ["dictionary", "one page", "shared beginnings"])
def test_a_small_file_does_not_fill_the_memory(tmp_path: Path, kind: str):
    path = bomb(tmp_path / "bomb.parquet", kind)
    assert path.stat().st_size < 200_000
    done = subprocess.run([sys.executable, "-c", MEASURED, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *sentences, kilobytes = done.stdout.splitlines()
    assert int(kilobytes) < 400_000
    assert len(sentences) == ROWS // 80
    told = r"a page of it unpacks to 2,\d+,\d+,\d+ bytes" if kind == "one page" else "is not a MIDI file"
    assert all(re.search(told, sentence) for sentence in sentences)


def test_more_rows_than_bytes_are_refused(tmp_path: Path):
    same = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), pa.array([SCALE_BYTES]))
    path = write(tmp_path / "a.parquet", {"midi": same}, store_schema=False)
    with pytest.raises(DiffmidiError, match=r"a\.parquet says that it has 100,000 rows, in [\d,]+ bytes"):
        ids(build("parquet", path))


def test_a_cell_of_more_notes_than_any_piece_has_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = build("parquet", write(tmp_path / "a.parquet", {"notes": [NOTES]}))
    monkeypatch.setattr(parquet, "MOST_NOTES", 1)
    with pytest.raises(RefusedError, match=r"row 0 of a\.parquet cannot be read: it holds more than 1 notes"):
        source.read(Piece("a.parquet:0"))
    monkeypatch.setattr(parquet, "MOST_VALUES", 1)
    with pytest.raises(RefusedError, match="a page of it holds 2 values, more than 1"):
        build("parquet", tmp_path / "a.parquet").read(Piece("a.parquet:0"))


@pytest.mark.parametrize(
    "options", [{}, {"data_page_version": "2.0"}, {"use_dictionary": False}, {"compression": "gzip"}]
)
def test_pages_are_told_as_they_are_written(tmp_path: Path, options: dict[str, Any]):
    values = [os.urandom(1000) for _ in range(300)]
    path = write(tmp_path / "a.parquet", {"midi": values}, write_batch_size=10, data_page_size=20_000, **options)
    told = pq.read_metadata(path).row_group(0).column(0)
    begin = min(at for at in (told.dictionary_page_offset, told.data_page_offset) if at)
    found = list(pages(path, begin, told.total_compressed_size))
    assert sum(page.values for page in found if not page.dictionary) == 300
    assert any(page.dictionary for page in found) == told.has_dictionary_page
    assert 0.9 * told.total_uncompressed_size < sum(page.size for page in found) <= told.total_uncompressed_size
