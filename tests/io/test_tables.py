"""parquet and hub: rows are pieces, whichever column holds the music; bad ones are refused one by one."""

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

from diffmidi.api import DiffmidiError, RefusedError, UsageError
from diffmidi.api.renderer import notes_of
from diffmidi.api.source import Piece, Source
from diffmidi_core import registry
from diffmidi_core.config import resolve
from diffmidi_core.music.toy import toy_scores
from diffmidi_core.registry import Offer, find, offers
from diffmidi_io import parquet
from diffmidi_io.pages import pages

SCALE, TUNE = toy_scores()["scale"], toy_scores()["tune"]
SCALE_BYTES, TUNE_BYTES = SCALE.dumps_midi(), TUNE.dumps_midi()
NOTES = {"start": [0.5, 0.0], "end": [1.0, 0.25], "pitch": [64, 60], "velocity": [90, 80]}


def write(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, **options)
    return path


def build(kind: str, data: Path | str | None, **options: Any) -> Source:
    source: Source = find("source", kind).build(options, data=None if data is None else str(data))
    return source


def ids(source: Source) -> list[str]:
    return [piece.id for piece in source.pieces()]


def pitches(source: Source, piece: str) -> list[int]:
    return notes_of(source.read(Piece(piece))).pitch.tolist()


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test may ask the hub, and none leaves anything in the user's cache."""
    import datasets

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.mark.parametrize(
    ("data", "source"),
    [
        ("music", "folder"),
        ("music/a.parquet", "parquet"),
        ("A.PARQUET", "parquet"),
        ("hub:user/set", "hub"),
        ("hub", "folder"),
        ("github:x.mid", "folder"),
    ],
)
def test_the_data_choose_their_source(data: str, source: str):
    assert resolve(flags={"data": data}).source.name == source
    assert resolve(flags={"data": data, "source": "parquet"}).source.name == "parquet"


def test_other_packages_may_take_data_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    code = "from diffmidi.api import *\nabc = SourceDeclaration('s', 'm:C', takes=('*.abc', '*.parquet'))\n"
    (tmp_path / "acme_tunes.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    acme, other, broken = (
        Offer("source", "abc", package, "1.0", target)
        for package, target in (("acme", "acme_tunes:abc"), ("other", "acme_tunes:abc"), ("broken", "acme_tunes:gone"))
    )
    installed = [*offers("source"), broken, acme]
    monkeypatch.setattr(registry, "offers", lambda kind: tuple(installed))
    assert registry.source_of("x.ABC") == "acme:abc"
    assert registry.source_of("x.parquet") == "parquet"
    assert registry.source_of("x.mid") == "folder"
    installed.append(other)
    with pytest.raises(UsageError, match=r"take --data x\.abc: choose one, --source acme:abc or --source other:abc\."):
        registry.source_of("x.abc")


def test_each_row_is_a_piece_by_its_number(tmp_path: Path):
    source = build("parquet", write(tmp_path / "a.parquet", {"midi": [SCALE_BYTES, TUNE_BYTES], "title": ["x", "y"]}))
    assert ids(source) == ["a.parquet:0", "a.parquet:1"]
    assert pitches(source, "a.parquet:1") == notes_of(TUNE).pitch.tolist()
    assert pitches(source, "a.parquet:0") == notes_of(SCALE).pitch.tolist()


def test_a_folder_is_its_tables_in_sorted_order(tmp_path: Path):
    for name in ("b.parquet", "a/z.PARQUET", "_metadata.parquet", ".hidden.parquet", "notes.txt"):
        write(tmp_path / name, {"midi": [SCALE_BYTES]})
    source = build("parquet", tmp_path)
    assert ids(source) == ["a/z.PARQUET:0", "b.parquet:0"]
    assert len(pitches(source, "a/z.PARQUET:0")) == 8


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


@pytest.mark.parametrize("name", ["midi", "bytes", "content", "file", "whatever"])
def test_a_column_of_bytes_is_found_whatever_it_is_called(tmp_path: Path, name: str):
    path = write(tmp_path / "a.parquet", {"title": ["x"], name: [SCALE_BYTES]})
    assert len(pitches(build("parquet", path), "a.parquet:0")) == 8


def test_of_several_the_usual_name_goes_first_or_the_user_says_which(tmp_path: Path):
    path = write(tmp_path / "a.parquet", {"picture": [b"png"], "content": [TUNE_BYTES], "midi": [SCALE_BYTES]})
    assert len(pitches(build("parquet", path), "a.parquet:0")) == 8
    tune = build("parquet", path, column="content")
    assert pitches(tune, "a.parquet:0") == notes_of(TUNE).pitch.tolist()


