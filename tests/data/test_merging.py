"""Copies left out and named, versions on one side of the split, and a manifest that says which piece is where."""

import csv
import gzip
from dataclasses import asdict

import numpy as np
import pytest

from diffmidi.api.renderer import write_midi
from diffmidi.api.tokenizer import Notes, score_of
from diffmidi_core.data.merging import NAMED, _first_of_each
from diffmidi_core.data.prepare import Choices, prepare
from diffmidi_core.data.ragged import ArrowFile
from diffmidi_core.data.report import figures
from diffmidi_core.hooks import Hooks
from diffmidi_core.registry import find

from .conftest import Scores


def melody(seed, transposed=0, notes=120):
    rng = np.random.default_rng(seed)
    pitch = 60 + transposed + rng.integers(-12, 13, notes)
    return score_of(Notes(np.arange(notes) * 240, np.full(notes, 240), pitch, np.full(notes, 80)))


def prepared(folder, scores, tokenizer, groups=None, **choices):
    source = Scores(scores, groups)
    report = prepare(source, tokenizer, folder, Choices(**{"heldout": 0.5} | choices), hooks=Hooks())
    with (folder / "split.csv").open(newline="") as file:
        return report, list(csv.DictReader(file))


def test_copies_are_left_out_and_named_with_what_is_the_same(tmp_path, tokenizer):
    music = tmp_path / "music"
    music.mkdir()
    write_midi(melody(1), music / "a.mid")
    (music / "b.mid").write_bytes((music / "a.mid").read_bytes())
    (music / "c.mid").write_bytes(gzip.compress((music / "a.mid").read_bytes()))
    write_midi(melody(2), music / "d.mid")
    source = find("source", "folder").build(data=str(music))
    report = prepare(source, tokenizer, tmp_path / "data", Choices(heldout=0.5), hooks=Hooks())
    assert report.copies == [
        {"piece": "b.mid", "of": "a.mid", "same": "bytes"},
        {"piece": "c.mid", "of": "a.mid", "same": "notes"},
    ]
    assert (report.found, report.kept, report.duplicates) == (4, 2, 2)


def test_the_largest_group_of_versions_is_named_and_lists_stay_out_of_figures(tmp_path, tokenizer):
    scores = {"z": melody(0), "again": melody(0)} | {f"b{key:02}": melody(1, key) for key in range(NAMED + 5)}
    report, _ = prepared(tmp_path / "data", scores | {"broken": None}, tokenizer)
    assert report.near_duplicates == {
        "groups": 1,
        "pieces": NAMED + 5,
        "largest": NAMED + 5,
        "in_largest": [f"b{key:02}" for key in range(NAMED)],
    }
    said = figures(asdict(report))
    assert said["near_duplicates"] == {"groups": 1, "pieces": NAMED + 5, "largest": NAMED + 5}
    assert (said["copies"], said["refused"]) == (1, {"corrupt": 1})
    assert {name: said[name] for name in ("found", "kept", "notes")} == {
        "found": NAMED + 8,
        "kept": NAMED + 6,
        "notes": 120 * (NAMED + 6),
    }


def test_versions_share_a_side_and_a_key(tmp_path, tokenizer):
    scores = {f"{seed}{name}": melody(seed, key) for seed in range(12) for name, key in (("a", 0), ("b", 5))}
    report, rows = prepared(tmp_path / "data", scores, tokenizer)
    assert report.near_duplicates == {"groups": 12, "pieces": 24, "largest": 2, "in_largest": ["0a", "0b"]}
    by_piece = {row["piece"]: row for row in rows}
    for seed in range(12):
        one, other = by_piece[f"{seed}a"], by_piece[f"{seed}b"]
        assert (one["group"], one["side"]) == (other["group"], other["side"])
        assert one["notes_hash"] != other["notes_hash"]
    assert {row["side"] for row in rows} == {"train", "heldout"}
    assert sum(row["side"] == "heldout" for row in rows) == report.heldout


def test_a_split_that_groups_put_off_is_remarked_on(tmp_path, tokenizer):
    scores = {f"piece {seed}": melody(seed) for seed in range(40)}
    groups = {name: str(min(int(name[6:]) // 13, 2)) for name in scores}
    report, rows = prepared(tmp_path / "data", scores, tokenizer, groups=groups, heldout=0.1, test=0.1)
    assert (report.largest_group, report.heldout, report.test) == (14, 13, 13)
    assert [row["side"] for row in rows].count("test") == 13
    said = [remark for remark in report.warnings if "asked for" in remark]
    assert said == [
        f"32 % of the pieces are {what}, where 10 % was asked for: groups of pieces stay whole, and the largest has 14."
        for what in ("held out", "test")
    ]
    even, _ = prepared(tmp_path / "even", scores, tokenizer, heldout=0.1, test=0.1)
    assert (even.heldout, even.test) == (4, 4)
    assert not any("asked for" in remark for remark in even.warnings)


@pytest.mark.parametrize("near", ["drop", "ignore"])
def test_versions_can_be_left_out_or_ignored(tmp_path, tokenizer, near):
    scores = {f"{seed}{name}": melody(seed, key) for seed in range(4) for name, key in (("a", 0), ("b", 5))}
    report, rows = prepared(tmp_path / "data", scores, tokenizer, near_duplicates=near)
    if near == "drop":
        assert [row["piece"] for row in rows] == [f"{seed}a" for seed in range(4)]
        assert report.near_duplicates["dropped"][0] == {"piece": "0b", "of": "0a"}
    else:
        assert len({row["group"] for row in rows}) == report.kept == 8


def test_a_group_of_the_source_and_its_versions_are_one_group(tmp_path, tokenizer):
    scores = {"a": melody(1), "b": melody(1, 5), "c": melody(2), "d": melody(3)}
    _, rows = prepared(tmp_path / "data", scores, tokenizer, groups={"b": "work", "c": "work", "d": "other"})
    group = {row["piece"]: row["group"] for row in rows}
    assert group["a"] == group["b"] == group["c"] != group["d"]


def test_the_manifest_is_in_the_order_of_the_dataset(tmp_path, tokenizer):
    scores = {f"piece {seed}": melody(seed) for seed in range(6)}
    _, rows = prepared(tmp_path / "data", scores, tokenizer)
    file = ArrowFile(tmp_path / "data" / "tokens.arrow")
    for place, row in enumerate(rows):
        assert file.value("id", place) == row["piece"]
        assert f"{file.value('key', place):016x}" == row["group"]
        assert file.value("notes_hash", place).hex() == row["notes_hash"]
        assert len(file.value("signature", place)) == 128


def test_the_first_of_equal_hashes_is_the_lowest_row():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 3, (50, 2)).astype(np.uint64)
    expected = [next(i for i, each in enumerate(hashes.tolist()) if each == row) for row in hashes.tolist()]
    assert _first_of_each(hashes).tolist() == expected
