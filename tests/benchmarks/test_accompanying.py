"""benchmarks/accompanying.py: lead sheets taken apart, figures of known music, and all of it at sizes of nothing."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from diffmidi_core.registry import find

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def accompanying(monkeypatch):
    """The script as a module, beside those that it imports."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("accompanying", BENCHMARKS / "accompanying.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "accompanying", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def segments(accompanying, tmp_path):
    return accompanying.segments_of(accompanying.made_up(tmp_path))


def test_the_tiny_one_runs_from_end_to_end_and_goes_on(accompanying, tmp_path, capsys):
    out, model = tmp_path / "rows.json", str(find("model", "starter").folder())
    words = ["--tiny", "--out", str(out), "--midi", str(tmp_path / "midi")]
    without = accompanying.main(words)
    by_model = {accompanying.MODEL, accompanying.BEST, accompanying.ONLY}
    assert {row["way"] for row in without} == {*accompanying.WAYS} - by_model
    rows = accompanying.main([*words, "--model", model])
    assert rows[: len(without)] == without
    assert json.loads(out.read_text()) == rows
    assert len([*(tmp_path / "midi").iterdir()]) == len(rows) == 2 * len(accompanying.WAYS)
    assert "only chord pitches" in capsys.readouterr().out


def test_a_melody_is_told_from_chords_even_below_them(accompanying, segments):
    import lead_sheets

    assert [(each.song, each.name) for each in segments[:2]] == [("000", "seg_0_8"), ("000", "seg_8_16")]
    segment = segments[0]
    assert len(segment.melody) == len(segment.sheet) == 32
    assert segment.melody[:, 2].min() >= 72
    assert {len(segment.classes(bar)) for bar in range(8)} == {3}
    low = np.array([[6, 6, 41], [0, 48, 36]])
    sheet = lead_sheets.Sheet(100.0, np.array([[0, 48, 36], [0, 48, 40], *low.tolist()]), [(0, 48, "C")])
    melody, chord, chords = lead_sheets.parted(sheet, {"C": frozenset({36, 40})})
    assert sorted(melody[:, 2].tolist()) == [36, 41]
    assert sorted(chord[:, 2].tolist()) == [36, 40]
    assert chords == [(0, 48, frozenset({0, 4}))]


def test_figures_of_music_that_is_known(accompanying, segments):
    segment = segments[0]
    truth = accompanying.measured(segment.played["pianists"], segment)
    assert {truth[name] for name in ("chord tones", "pitch classes", "groove", "on beats")} == {1.0}
    assert truth["notes a bar"] == 4
    down = accompanying.measured(segment.played["pianists"] - np.array([0, 0, 12]), segment)
    assert down["pitch classes"] == 1
    strange = accompanying.measured(segment.melody + np.array([0, 0, -11]), segment)
    assert strange["clashes"] == 1
    assert strange["above"] == 0
    assert accompanying.measured(segment.melody + np.array([0, 0, 1]), segment)["above"] == 1
    same = np.array([[bar * 48, 48, 50] for bar in range(8)])
    assert accompanying.measured(same, segment)["bars alike"] == 1
    assert accompanying.measured(same + np.arange(8)[:, None] * [0, 0, 1], segment)["bars alike"] == 0
    assert accompanying.measured(segment.melody, segment)["notes"] == 0
    silent = accompanying.measured(np.zeros((0, 3), dtype=np.int64), segment)
    assert silent["pitch classes"] == silent["notes a bar"] == 0
    assert silent["chord tones"] is silent["clashes"] is silent["lowest"] is None


def test_chord_pitches_alone_are_drawn_where_nothing_else_may_be(accompanying, segments):
    segment = segments[0]
    file = accompanying.handed(segment)
    assert [part.name for part in file.parts] == ["Voice", "Piano, right hand", "Piano, left hand"]
    asked = accompanying.chord_pitches(file, segment)
    assert asked.removed.sum() == accompanying.all_but_the_voice(file).removed.sum() == 2
    assert asked.touched == accompanying.all_but_the_voice(file).touched == [*range(1, 9)]
    pitches, _ = asked.selection.cell(1, 0, 48)
    assert {*(np.flatnonzero(pitches) % 12).tolist()} == segment.classes(0)
    assert accompanying.symbol_of(frozenset({2, 7, 9})) == "Dsus4"
    assert accompanying.symbol_of(frozenset({9, 0, 4})) == "Am"


def test_a_segment_of_a_song_comes_twice_once_all_songs_came(accompanying, segments):
    some = accompanying.chosen(segments, 4, 0)
    assert len({each.song for each in some[:3]}) == 3
    assert len({(each.song, each.name) for each in some}) == 4
    assert accompanying.tonic(np.array([[0, 1, 9], [1, 1, 0], [2, 1, 4], [3, 2, 9]])) == 0
    assert accompanying.moved(np.array([[0, 1, 60]]), 11)[0, 2] == 59
