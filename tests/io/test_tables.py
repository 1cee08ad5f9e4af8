"""parquet: rows are pieces, whichever column holds the music; bad ones are refused one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from diffmidi.api import DiffmidiError, RefusedError, UsageError
from diffmidi.api.renderer import notes_of
from diffmidi.api.source import Piece
from diffmidi_core import registry
from diffmidi_core.config import resolve
from diffmidi_core.registry import Offer, offers

from .rows import NOTES, SCALE, SCALE_BYTES, TUNE, TUNE_BYTES, build, ids, pitches, write
from .rows import offline as offline


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


def test_names_of_columns_cannot_move_the_cursor(tmp_path: Path):
    odd = "\x1b[2Jtitle\n"
    path = write(tmp_path / "a.parquet", {odd: ["x"], **{f"c{number}": ["x"] for number in range(50)}})
    for options in ({}, {"column": odd}, {"column": "\x1b"}):
        with pytest.raises(UsageError) as caught:
            ids(build("parquet", path, **options))
        assert str(caught.value).isprintable()
        assert "\\x1b" in str(caught.value)
        assert len(str(caught.value)) < 500
