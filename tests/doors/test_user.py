"""`import diffmidi`: light, the few names that a script needs, and commands as functions."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import diffmidi
from diffmidi.api import DiffmidiError, UsageError
from diffmidi_core.music.toy import toy_scores

HEAVY = ("torch", "transformers", "numpy", "symusic", "pydantic", "datasets", "accelerate", "matplotlib", "music21")
SCRIPT = Path(__file__).parent / "script.py"


def test_importing_it_imports_nothing_heavy_and_warns_of_nothing():
    code = f"import sys, diffmidi; print(diffmidi.__version__, [name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1)[1].strip() == "[]"


def test_every_name_is_there_and_type_checkers_see_the_same():
    source = ast.parse(Path(diffmidi.__file__).read_text(encoding="utf-8"))
    (checked,) = (node for node in source.body if isinstance(node, ast.If))
    typed = {alias.name: node.module for node in checked.body for alias in node.names}
    assert typed == diffmidi._HOMES
    assert dir(diffmidi) == sorted(diffmidi.__all__) == sorted({*typed, "__version__"})
    for name in diffmidi.__all__:
        assert getattr(diffmidi, name).__module__ == typed[name] if name in ("Pipeline", "run", "evaluate") else True
    with pytest.raises(AttributeError, match="module 'diffmidi' has no attribute 'pipelin'"):
        _ = diffmidi.pipelin


@pytest.fixture
def songs(tmp_path):
    (tmp_path / "songs").mkdir()
    for name, score in toy_scores().items():
        if name != "empty":
            score.dump_midi(str(tmp_path / "songs" / f"{name}.mid"))
    return tmp_path / "songs"


def test_a_script_of_ten_lines_trains_draws_and_judges(songs):
    assert len([line for line in SCRIPT.read_text().splitlines() if line.strip()]) <= 10
    assert not [line for line in SCRIPT.read_text().splitlines() if "diffmidi_core" in line]
    done = subprocess.run([sys.executable, SCRIPT], cwd=songs.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "bits per" in done.stdout.splitlines()[-1]
    assert (songs.parent / "new.mid").read_bytes()[:4] == b"MThd"


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda: diffmidi.run(iteration=3), "diffmidi.run takes no 'iteration'. Did you mean 'iterations'?"),
        (lambda: diffmidi.run(iterations="many"), "'many' is not a valid integer"),
        (lambda: diffmidi.run(tokenizer="mnm"), "no tokenizer 'mnm' is installed. Did you mean 'mmm'?"),
        (lambda: diffmidi.run(options={"backbone.width": 0}), "backbone.width: input should be greater than"),
        (lambda: diffmidi.run(options={"bckbone.width": 8}), "there is no section 'bckbone'"),
        (lambda: diffmidi.evaluate(), "name the RUN whose checkpoint is judged"),
        (lambda: diffmidi.evaluate("nowhere"), "there is no run in nowhere"),
    ],
)
def test_a_mistake_is_an_error_to_catch_in_one_sentence(tmp_path, monkeypatch, mistake, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError if "nowhere" not in said else DiffmidiError) as caught:
        mistake()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_files_are_judged_against_files(songs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    figures = diffmidi.evaluate(samples=songs, against=songs, no_hook=["all"], no_metric="all", metric=["pitch_range"])
    assert set(figures) == {"pitch_range"}
    assert figures["pitch_range"].unit == "semitones"
    assert figures["pitch_range"].reference is not None