def test_files_as_datasets_keeps_them_are_structs(tmp_path: Path):
    cells = [
        {"bytes": SCALE_BYTES, "path": "a.mid"},
        {"bytes": None, "path": "b.mid"},
        {"bytes": None, "path": None},
        None,
    ]
    source = build("parquet", write(tmp_path / "a.parquet", {"audio": cells}))
    assert len(pitches(source, "a.parquet:0")) == 8
    for row, said in ((1, r"is a path \(b.mid\)"), (2, "its cell is null"), (3, "its cell is null")):
        with pytest.raises(RefusedError, match=said) as refused:
            source.read(Piece(f"a.parquet:{row}"))
        assert refused.value.reason == "missing"


@pytest.mark.parametrize(
    "cell",
    [
        NOTES,
        {name: values for name, values in NOTES.items() if name != "end"} | {"duration": [0.5, 0.25]},
        [dict(zip(NOTES, note, strict=True)) for note in zip(*NOTES.values(), strict=True)],
    ],
    ids=["lists", "durations", "structs"],
)
def test_notes_in_seconds_are_music_too(tmp_path: Path, cell: Any):
    source = build("parquet", write(tmp_path / "a.parquet", {"notes": [cell]}))
    score = source.read(Piece("a.parquet:0"))
    notes = notes_of(score)
    seconds = score.to("second").tracks[0].notes.numpy()
    assert notes.pitch.tolist() == [60, 64]
    assert notes.velocity.tolist() == [80, 90]
    assert sorted(seconds["time"].tolist()) == [0.0, 0.5]
    assert sorted(seconds["duration"].tolist()) == [0.25, 0.5]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"pitch": [128, 60]}, "bad_notes"),
        ({"pitch": [64]}, "bad_notes"),
        ({"pitch": [None, 60]}, "bad_notes"),
        ({"end": [0.25, 0.25]}, "bad_notes"),
        ({"start": [-1.0, 0.0]}, "bad_notes"),
        ({"end": [float("nan"), 0.25]}, "bad_notes"),
        ({"end": [1e9, 0.25]}, "bad_notes"),
        ({"velocity": [0, 80]}, "bad_notes"),
        ({"pitch": None}, "bad_notes"),
        ({name: [] for name in NOTES}, "no_notes"),
    ],
    ids=str,
)
def test_notes_that_cannot_be_are_refused(tmp_path: Path, changed: dict[str, Any], reason: str):
    source = build("parquet", write(tmp_path / "a.parquet", {"notes": [NOTES, NOTES | changed]}))
    assert pitches(source, "a.parquet:0") == [60, 64]
    with pytest.raises(RefusedError, match=r"row 1 of a\.parquet") as refused:
        source.read(Piece("a.parquet:1"))
    assert refused.value.reason == reason


def test_bad_rows_are_refused_one_by_one_as_bad_files_are(tmp_path: Path):
    cells = [SCALE_BYTES, b"", b"no midi", SCALE_BYTES[:-9], None, SCALE_BYTES]
    source = build("parquet", write(tmp_path / "a.parquet", {"midi": cells}))
    for row, reason in enumerate(("", "empty", "not_midi", "truncated", "missing", "")):
        if not reason:
            assert len(pitches(source, f"a.parquet:{row}")) == 8
            continue
        with pytest.raises(RefusedError, match=rf"row {row} of a\.parquet") as refused:
            source.read(Piece(f"a.parquet:{row}"))
        assert refused.value.reason == reason


@pytest.mark.parametrize(
    "piece", ["a.parquet:2", "b.parquet:0", "a.parquet", "a.parquet:-1", "a.parquet:1.0", ":", "²:²"]
)
def test_a_row_that_is_not_there_is_refused(tmp_path: Path, piece: str):
    source = build("parquet", write(tmp_path / "a.parquet", {"midi": [SCALE_BYTES] * 2}))
    with pytest.raises(RefusedError, match="there is no row"):
        source.read(Piece(piece))


