"""folder: which files are pieces, in what order, and what is said where there are none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from unicodedata import normalize

import pytest

from diffmidi.api import DiffmidiError, RefusedError, UsageError
from diffmidi.api.renderer import notes_of, write_midi
from diffmidi_core.music.toy import toy_scores
from diffmidi_core.registry import find


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("music") / "scale.mid"
    write_midi(toy_scores()["scale"], path)
    return path.read_bytes()


def put(folder: Path, music: bytes, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(music)


def source(data: Path | None, **options: object):
    return find("source", "folder").build(options, data=None if data is None else str(data))


def ids(data: Path, **options: object) -> list[str]:
    return [piece.id for piece in source(data, **options).pieces()]


def test_files_are_found_at_any_depth_in_sorted_order_whatever_the_case_of_their_suffix(tmp_path: Path, music: bytes):
    put(tmp_path, music, "b.mid", "a/z.MIDI", "a/deep/er/x.Kar", "C.RMI", "notes.txt", "x.mid.gz", "mid", "tune.wav")
    assert ids(tmp_path) == ["C.RMI", "a/deep/er/x.Kar", "a/z.MIDI", "b.mid"]


def test_what_is_hidden_or_left_by_macos_is_no_piece(tmp_path: Path, music: bytes):
    put(tmp_path, music, "a.mid", ".b.mid", "._a.mid", ".git/c.mid", "x/._d.mid")
    assert ids(tmp_path) == ["a.mid"]
    assert ids(tmp_path, hidden=True) == [".b.mid", ".git/c.mid", "a.mid"]


def test_a_pattern_chooses_among_paths(tmp_path: Path, music: bytes):
    put(tmp_path, music, "train/a.mid", "train/b/c.mid", "test/a.mid", "train/A.mid")
    assert ids(tmp_path, pattern="train/*") == ["train/A.mid", "train/a.mid", "train/b/c.mid"]
    assert ids(tmp_path, pattern="*/a.mid") == ["test/a.mid", "train/a.mid"]
    with pytest.raises(DiffmidiError, match=r"no .mid, .midi, .kar, .rmi files that match 'no\*' in"):
        ids(tmp_path, pattern="no*")


@pytest.mark.parametrize(("typed", "on_disk"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_pattern_finds_accents_however_they_are_written(tmp_path: Path, music: bytes, typed: str, on_disk: str):
    put(tmp_path, music, normalize(on_disk, "Fauré/rêve.mid"), "Faure/reve.mid")
    assert ids(tmp_path, pattern=normalize(typed, "Fauré/*")) == [normalize(on_disk, "Fauré/rêve.mid")]
    assert ids(tmp_path, pattern=normalize(typed, "*r[ê]ve*")) == [normalize(on_disk, "Fauré/rêve.mid")]


def test_links_to_directories_are_not_followed_and_links_to_files_are(tmp_path: Path, music: bytes):
    put(tmp_path, music, "below/a.mid")
    (tmp_path / "below" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "other").symlink_to(tmp_path / "below", target_is_directory=True)
    (tmp_path / "link.mid").symlink_to(tmp_path / "below" / "a.mid")
    assert ids(tmp_path) == ["below/a.mid", "link.mid"]


def test_a_broken_link_is_counted_and_refused(tmp_path: Path, music: bytes):
    put(tmp_path, music, "a.mid")
    (tmp_path / "gone.mid").symlink_to(tmp_path / "nowhere")
    files = source(tmp_path)
    gone = [piece for piece in files.pieces() if piece.id == "gone.mid"]
    with pytest.raises(RefusedError) as refused:
        files.read(*gone)
    assert refused.value.reason == "missing"


def test_names_that_are_no_text_lead_back_to_their_files(tmp_path: Path, music: bytes):
    name = os.fsdecode(b"bad_\xff\xfe.mid")
    try:
        put(tmp_path, music, name, "new\nline.mid")
    except OSError:
        pytest.skip("this file system takes only names that are text")
    files = source(tmp_path)
    assert sorted(piece.id for piece in files.pieces()) == sorted([name, "new\nline.mid"])
    assert [len(notes_of(files.read(piece))) for piece in files.pieces()] == [8, 8]


def test_reading_gives_the_music_and_leaves_the_group_to_it(tmp_path: Path, music: bytes):
    put(tmp_path, music, "a/b.mid")
    files = source(tmp_path)
    (piece,) = files.pieces()
    assert piece.group == ""
    assert notes_of(files.read(piece)).pitch.tolist() == notes_of(toy_scores()["scale"]).pitch.tolist()


def test_one_file_is_a_collection_of_one_whatever_it_is_called(tmp_path: Path, music: bytes):
    put(tmp_path, music, "no_suffix", "other.mid")
    files = source(tmp_path / "no_suffix")
    (piece,) = files.pieces()
    assert piece.id == "no_suffix"
    assert len(notes_of(files.read(piece))) == 8


def test_a_directory_that_may_not_be_listed_is_a_refused_piece(
    tmp_path: Path, music: bytes, monkeypatch: pytest.MonkeyPatch
):
    put(tmp_path, music, "a.mid", "locked/b.mid")
    scandir = os.scandir

    def denied(path: str):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", denied)
    files = source(tmp_path)
    open_one, locked = files.pieces()
    assert (open_one.id, locked.id) == ("a.mid", "locked/")
    with pytest.raises(RefusedError, match="locked may not be read: permission denied") as refused:
        files.read(locked)
    assert refused.value.reason == "unreadable"


def test_where_there_is_nothing_one_sentence_says_so(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DiffmidiError, match=r"there are no .mid, .midi, .kar, .rmi files in .*empty or below it\."):
        ids(tmp_path / "empty")
    with pytest.raises(DiffmidiError, match="nowhere does not exist: give a folder"):
        ids(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DiffmidiError, match="pipe is neither a folder nor a file"):
        ids(tmp_path / "pipe")
    with pytest.raises(UsageError, match="give --data FOLDER"):
        list(source(None).pieces())


@pytest.mark.skipif("DIFFMIDI_TEST_DATA" not in os.environ, reason="bad files are made in DIFFMIDI_TEST_DATA")
def test_the_bad_collection_is_walked_without_harm(tmp_path: Path):
    script = Path(os.environ["DIFFMIDI_TEST_DATA"]) / "bad" / "make_bad.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, capture_output=True)
    found = set(ids(tmp_path))
    skipped = {"gzip.mid.gz", "no_suffix", "wrong.txt", ".hidden.mid", "._resource.mid", "link_parent", "dir.mid"}
    assert not found & (skipped | {"good.abc", "broken.abc"})
    expected = {"ok_base.mid", "dir.mid/inside.mid", "new\nline.mid", "link_ok.mid", "fifo.mid", "link_devzero.mid"}
    assert expected <= found
    assert not any(name.startswith("link_parent/") for name in found)
    files = source(tmp_path)
    refused = 0
    for piece in files.pieces():
        try:
            assert len(notes_of(files.read(piece))) > 0
        except RefusedError:
            refused += 1
    assert 0 < refused < len(found)
