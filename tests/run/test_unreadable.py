"""Files that may not be read are called so: nothing is wrong with them, and nothing is to be removed."""

from pathlib import Path

import pytest

from diffmidi_core import cli
from diffmidi_core.checksums import digests, verify
from diffmidi_core.data.ragged import ArrowFile
from diffmidi_core.errors import UnreadableError
from diffmidi_core.files import read_json
from diffmidi_core.saved.manifest import ANOTHER, Manifest


@pytest.fixture
def denied(monkeypatch):
    """Root may read everything, so that the system's answer is made up."""

    def refuse(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    def forbid(of, name):
        monkeypatch.setattr(of, name, refuse)

    return forbid


def complaint(caught):
    said = str(caught.value)
    assert "may not be read: permission denied" in said
    assert "missing" not in said
    assert "remove" not in said
    return said


def test_a_file_of_a_checkpoint(tmp_path, denied):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    files = digests(tmp_path)
    denied(Path, "open")
    with pytest.raises(UnreadableError) as caught:
        verify(tmp_path, files, ANOTHER)
    assert complaint(caught).startswith(str(tmp_path / "model.safetensors"))


def test_a_manifest_and_other_json(tmp_path, denied):
    (tmp_path / "manifest.json").write_text("{}")
    denied(Path, "read_text")
    for read in (Manifest.read, read_json):
        with pytest.raises(UnreadableError) as caught:
            read(tmp_path / "manifest.json")
        complaint(caught)


def test_data(tmp_path, denied):
    import pyarrow as pa

    (tmp_path / "tokens.arrow").touch()
    denied(pa, "memory_map")
    with pytest.raises(UnreadableError) as caught:
        ArrowFile(tmp_path / "tokens.arrow")
    complaint(caught)


def test_a_folder_on_the_way_to_a_file(tmp_path, denied, monkeypatch, capfd):
    """Python's own look whether a file is there fails below a folder that may not be entered."""
    denied(Path, "stat")
    denied(Path, "is_file")
    monkeypatch.setattr("sys.argv", ["diffmidi", "report", str(tmp_path / "secret" / "run")])
    with pytest.raises(SystemExit) as left:
        cli.main()
    said = capfd.readouterr().err
    assert left.value.code == 1
    assert said.startswith("Error: ")
    assert "may not be read: permission denied" in said
    assert said.strip().count("\n") == 0
