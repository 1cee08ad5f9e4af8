"""benchmarks/infilling.py: how holes are filled without a model, and what is measured of that."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from diffmidi_core.music.notes import Notes, score_of
from diffmidi_core.steer.user_file import UserFile

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def beside():
    """The script can be imported, and those that it imports."""
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(BENCHMARKS))
        yield


@pytest.fixture
def holes():
    return import_module("infilling_holes")


@pytest.fixture
def measures():
    return import_module("infilling_measures")


def song(name: str, step: int, bars: int = 20) -> UserFile:
    onset = 240 * np.arange(8 * bars)
    pitch = 60 + (step * np.arange(8 * bars)) % 12
    score = score_of(Notes(onset, np.full(len(onset), 200), pitch, np.full(len(onset), 70)))
    return UserFile(score.dumps_midi(), name)


def test_the_truth_has_everything_in_common_with_itself_and_a_copy_the_bar_before(holes, measures):
    file = song("one", 1)
    hole = holes.Hole(file, 9, 10)
    truth = measures.likeness(file, hole)
    assert truth["notes"] == 16
    assert {truth[name] for name in ("rhythm", "pitch classes", "groove", "density")} == {1.0}
    assert truth["PCHO"] == pytest.approx(1)
    copied = UserFile(hole.copied(), "copied")
    bars = [measures.inside(copied, holes.Hole(copied, bar, bar))[1].tolist() for bar in (8, 9, 10)]
    assert bars[0] == bars[1] == bars[2]
    like = measures.likeness(copied, hole)
    assert like["rhythm"] == like["density"] == 1.0
    assert like["pitch classes"] < 1


def test_a_random_span_is_of_another_piece_and_leaves_all_else(holes, measures):
    file, other = song("one", 1), song("two", 5)
    hole = holes.Hole(file, 9, 10)
    filled = UserFile(holes.random_span(hole, [file, other], np.random.default_rng(0)), "filled")
    onsets, pitches = measures.inside(filled, hole)
    assert len(onsets) == 16
    assert ((np.diff(pitches) % 12) == 5).all()
    kept = (filled.notes.onset < hole.begin) | (filled.notes.onset >= hole.end)
    assert np.array_equal(filled.notes.pitch[kept], file.notes.pitch[~hole.asked.removed])


def test_holes_are_inside_and_halves_are_of_excerpts(holes):
    random = np.random.default_rng(0)
    hole = holes.hole_in(song("one", 1), 4, random)
    assert len(hole.lengths) == 4
    assert min(hole.asked.touched) - 1 >= holes.AROUND_HOLE
    assert max(hole.asked.touched) <= 20 - holes.AROUND_HOLE
    half = holes.half_of(song("one", 1), random)
    assert half.asked.touched == [*range(5, 13)]
    assert half.asked.bars.last == 16
    assert holes.hole_in(song("short", 1, 8), 4, random) is None
    assert holes.half_of(song("short", 1, 8), random) is None


def test_the_script_itself_refuses_a_call_without_songs(capsys):
    with pytest.raises(SystemExit):
        import_module("infilling").main(["a model"])
    assert "required: songs, split" in capsys.readouterr().err
