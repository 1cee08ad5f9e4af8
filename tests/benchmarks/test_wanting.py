"""benchmarks/wanting.py: what counts as obtained, and that it runs from end to end and goes on."""

from __future__ import annotations

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from diffmidi_core.data.known_labels import KnownLabel
from diffmidi_core.music.key import KEYS

ROOT = Path(__file__).parents[2]
STARTER = ROOT / "models" / "diffmidi-starter" / "diffmidi_starter" / "model"


@pytest.fixture(scope="module")
def wanting():
    spec = spec_from_file_location("wanting", ROOT / "benchmarks" / "wanting.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def density() -> KnownLabel:
    return KnownLabel(name="density", values=("low", "medium", "high"), counts=(1, 1, 1), edges=(1.0, 2.0))


@pytest.fixture(scope="module")
def key() -> KnownLabel:
    return KnownLabel(name="key", values=(*KEYS, "none"), counts=(1,) * 24 + (0,))


def test_keys_next_to_one_are_its_relative_parallel_dominant_and_subdominant(wanting, key):
    around = {
        "C major": {"C major", "G major", "F major", "A minor", "C minor"},
        "A minor": {"A minor", "E minor", "D minor", "C major", "A major"},
    }
    for asked, expected in around.items():
        found = {value for value in key.values if wanting.near(key, key.number(asked), key.number(value))}
        assert found == expected


def test_the_nearest_of_some_pieces_is_chosen_and_of_equals_the_first(wanting, density, key):
    assert wanting.best(density, 3, [1, 2, 3, 3]) == 2
    assert wanting.best(density, 3, [0, 1, 1]) == 1
    asked, fifth, far = (key.number(name) for name in ("C major", "G major", "F# major"))
    assert wanting.best(key, asked, [far, fifth, asked]) == 2
    assert wanting.best(key, asked, [far, fifth]) == 1
    assert wanting.best(key, asked, [fifth, fifth]) == 0


def test_the_table_counts_what_was_obtained_beside_what_nobody_asked_for(wanting, density):
    def row(way: str, value: str, obtained: object) -> dict[str, object]:
        return {
            "way": way,
            "label": "density" if value else "",
            "value": value,
            "obtained": obtained,
            "bits": [[6, 2]] * 4,
        }

    rows = [
        row(wanting.ANY, "", {"density": [2, 2, 2, 3]}),
        row("guidance 0", "low", [1, 1, 2, 3]),
        row("guidance 0", "high", [3, 3, 2, 0]),
    ]
    free, asked = wanting.told(rows, {"density": density})
    assert (free["exact"][0], free["near"][0], free["correlation"]) == (12.5, 87.5, 0.0)
    assert (asked["pieces"], asked["exact"][0], asked["near"][0]) == (8, 50.0, 75.0)
    assert free["pieces"] == 4
    assert asked["correlation"] == pytest.approx(0.54, abs=0.01)
    assert asked["bits a note"] == (3.0, 3.0, 3.0)
    assert asked["exact"][1] < 50 < asked["exact"][2]


def test_the_tiny_one_runs_from_end_to_end_and_does_not_draw_again(wanting, tmp_path):
    out = tmp_path / "rows.json"
    rows = wanting.main([str(STARTER), "--tiny", "--out", str(out)])
    assert [row["way"] for row in rows] == [wanting.ANY, "guidance 0", "best of 2", "guidance 2"]
    assert {row["label"] for row in rows} == {"density"}
    assert [row["pieces"] for row in rows] == [2, 4, 4, 4]
    kept = json.loads(out.read_text())
    assert len(kept) == 2 * (1 + 3 * 2)
    out.write_text(json.dumps(kept[:-1]))
    assert wanting.main([str(STARTER), "--tiny", "--out", str(out)]) == rows
    assert json.loads(out.read_text()) == kept
