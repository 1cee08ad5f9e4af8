"""The program under the rules of Windows's file system (tests/windows.py)."""

from pathlib import Path

from diffmidi_core.saved import checkpoint
from diffmidi_core.saved.manifest import MANIFEST, checkpoint_at, steps

from .conftest import TINY


def test_a_run_saves_resumes_and_exports(diffmidi, music, windows):
    """Two checkpoints are removed on the way, and all that a run leaves is written once at least."""
    words = [*TINY, "-o", "train.keep=1", "--hook", "report"]
    for command in (
        ("run", "--data", music, "--out", "mine", *words),
        ("run", "--resume", "mine", "--iterations", "8"),
        ("export", "mine", "--to", "out"),
        ("prepare", music, "--out", "other"),
        ("prepare", "--check-leaks", "mine", "other"),
        ("text", music / "piece 0.mid", "--out", "words.txt"),
    ):
        said = diffmidi(*command)
        assert said.code == 0, said.err
    assert {6, 8} >= set(steps(Path("mine/checkpoints"))) > set()
    assert not list(Path("mine").glob("**/.*ing-*"))


def test_a_checkpoint_that_is_open_is_removed_later(windows, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_regular", lambda path: True)
    for step in (1, 2, 3):
        folder = checkpoint_at(tmp_path, step)
        folder.mkdir()
        (folder / MANIFEST).touch()
    with (checkpoint_at(tmp_path, 1) / MANIFEST).open():
        checkpoint.prune(tmp_path, keep=1)
        assert steps(tmp_path) == [1, 3]
    checkpoint.prune(tmp_path, keep=1)
    assert steps(tmp_path) == [3]
