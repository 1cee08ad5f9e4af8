"""benchmarks/keeping.py: what is counted as kept, with the random filler on files of a manifest."""

from __future__ import annotations

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
from symusic.core import ControlChangeTick

from diffmidi_core.music.notes import Notes, score_of
from diffmidi_core.steer.user_file import UserFile

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "keeping.py"


@pytest.fixture(scope="module")
def keeping():
    spec = spec_from_file_location("keeping", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def song(bars: int = 10, pedal: bool = True):
    onset = 480 * np.arange(4 * bars)
    score = score_of(Notes(onset, np.full(len(onset), 400), 60 + np.arange(len(onset)) % 12, np.full(len(onset), 70)))
    if pedal:
        score.tracks[0].controls.append(ControlChangeTick(100, 64, 127))
        score.tracks[0].controls.append(ControlChangeTick(900, 64, 0))
    return score


def test_every_file_of_a_manifest_keeps_what_is_outside(keeping, tmp_path, capsys):
    for name, bars in (("a.mid", 10), ("b.mid", 6)):
        (tmp_path / name).write_bytes(song(bars).dumps_midi())
    (tmp_path / "manifest.csv").write_text("path\na.mid\nb.mid\n")
    out = tmp_path / "rows.json"
    rows = keeping.main([str(tmp_path / "manifest.csv"), "--every", "1", "--out", str(out)])
    assert [row["kept"]["notes"] for row in rows] == [[24, 24], [8, 8]]  # bars 5-8 of 10, and 2-5 of 6
    assert all(row["kept"][kind][0] == row["kept"][kind][1] > 0 for row in rows for kind in ("pedal", "events"))
    assert json.loads(out.read_text()) == rows
    assert "2 of 2" in capsys.readouterr().out


def test_what_another_file_lacks_is_counted(keeping):
    before, moved = UserFile(song().dumps_midi(), "before"), song(pedal=False)
    moved.tracks[0].notes[3].time += 1
    after = UserFile(moved.dumps_midi(), "after")
    kept = keeping.kept(keeping.contents(before), keeping.contents(after))
    assert kept["notes"] == [39, 40]
    assert kept["pedal"] == [0, 2]
    assert kept["tempi and metres"][0] == kept["tempi and metres"][1]
