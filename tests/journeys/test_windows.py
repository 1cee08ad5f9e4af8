"""The program under the rules of Windows's file system (tests/windows.py)."""

from pathlib import Path

from diffmidi_core.engine import checkpoint

from .conftest import TINY


def test_a_run_saves_resumes_and_exports(diffmidi, music, windows):
    """Two checkpoints are removed on the way, and all that a run leaves is written once at least."""
    words = [*TINY, "-o", "train.keep=1", "--hook", "report"]
    for said in (
        diffmidi("run", "--data", music, "--out", "mine", *words),
        diffmidi("run", "--resume", "mine", "--iterations", "8"),
        diffmidi("export", "mine", "--to", "out"),
        diffmidi("prepare", "--data", music, "--out", "other", *words),
        diffmidi("prepare", "--check-leaks", "mine", "other"),
        diffmidi("text", next(Path("mine/samples").glob("*.mid")), "--out", "words.txt"),
    ):
        assert said.code == 0, said.err
    assert {6, 8} >= set(checkpoint.steps(Path("mine/checkpoints"))) > set()
    assert not list(Path("mine").glob("**/.*ing-*"))


def test_a_checkpoint_that_is_open_is_removed_later(windows, tmp_path):
    for step in (1, 2, 3):
        folder = tmp_path / f"step-{step:06d}"
        folder.mkdir()
        (folder / checkpoint.MANIFEST).write_text("{}")
    with (tmp_path / "step-000001" / checkpoint.MANIFEST).open():
        checkpoint.prune(tmp_path, keep=1)
        assert checkpoint.steps(tmp_path) == [1, 3]
    checkpoint.prune(tmp_path, keep=1)
    assert checkpoint.steps(tmp_path) == [3]
