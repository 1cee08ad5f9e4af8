"""GivenLabels: which row means which piece, and one sentence for every table that is not one."""

from __future__ import annotations

import os
from pathlib import Path
from unicodedata import normalize

import pytest

from diffmidi_core.data.given_labels import GivenLabels
from diffmidi_core.errors import UsageError


@pytest.fixture
def given(tmp_path: Path):
    """Labels of a CSV file with this text (or these bytes), for pieces of these ids."""

    def make(text: str | bytes, *ids: str) -> GivenLabels:
        path = tmp_path / "labels.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return GivenLabels(path, ids or ("a.mid",))

    return make


def test_rows_are_joined_by_id_and_columns_are_labels(given):
    labels = given("path,composer,year\nx/a.mid,Bach,1722\nb.mid,,1900\n", "b.mid", "x/a.mid")
    assert labels.of("x/a.mid") == {"composer": "Bach", "year": 1722.0}
    assert labels.of("b.mid") == {"year": 1900.0}
    assert labels.of("c.mid") == {}
    assert labels.names == ("composer", "year")
    assert (labels.unmatched_pieces, labels.unmatched_rows, labels.remark()) == (0, [], None)


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbffile,mood\na.mid,calm\n",
        b"file;mood\r\na.mid;calm\r\n",
        b"file\tmood\na.mid\tcalm",
        b'mood,"File"\n"calm","a.mid"\n\n , \n',
        b"name,mood\n a , calm \n",
        b"midi_filename,mood\n.\\a.mid,calm\n",
        b",id,mood,\n0,a.mid,calm,\n",
    ],
    ids=[
        "byte order mark",
        "semicolons",
        "tabs",
        "quotes, case and blank lines",
        "no suffix, spaces",
        "windows path",
        "no header",
    ],
)
def test_what_programs_write_is_read(given, text: bytes):
    assert given(text).of("a.mid") == {"mood": "calm"}


def test_a_quoted_cell_may_hold_anything(given):
    assert given('id,title\na,"Largo, ""from""\nthe new world"\n').of("a.mid") == {
        "title": 'Largo, "from"\nthe new world'
    }


def test_a_column_is_of_numbers_only_where_all_its_cells_are(given):
    labels = given("id,n,mixed,odd\na,1e3,7,nan\nb,-2,seven,1_0\nc,,8,3\n", "a.mid", "b.mid", "c.mid")
    assert labels.of("a.mid") == {"n": 1000.0, "mixed": "7", "odd": "nan"}
    assert labels.of("c.mid") == {"mixed": "8", "odd": "3"}


def test_a_file_name_alone_is_enough_where_it_is_one_pieces_only(given):
    labels = given("file,mood\na.mid,calm\nb,wild\n", "x/a.mid", "x/b.mid", "y/b.mid")
    assert labels.of("x/a.mid") == {"mood": "calm"}
    assert labels.of("x/b.mid") == labels.of("y/b.mid") == {}
    assert (labels.unmatched_pieces, labels.unmatched_rows) == (2, ["b"])


def test_the_id_itself_goes_before_the_file_name(given):
    labels = given("file,mood\na.mid,calm\n", "a.mid", "x/a.mid")
    assert (labels.of("a.mid"), labels.of("x/a.mid")) == ({"mood": "calm"}, {})


def test_a_dot_in_an_id_is_no_suffix(given):
    labels = given("id,mood\nbwv10.7,calm\n", "bwv10.7", "bwv10.8")
    assert (labels.of("bwv10.7"), labels.of("bwv10.8")) == ({"mood": "calm"}, {})


@pytest.mark.parametrize(("in_file", "on_disk"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_are_the_same_however_they_are_written(given, in_file: str, on_disk: str):
    """macOS' HFS+ and some of its programs write an accent as a character of its own."""
    text = normalize(in_file, "file,mood,größe\nfaure/Après un rêve.mid,müde,1\nDvořák,calm,2\n")
    ids = [normalize(on_disk, name) for name in ("faure/Après un rêve.mid", "deep/Dvořák.mid")]
    labels = given(text, *ids)
    assert [labels.of(each)["größe"] for each in ids] == [1, 2]
    assert labels.unmatched_rows == []
    with pytest.raises(UsageError, match="is the second one for"):
        given("id,mood\n" + normalize("NFC", "rêve,calm\n") + normalize("NFD", "rêve,wild\n"), ids[0])


def test_what_does_not_match_is_counted_and_said(given):
    labels = given("id,mood\na,calm\ngone.mid,wild\n", "a.mid", "b.mid", "c.mid")
    assert (labels.unmatched_pieces, labels.unmatched_rows) == (2, ["gone.mid"])
    said = "labels.csv: 2 of 3 pieces have no row and 1 of 2 rows name no single piece (the first: 'gone.mid')."
    assert said in labels.remark()


def test_a_name_that_the_file_gives_is_the_files_alone(given):
    labels = given("id,key\na,Cm\n", "a.mid", "b.mid")
    assert labels.override({"key": "C minor", "density": 2.0}, "a.mid") == {"key": "Cm", "density": 2.0}
    assert labels.override({"key": "D major", "density": 3.0}, "b.mid") == {"density": 3.0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "is empty: it needs a header"),
        (b"\xef\xbb\xbf", "is empty: it needs a header"),
        (b"id,mood\n", "has a header and no rows"),
        (b"tune,mood\na,calm\n", "has no column that names the piece (id, path, "),
        (b"tune,mood\na,calm\n", "its columns are tune, mood."),
        (b"id,mood\na,calm\na,wild\n", "line 3 of"),
        (b"id,mood\na,calm\na,wild\n", "is the second one for 'a': keep one of them."),
        (b"id,mood,mood\na,calm,b\n", "has two columns called 'mood'"),
        (b"id,mood\na,calm,wild\n", "has 3 cells, and the header 2"),
        (b"id,mood\n,calm\n", "names no piece: its cell is empty."),
        (b'id,mood\na,"calm\n', "is not CSV: unexpected end of data."),
        ("id,mood\na,müde\n".encode("latin-1"), "is not UTF-8 text"),
        ("id,mood\na,calm\n".encode("utf-16"), "is not UTF-8 text"),
        (b"id,mood\n2018/x.midi,calm\n", "no row of"),
        (b"id,mood\n2018/x.midi,calm\n", "its first is called '2018/x.midi', and the first piece 'a.mid'."),
    ],
)
def test_a_table_that_cannot_be_used_is_one_sentence(given, text: bytes, said: str):
    with pytest.raises(UsageError) as caught:
        given(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path):
    with pytest.raises(UsageError, match=r"nowhere\.csv cannot be read: No such file"):
        GivenLabels(tmp_path / "nowhere.csv", ["a"])
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        GivenLabels(tmp_path, ["a"])


def test_a_pipe_is_refused_and_never_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(UsageError, match=r"pipe\.csv cannot be read: it is a pipe or a device, not a file"):
        GivenLabels(tmp_path / "pipe.csv", ["a"])


def test_a_hundred_thousand_columns_are_read_and_named_in_few_words(tmp_path: Path):
    names = [f"column {number}" for number in range(100_000)]
    file = tmp_path / "wide.csv"
    file.write_text(",".join(["id", *names]) + "\n" + ",".join(["a"] * 100_001) + "\n")
    assert len(GivenLabels(file, ["a"]).names) == 100_000
    file.write_text(",".join(names) + "\n" + ",".join(["a"] * 100_000) + "\n")
    with pytest.raises(UsageError, match=r"its columns are column 0, .* and 99,980 more\.$"):
        GivenLabels(file, ["a"])
