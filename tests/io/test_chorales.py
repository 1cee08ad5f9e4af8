"""chorales: what music21 brings is found, read as music21 reads it, grouped by tune, and cached without harm."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from diffmidi.api import DiffmidiError, RefusedError, UsageError
from diffmidi.api.control import tracks_of
from diffmidi.api.renderer import notes_of
from diffmidi.api.source import Piece
from diffmidi_core.data.labels import measured
from diffmidi_core.registry import find
from diffmidi_io import chorales

COMPARED = ("bwv10.7", "bwv41.6", "bwv69.6", "bwv130.6", "bwv250", "bwv253")


def make(**options):
    return find("source", "chorales").build(options, data=None)


def bach() -> Path:
    spec = importlib.util.find_spec("music21")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("music21 is not installed")
    folder = Path(spec.submodule_search_locations[0]) / "corpus" / "bach"
    if not folder.is_dir():
        pytest.skip("this music21 comes without its corpus")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def source(cache: Path, monkeypatch: pytest.MonkeyPatch):
    bach()
    monkeypatch.setenv("DIFFMIDI_CACHE", str(cache))
    return make()


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A music21 with two pieces in it, quick to read, and a cache folder of its own, which is given."""
    corpus = tmp_path / "bach"
    corpus.mkdir()
    for name in ("bwv10.7.mxl", "bwv253.mxl"):
        (corpus / name).write_bytes((bach() / name).read_bytes())
    monkeypatch.setattr(chorales, "_installed", lambda: (corpus, "1.2.3"))
    monkeypatch.setenv("DIFFMIDI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_every_score_of_the_corpus_is_a_piece_in_an_order_that_repeats(source):
    pieces = list(source.pieces())
    files = [path for path in bach().iterdir() if path.suffix in (".mxl", ".xml")]
    assert len(pieces) == len({piece.id for piece in pieces}) == len(files) >= 400
    assert pieces == sorted(pieces, key=lambda piece: piece.id) == list(make().pieces())
    assert "bwv10.7" in {piece.id for piece in pieces}


def test_every_piece_is_music_in_a_singing_range(source):
    for piece in source.pieces():
        notes = notes_of(source.read(piece))
        assert len(notes) > 20, piece.id
        assert notes.pitch.min() >= 28, piece.id
        assert notes.pitch.max() <= 96, piece.id
        assert notes.duration.min() > 0, piece.id
        assert notes.onset[0] < 4 * 480, piece.id
        assert set(notes.velocity.tolist()) == {chorales.VELOCITY}


@pytest.mark.parametrize("name", COMPARED)
def test_the_notes_are_those_that_music21_reads(source, name: str):
    from music21 import converter

    (path,) = [path for path in bach().iterdir() if path.stem == name and path.suffix in (".mxl", ".xml")]
    score = converter.parse(path, forceSource=True).stripTies()
    theirs = sorted(
        (round(note.getOffsetInHierarchy(score) * 480), round(note.quarterLength * 480), pitch.midi)
        for note in score.recurse().notes
        for pitch in note.pitches
    )
    notes = notes_of(source.read(Piece(name)))
    ours = zip(notes.onset.tolist(), notes.duration.tolist(), notes.pitch.tolist(), strict=True)
    assert sorted(ours) == theirs


def test_parts_are_tracks_on_request_and_together_the_same_notes(source):
    piece, parts = Piece("bwv253"), make(parts=True)
    voices = tracks_of(parts.read(piece))
    assert len(tracks_of(source.read(piece))) == 1
    assert len(voices) == 4
    heights = [notes.pitch.mean() for notes in voices]
    assert heights == sorted(heights, reverse=True)
    one, all_ = notes_of(source.read(piece)), notes_of(parts.read(piece))
    assert all((getattr(one, name) == getattr(all_, name)).all() for name in ("onset", "pitch"))
    assert sorted(one.duration.tolist()) == sorted(all_.duration.tolist())
    assert parts.stamp(piece) != source.stamp(piece)


def test_settings_of_one_tune_are_one_group(source):
    group = {piece.id: piece.group for piece in source.pieces()}
    passion = ["bwv244.15", "bwv244.17", "bwv244.44", "bwv244.54", "bwv135.6", "bwv161.6", "bwv248.5", "bwv270"]
    jesu = ["bwv64.8", "bwv81.7", "bwv87.7", "bwv227.1", "bwv227.11", "bwv358"]
    assert {group[name] for name in passion} == {"+5 -2 -2 -1 -2 +2"}
    assert {group[name] for name in jesu} == {"-2 -2 -1 -2 +7 +2"}
    assert 200 < len(set(group.values())) < 250


def test_an_upbeat_and_a_change_of_metre_are_kept(source):
    def metres(name: str) -> list[tuple[int, int, int]]:
        score = source.read(Piece(name))
        return [(each.time, each.numerator, each.denominator) for each in score.time_signatures]

    assert metres("bwv10.7") == [(0, 4, 4)]
    assert metres("bwv253") == [(0, 1, 4), (480, 4, 4)]
    counts = [len(metres(piece.id)) for piece in source.pieces()]
    assert max(counts) > 2
    assert min(counts) == 1


def test_a_score_is_made_anew_each_time(source):
    source.read(Piece("bwv253")).tracks.clear()
    assert len(notes_of(source.read(Piece("bwv253")))) > 0


@pytest.mark.parametrize("name", ["bwv9999", "", "zzz", "bwv10"])
def test_a_piece_that_there_is_not_is_refused(source, name: str):
    with pytest.raises(RefusedError, match=f"no piece '{name}'"):
        source.read(Piece(name))


def test_the_cache_gives_what_the_files_gave_without_them(two: Path, monkeypatch: pytest.MonkeyPatch):
    first = make()
    read = {piece: notes_of(first.read(piece)) for piece in first.pieces()}
    assert [path.name for path in two.iterdir()] == [f"chorales-1.2.3-{chorales.VERSION}.{chorales.FORMAT}.npz"]

    def never(path: Path):
        raise AssertionError(f"{path} is read although there is a cache")

    monkeypatch.setattr(chorales, "read_musicxml", never)
    second = make()
    assert list(second.pieces()) == list(read)
    for piece, notes in read.items():
        again = notes_of(second.read(piece))
        assert all(
            np.array_equal(getattr(again, column), getattr(notes, column)) for column in ("onset", "duration", "pitch")
        )


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "text", "other arrays", "pickle"])
def test_a_damaged_cache_is_made_anew(two: Path, damage: str):
    expected = list(make().pieces())
    (path,) = two.iterdir()
    whole = path.read_bytes()
    if damage == "other arrays":
        np.savez(path, ids=np.arange(3))
    elif damage == "pickle":
        with np.load(path) as arrays:
            np.savez(path, **{**arrays, "notes": np.array([{}], dtype=object)}, allow_pickle=True)
    else:
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :]
        path.write_bytes({"cut": whole[:middle], "flipped": flipped, "emptied": b"", "text": b"no zip"}[damage])
    assert list(make().pieces()) == expected
    with np.load(path) as arrays:
        assert arrays["ids"].tolist() == [piece.id for piece in expected]


