"""Files appear whole or not at all."""

import os

import pytest

from diffmidi_core.errors import DiffmidiError
from diffmidi_core.files import read_json, whole_file, whole_folder, write_json


def fail_after(work, *args):
    work(*args)
    raise RuntimeError


def test_a_file_that_fails_halfway_leaves_the_old_one_and_no_litter(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        fail_after(temporary.write_text, "ne")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_folder_that_fails_halfway_leaves_the_old_one_and_no_litter(tmp_path):
    path = tmp_path / "a"
    path.mkdir()
    (path / "old").touch()
    with pytest.raises(RuntimeError), whole_folder(path) as temporary:
        fail_after((temporary / "new").touch)
    assert os.listdir(path) == ["old"]
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_is_replaced_whole(tmp_path):
    path = tmp_path / "a"
    for name in ("old", "new"):
        with whole_folder(path) as temporary:
            (temporary / name).touch()
    assert os.listdir(path) == ["new"]
    assert os.listdir(tmp_path) == ["a"]


def test_a_full_disk_is_one_sentence(tmp_path):
    def full():
        raise OSError(28, "No space left on device")

    with pytest.raises(DiffmidiError, match="cannot be written: No space left on device"), whole_file(tmp_path / "a"):
        full()
    assert os.listdir(tmp_path) == []


def test_a_place_that_is_a_file_is_one_sentence(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(DiffmidiError, match="cannot be written"):
        write_json(tmp_path / "a" / "b.json", {})


def test_names_that_are_no_text_go_through_json_and_back(tmp_path):
    write_json(tmp_path / "a.json", {"data": "bad\udcff.mid", "ü": 1})
    assert read_json(tmp_path / "a.json") == {"data": "bad\udcff.mid", "ü": 1}


def test_damaged_json_is_one_sentence(tmp_path):
    (tmp_path / "a.json").write_text('{"a": ')
    with pytest.raises(DiffmidiError, match="is not valid JSON"):
        read_json(tmp_path / "a.json")
    with pytest.raises(DiffmidiError, match="there is no"):
        read_json(tmp_path / "b.json")


# --- on Windows (windows.py) ---


def test_the_rules_of_windows_are_broken_by_what_broke_them(windows, tmp_path):
    """Each rule refuses what it should: without this, what follows would show nothing."""
    path, folder = tmp_path / "a", tmp_path / "folder"
    path.touch()
    folder.mkdir()
    with path.open("rb") as file:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fsync(file.fileno())
        with pytest.raises(PermissionError):
            os.replace(path, tmp_path / "b")
        with pytest.raises(PermissionError):
            path.unlink()
    for refused in (lambda: os.open(folder, os.O_RDONLY), lambda: os.replace(path, folder)):
        with pytest.raises(PermissionError):
            refused()


def test_files_and_folders_are_written_and_replaced_on_windows(windows, tmp_path):
    for text in ("old", "new"):
        with whole_folder(tmp_path / "a") as temporary:
            write_json(temporary / "inside" / "b.json", text)
        write_json(tmp_path / "c.json", text)
    assert read_json(tmp_path / "a" / "inside" / "b.json") == read_json(tmp_path / "c.json") == "new"
    assert sorted(os.listdir(tmp_path)) == ["a", "c.json"]


def test_what_another_program_has_open_for_a_moment_is_waited_for_on_windows(windows, tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text("1")
    reader = path.open()
    monkeypatch.setattr("time.sleep", lambda pause: reader.close())
    write_json(path, 2)
    assert read_json(path) == 2


def test_what_stays_open_is_one_sentence_and_the_old_file_stays_on_windows(windows, tmp_path):
    path = tmp_path / "a.json"
    path.write_text("1")
    with path.open(), pytest.raises(DiffmidiError, match="cannot be written: Access is denied"):
        write_json(path, 2)
    assert read_json(path) == 1
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "NaN", '{"a": -Infinity}', "[1e999]", "9" * 5000])
def test_what_no_json_of_ours_holds_is_one_sentence(tmp_path, text):
    (tmp_path / "odd.json").write_text(text)
    with pytest.raises(DiffmidiError, match=r"odd\.json is not (valid JSON|JSON that diffmidi wrote): ") as caught:
        read_json(tmp_path / "odd.json")
    assert len(str(caught.value)) < 300


def test_a_pipe_is_refused_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(DiffmidiError, match="cannot be read: it is a pipe or a device, not a file"):
        read_json(tmp_path / "pipe.json")


def test_a_file_that_would_fill_the_memory_is_refused(tmp_path):
    (tmp_path / "large.json").touch()
    os.truncate(tmp_path / "large.json", 64 * 2**30)
    with pytest.raises(DiffmidiError, match="cannot be read: it has 68,719,476,736 bytes, and no such file has more"):
        read_json(tmp_path / "large.json")
