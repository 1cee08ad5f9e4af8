"""Damaged and odd files, and what is no music, on the way that `prepare` takes: each is words, or named and refused."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from diffmidi import Score
from diffmidi.api import RefusedError
from diffmidi.api.source import Piece, Source
from diffmidi.api.tokenizer import Tokenizer, sustained
from diffmidi_core.data.prepare import Choices, prepare
from diffmidi_core.hooks import Hooks
from diffmidi_core.registry import find

from .test_reading import READ_NOW, READABLE, REFUSED

TOLD = "DIFFMIDI_TEST_DATA"
TOKENIZERS = {
    "beats": ("mmm", {"layout": "aligned"}),
    "milliseconds": ("mmm", {"grid": "10ms", "layout": "run"}),
    "remi": ("remi", {}),
    "TSD": ("miditok", {"type": "TSD"}),
}
NOT_COLLECTED = {"gzip.mid.gz", "no_suffix", "wrong.txt", ".hidden.mid", "._resource.mid", "link_parent", "dir.mid"} | {
    *("good.abc", "broken.abc", "does_not_exist.mid", ""),
}
EITHER = {"gzip.mid"}
"""The collection allows to read it or not."""


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    name, options = TOKENIZERS[request.param]
    return find("tokenizer", name).build(options)


def folder(path: Path) -> Source:
    return find("source", "folder").build({}, data=str(path))


def test_each_bad_file_is_refused_for_its_reason_and_the_others_are_kept(tmp_path: Path, tokenizer: Tokenizer) -> None:
    music = tmp_path / "music"
    music.mkdir()
    for name, data in READABLE.items():
        (music / f"{name}.mid").write_bytes(data)
    for name, (_, data) in REFUSED.items():
        (music / f"{name}.mid").write_bytes(data)
    source = folder(music)
    refused = {}
    for piece in source.pieces():
        try:
            assert tokenizer.count_notes(tokenizer.encode(source.read(piece))) == 1
        except RefusedError as error:
            refused[piece.id.removesuffix(".mid")] = error.reason
    assert refused == {name: reason for name, (reason, _) in REFUSED.items()}
    report = prepare(source, tokenizer, tmp_path / "data", Choices(heldout=0.1), hooks=Hooks())
    assert report.found == len(READABLE) + len(REFUSED)
    assert report.found - report.kept - report.duplicates == sum(map(len, report.refused.values())) == len(REFUSED)
    assert {reason for reason, _ in REFUSED.values()} == set(report.refused)


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, dict[str, str]]]:
    """The folder of bad files, and what is expected of each."""
    path = tmp_path_factory.mktemp("bad")
    script = Path(os.environ[TOLD]) / "bad" / "make_bad.py"
    subprocess.run([sys.executable, str(script), str(path)], check=True, capture_output=True)
    with (path / "expectations.made.csv").open(newline="", encoding="utf-8") as table:
        return path, {row["file"]: row for row in csv.DictReader(table)}


@pytest.mark.skipif(TOLD not in os.environ, reason=f"the collection of bad files is found through {TOLD}")
def test_the_bad_collection_is_prepared_as_expected(collection, tokenizer: Tokenizer, tmp_path: Path) -> None:
    path, expected = collection
    source, wrong, met = folder(path), {}, set()
    for piece in source.pieces():
        name = os.fsencode(piece.id).replace(b"\xff\xfe", b"\\udcff\\udcfe").decode()
        met.add(name)
        try:
            score = source.read(piece)
        except RefusedError:
            found = "reject"
        else:
            found = "accept"
            expect_exact(tokenizer, score, piece)
        if name in READ_NOW:
            expected[name]["expect"] = "accept"
        if name in expected and name not in EITHER and found != expected[name]["expect"]:
            wrong[name] = found
    if os.geteuid() == 0:
        assert wrong.pop("unreadable.mid") == "accept", "root may read everything"
    assert not wrong
    assert set(expected) - met == NOT_COLLECTED
    report = prepare(source, tokenizer, tmp_path / "data", Choices(heldout=0.1), hooks=Hooks())
    assert report.found == len(met) == report.kept + report.duplicates + sum(map(len, report.refused.values()))
    assert any("zero_dur.mid" in each for each in report.refused["no_notes"])


def expect_exact(tokenizer: Tokenizer, score: Score, piece: Piece) -> None:
    for each in (score, sustained(score)):
        ids = tokenizer.encode(each)
        decoded = tokenizer.decode(ids)
        assert np.array_equal(tokenizer.encode(decoded), ids), piece
        assert tokenizer.count_notes(ids) == decoded.note_num() <= score.note_num(), piece
        assert tokenizer.faults(ids) == 0, piece
