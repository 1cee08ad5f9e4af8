"""Groups that the user names: by folder, or by a column of the labels."""

import itertools
from unicodedata import normalize

import numpy as np
import pytest

from diffmidi.api import UsageError
from diffmidi_core.data.groups import group_of, joined, named_keys
from diffmidi_core.data.split import split_key

from .test_merging import melody, prepared

NAMES = [*(f"{folder}/{name}.mid" for folder in "abcdef" for name in "xyz"), "other.mid", "top.mid"]
SCORES = {name: melody(seed) for seed, name in enumerate(NAMES)}


def groups_of(rows):
    together = {}
    for row in rows:
        together.setdefault(row["group"], set()).add(row["piece"])
    return sorted(map(sorted, together.values()))


def test_pieces_of_a_folder_stay_together(tmp_path, tokenizer):
    report, rows = prepared(tmp_path / "data", SCORES, tokenizer, group="folder", heldout=0.15, test=0.15)
    folders = [[f"{folder}/{name}.mid" for name in "xyz"] for folder in "abcdef"]
    assert groups_of(rows) == [*folders, ["other.mid"], ["top.mid"]]
    assert (report.heldout, report.largest_group) == (3, 3)
    assert report.grouped == {"by": "folder", "groups": 6, "pieces": 18}


def test_pieces_of_one_value_in_a_column_stay_together(tmp_path, tokenizer):
    names = list(SCORES)
    sets = ("", '"Lieder, op. 1"')
    rows = [f"{name},{sets[at % 2]},{at % 4}" for at, name in enumerate(names)]
    (tmp_path / "labels.csv").write_text("\n".join(["path,set,number", *rows]))
    options = {"labels": tmp_path / "labels.csv", "heldout": 0.2}
    report, rows = prepared(tmp_path / "data", SCORES, tokenizer, group="set", **options)
    assert groups_of(rows) == sorted([sorted(names[1::2]), *([name] for name in names[::2])])
    assert report.grouped == {"by": "set", "groups": 1, "pieces": 10}
    report, _ = prepared(tmp_path / "numbers", SCORES, tokenizer, group="number", **options)
    assert report.grouped == {"by": "number", "groups": 4, "pieces": 20}


def test_a_group_is_one_however_its_accents_are_written():
    of = [group_of("folder", None)(normalize(form, "Fauré/a.mid")) for form in ("NFC", "NFD")]
    assert of[0] == of[1]


def test_the_same_pieces_grouped_otherwise_are_prepared_anew(tmp_path, tokenizer):
    _, one = prepared(tmp_path / "data", SCORES, tokenizer)
    _, two = prepared(tmp_path / "data", SCORES, tokenizer, group="folder")
    assert len(groups_of(one)) > len(groups_of(two))


def test_versions_and_named_groups_are_one_group(tmp_path, tokenizer):
    scores = {"a/x.mid": melody(1), "b/x.mid": melody(1, 5), "b/y.mid": melody(2), "y.mid": melody(3)}
    _, rows = prepared(tmp_path / "data", scores, tokenizer, group="folder")
    assert groups_of(rows) == [["a/x.mid", "b/x.mid", "b/y.mid"], ["y.mid"]]


def test_a_column_that_is_not_there_is_named_beside_those_that_are(tmp_path, tokenizer):
    with pytest.raises(UsageError, match=r"-o prepare.labels=FILE, or group by 'folder'"):
        prepared(tmp_path / "data", SCORES, tokenizer, group="set")
    (tmp_path / "labels.csv").write_text("path,sets,mood\ntop.mid,1,calm\n")
    with pytest.raises(UsageError, match=r"no column of that name; they have sets, mood"):
        prepared(tmp_path / "data", SCORES, tokenizer, group="set", labels=tmp_path / "labels.csv")


def test_a_named_group_has_a_key_of_its_own_whoever_is_in_it():
    keys = np.array([5, 7, 9], dtype=np.int64)
    assert named_keys(keys, ["a", "a", ""]).tolist() == [split_key("a", b"")] * 2 + [9]
    assert named_keys(keys[1:], ["a", ""]).tolist() == [split_key("a", b""), 9]
    # Groups of the source stay whole.
    same = named_keys(np.array([5, 5, 9], dtype=np.int64), ["a", "", "a"])
    assert len(set(same.tolist())) == 1


def test_keys_are_joined_through_chains_of_groups():
    keys = np.array([5, 7, 7, 3, 9, 9, 1])
    group = np.array([0, 0, 2, 2, 4, 5, 6])
    together = joined(keys, group).tolist()
    assert together == [3, 3, 3, 3, 9, 9, 1]
    for one, two in itertools.combinations(range(7), 2):
        if group[one] == group[two] or keys[one] == keys[two]:
            assert together[one] == together[two]