def test_a_cache_that_cannot_be_written_does_not_matter(two: Path, capfd: pytest.CaptureFixture[str]):
    two.write_text("a file where the folder should be")
    assert [piece.id for piece in make().pieces()] == ["bwv10.7", "bwv253"]
    assert capfd.readouterr() == ("", "")


def test_another_version_has_a_cache_of_its_own(two: Path, monkeypatch: pytest.MonkeyPatch):
    list(make().pieces())
    folder, _ = chorales._installed()
    monkeypatch.setattr(chorales, "_installed", lambda: (folder, "1.2.4"))
    list(make().pieces())
    assert len(list(two.iterdir())) == 2


def test_data_is_not_taken(tmp_path: Path):
    with pytest.raises(UsageError, match="takes no --data"):
        find("source", "chorales").build(data=str(tmp_path))


def test_without_music21_or_its_corpus_a_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DiffmidiError, match=r"which is not installed\. Install music21.*or give --data FOLDER"):
        list(make().pieces())
    bare = importlib.util.spec_from_file_location("music21", tmp_path / "__init__.py", submodule_search_locations=[])
    assert bare is not None
    bare.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: bare)
    with pytest.raises(DiffmidiError, match="comes without its corpus"):
        list(make().pieces())
    (tmp_path / "corpus" / "bach").mkdir(parents=True)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0")
    monkeypatch.setenv("DIFFMIDI_CACHE", str(tmp_path / "cache"))
    with pytest.raises(DiffmidiError, match="there is no music in"):
        list(make().pieces())


def test_the_stamp_changes_with_the_version_of_music21(source, monkeypatch):
    piece = next(source.pieces())
    before = source.stamp(piece)
    assert before == make().stamp(piece) != ""
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0")
    assert make().stamp(piece) != before


def test_music21_is_never_imported(source):
    code = (
        "import json, sys; from diffmidi_core.registry import find;"
        "s = find('source', 'chorales').build(data=None); next(iter(s.pieces())); print(json.dumps(list(sys.modules)))"
    )
    next(iter(source.pieces()))  # now there is a cache
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert "diffmidi_io.chorales" in json.loads(out)
    assert "music21" not in json.loads(out)


@pytest.mark.parametrize(
    ("piece", "key"),
    [
        ("bwv1.6", "F major"),
        ("bwv66.6", "F# minor"),
        ("bwv253", "A major"),
        ("bwv269", "G major"),
        ("bwv846", "C major"),
    ],
)
def test_known_pieces_are_in_their_keys(source, piece: str, key: str):
    score = source.read(Piece(piece))
    assert measured(score, notes_of(score))["key"] == key
