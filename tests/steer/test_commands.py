"""`diffmidi infill`, `vary` and `continue` as far as they need no model: what is asked, and what cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from diffmidi_core.cli import group
from diffmidi_core.contracts.renderer import Change
from diffmidi_core.errors import DiffmidiError
from diffmidi_core.music.notes import Notes, score_of
from diffmidi_core.registry import find


@pytest.fixture
def song(tmp_path: Path) -> Path:
    onset = 480 * np.arange(48)
    score = score_of(Notes(onset, np.full(48, 400), 60 + np.arange(48) % 12, np.full(48, 70)))
    path = tmp_path / "song.mid"
    path.write_bytes(score.dumps_midi())
    return path


def told(*arguments: str) -> str:
    """What a command prints, or the sentence with which it refuses."""
    try:
        answer = CliRunner().invoke(group, arguments, catch_exceptions=False, standalone_mode=False)
    except DiffmidiError as error:
        return str(error)
    return answer.output


def test_a_dry_run_needs_no_model_and_says_what_stays(song: Path) -> None:
    text = told("infill", str(song), "--bars", "5-6", "--pitch", "C4-E4", "--dry-run")
    assert "bars up to 12, 48 notes" in text
    assert "track 1 Piano: 48 notes" in text
    assert "bars 5-6, pitch C4-E4" in text
    assert "Kept: 47 notes" in text


def test_a_dry_run_of_what_comes_behind(song: Path) -> None:
    assert "in bars 13-20" in told("continue", str(song), "--dry-run")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["infill", "--bars", "13"], "bars up to 12"),
        (["infill", "--bars", "1-12"], "nothing would be kept"),
        (["infill", "--seconds", "3-3"], "no time passes"),
        (["infill", "--bars", "5"], "--model"),
        (["infill"], "--bars 5-8"),
        (["infill", "--track", "1", "--except"], "Piano, right hand"),
        (["infill", "--bars", "5", "--lock", "tempo"], "can be locked"),
        (["infill", "--bars", "5", "--track", "drums"], "no track 'drums'"),
        (["vary", "--strength", "2"], "share"),
        (["continue", "--out", "new.wav"], "MIDI file"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_nothing_is_written(
    song: Path, arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(song.parent)
    command, *rest = arguments
    text = told(command, str(song), *rest)
    assert sentence in text
    assert "\n" not in text.strip()
    assert [path.name for path in song.parent.iterdir()] == ["song.mid"]


@pytest.mark.parametrize("changed", [True, False])
def test_before_and_after_are_one_picture(tmp_path: Path, changed: bool) -> None:
    def notes(*rows: tuple[int, int, int, int]) -> Notes:
        return Notes(*np.array(rows, dtype=np.int64).reshape(-1, 4).T)

    kept = notes((0, 480, 60, 80), (480, 480, 62, 80))
    removed, new = (notes((960, 480, 64, 80)), notes((960, 240, 65, 80))) if changed else (notes(), notes())
    change = Change(kept, removed, new, 480, 1920 * np.arange(4), 0)
    renderer = find("renderer", "pianoroll").build({})
    path = tmp_path / "a.roll.png"
    assert renderer.render_change(change, path, title="a $ b")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert not find("renderer", "wav").build({}).render_change(change, tmp_path / "a.wav")