def test_a_damaged_page_costs_its_rows_and_no_more_than_a_sentence(tmp_path: Path):
    path = write(tmp_path / "a.parquet", {"midi": [SCALE_BYTES] * 50}, use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[4:60] = b"\xff" * 56
    path.write_bytes(data)
    source = build("parquet", path)
    for piece in list(source.pieces())[:3]:
        with pytest.raises(RefusedError, match=r"row \d of a\.parquet cannot be read") as refused:
            source.read(piece)
        assert refused.value.reason == "corrupt"


def test_a_stamp_changes_with_the_file(tmp_path: Path):
    path = write(tmp_path / "a.parquet", {"midi": [SCALE_BYTES]})
    before = build("parquet", path).stamp(Piece("a.parquet:0"))
    assert before == build("parquet", path).stamp(Piece("a.parquet:0")) != ""
    write(path, {"midi": [SCALE_BYTES] * 9})
    assert build("parquet", path).stamp(Piece("a.parquet:0")) != before


def test_what_is_wrong_with_a_table_is_one_sentence(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.parquet").write_bytes(b"no table")
    text = write(tmp_path / "text.parquet", {"title": ["x"], "year": [1722]})
    several = write(tmp_path / "several.parquet", {"one": [b"x"], "two": [b"y"]})
    for data, options, kind, said in (
        (None, {}, UsageError, "give --data FILE.parquet"),
        (tmp_path / "nowhere.parquet", {}, DiffmidiError, "nowhere.parquet does not exist"),
        (tmp_path / "empty", {}, DiffmidiError, "there are no .parquet files in"),
        (tmp_path / "bad.parquet", {}, DiffmidiError, "bad.parquet cannot be read as Parquet: "),
        (text, {}, UsageError, "text.parquet has no column of MIDI files as bytes: its columns are title, year."),
        (text, {"column": "midi"}, UsageError, "has no column 'midi': its columns are title, year."),
        (text, {"column": "title"}, UsageError, "column 'title' of"),
        (several, {}, UsageError, "may hold music in one, two: say which with -o source.column=NAME."),
        (write(tmp_path / "none.parquet", {"midi": pa.array([], pa.binary())}), {}, DiffmidiError, "has no rows"),
    ):
        with pytest.raises(kind) as caught:
            ids(build("parquet", data, **options))
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the hub keeps a data set: two splits of a few rows."""
    folder = tmp_path_factory.mktemp("set")
    struct = [{"bytes": each, "path": "x.mid"} for each in (SCALE_BYTES, b"bad", TUNE_BYTES)]
    write(folder / "data" / "train-00000-of-00001.parquet", {"title": ["a", "b", "c"], "midi": struct})
    write(folder / "data" / "test-00000-of-00001.parquet", {"title": ["d"], "midi": struct[:1]})
    return folder


def test_a_data_set_is_read_by_split_and_row(dataset: Path):
    source = build("hub", f"hub:{dataset}")
    assert ids(source) == ["train:0", "train:1", "train:2"]
    assert pitches(source, "train:2") == notes_of(TUNE).pitch.tolist()
    assert len(pitches(source, "train:0")) == 8
    with pytest.raises(RefusedError, match=r"row 1 of split 'train' of the data set .* is not a MIDI file"):
        source.read(Piece("train:1"))
    assert ids(build("hub", dataset, split="test")) == ["test:0"]
    assert len(ids(build("hub", dataset, split="all"))) == 4
    assert ids(build("hub", dataset, split="train[:2]")) == ["train[:2]:0", "train[:2]:1"]
    assert source.stamp(Piece("train:0")) == build("hub", dataset).stamp(Piece("train:0")) != ""


@pytest.mark.parametrize("piece", ["train:3", "test:0", "train", "nothing"])
def test_a_row_that_a_data_set_has_not_is_refused(dataset: Path, piece: str):
    with pytest.raises(RefusedError, match="there is no row"):
        build("hub", dataset).read(Piece(piece))


def test_what_is_wrong_with_a_data_set_is_one_sentence(dataset: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    for data, options, kind, said in (
        (None, {}, UsageError, "give --data hub:NAME"),
        ("hub:", {}, UsageError, "give --data hub:NAME"),
        ("hub:not a name", {}, UsageError, "'not a name' is not the name of a data set"),
        ("hub:user/set", {}, DiffmidiError, "the Hugging Face hub cannot be reached, and the data set user/set is not"),
        (tmp_path / "empty", {}, DiffmidiError, "cannot be opened"),
        (dataset, {"split": "valid"}, DiffmidiError, 'Unknown split "valid"'),
        (dataset, {"config": "big"}, DiffmidiError, "cannot be opened"),
        (dataset, {"column": "title"}, UsageError, "column 'title' of the data set"),
    ):
        with pytest.raises(kind) as caught:
            ids(build("hub", data, **options))
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)


def test_names_of_columns_cannot_move_the_cursor(tmp_path: Path):
    odd = "\x1b[2Jtitle\n"
    path = write(tmp_path / "a.parquet", {odd: ["x"], **{f"c{number}": ["x"] for number in range(50)}})
    for options in ({}, {"column": odd}, {"column": "\x1b"}):
        with pytest.raises(UsageError) as caught:
            ids(build("parquet", path, **options))
        assert str(caught.value).isprintable()
        assert "\\x1b" in str(caught.value)
        assert len(str(caught.value)) < 500


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
    with pytest.raises(RefusedError, match="row 0 of a.parquet cannot be read: it holds more than 1 notes"):
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
